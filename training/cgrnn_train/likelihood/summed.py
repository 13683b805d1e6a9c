"""AIS in which the frames that its chains visited are summed exactly: the log Z of `cgrnn-train evaluate`.

A frame's p(v | u) has few likely v: the K chains of AIS pass through most of them, and of each p*(v) is known. Let S₋ₖ
be the frames that chains other than k were in, wₖ the weight of chain k at its end, and oₖ the share of some Gibbs
sweeps from there in which it was outside S₋ₖ. For any set that does not depend on chain k it holds that
E[wₖ oₖ] = Σ_{v ∉ S₋ₖ} p*(v), and so

    Ẑ = 1/K Σₖ [ Σ_{v ∈ S₋ₖ} p*(v) + wₖ oₖ ],      E[Ẑ] = Z,

whatever the temperatures. Only the second term varies with the weights; that a likely frame was found by a chain of
small weight, or by one of sixteen, no longer matters. E[log Ẑ] ≤ log Z as with AIS alone: **a likelihood errs high**.
The spread of the K terms shows the error of Ẑ but for what they have in common, the frames that none found: the
expected square of that is added. A whole mode that none found shows in neither.

What chain k was in and is outside S₋ₖ was visited by k alone, so that Ẑ is a sum over distinct frames, and the
marginals come with it. (With one set of all chains oₖ would be 0: leaving k out of its own keeps Ẑ unbiased.)

From the other side: of samples of the model, independent of S, a share q lies in S, E[q] = Z_S / Z, and

    log Ẑ = log Z_S − log q,      E[log Ẑ] ≥ log Z:      the likelihood **errs low**

(reciprocal importance sampling, Gelfand and Dey 1994). Where S is a small part of Z, of a model that is nearly uniform,
few samples fall into it; so q / Z_S is mixed with reverse AIS, which estimates 1/Z without bias too, in the proportion
that Ẑ says. Both promise this for exact samples only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cgrnn_train.likelihood.ais import LogMean, log_mean
from cgrnn_train.likelihood.path import Annealed, AnnealingPath
from cgrnn_train.likelihood.reverse_ais import reverse_ais_log_partition
from cgrnn_train.likelihood.sweep import gibbs
from cgrnn_train.likelihood.visits import SEVERAL, Visited, Visits
from cgrnn_train.models.head import Head, free_energy

NOTED = 8000
"""Visits to a row on the path's second half, and after the path, that are noted at most: bounds the memory.

In the first half chains are seldom in likely frames.
"""

LARGEST_PART = 0.99
"""Of 1/Z from above, that the share of samples in visited frames makes; the rest is reverse AIS, which is never 0."""

VERSION = "visited frames summed, 3"
"""Of this estimate: kept chunks of another are not gone on with."""

FRAMES_TOGETHER = 8192
"""Distinct frames whose energy is computed at once: bounds the memory."""


@dataclass(frozen=True, slots=True)
class Summed:
    """What chains found of p(v | u) of some rows.

    Attributes:
        partition: log Z; its effective sample size is that of the chains' weights, as AIS has it.
        marginals: p(vⱼ = 1 | u), (rows, visible), a ratio of two estimates.
        annealed: the chains at the end of the path, before the last sweeps.
        visited: the distinct frames.
        log_sum: log Σ p*(v) over those, (rows,) float64: below log Z for certain.
    """

    partition: LogMean
    marginals: Tensor
    annealed: Annealed
    visited: Visited
    log_sum: Tensor


@torch.no_grad()
def summed_ais(head: Head, visible_bias: Tensor, hidden_bias: Tensor, *, temperatures: int, chains: int) -> Summed:
    """Anneal chains of all rows together, sweep as often again at β = 1, and sum what they visited.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (rows, visible).
        hidden_bias: b̃_h, (rows, hidden).
        temperatures: inverse temperatures on the path, evenly spaced, and sweeps after it.
        chains: independent chains a row, 2 or more.

    Raises:
        ValueError: fewer chains.
    """
    if chains < 2:
        raise ValueError(f"found {chains} chains; expected 2 at least, for each is left out of what the others visited")
    visits = Visits(visible_bias.shape[1], visible_bias.device)
    on_path = range(temperatures // 2, temperatures, _stride(temperatures // 2, chains))
    after = range(0, temperatures, _stride(temperatures, chains))

    def watch_path(step: int, rows: slice, frame: Tensor) -> None:
        if step in on_path:
            visits.add(frame, rows.start)

    def watch_end(sweep: int, rows: slice, frame: Tensor) -> None:
        if sweep in after:
            visits.add(frame, rows.start, is_counted=True)

    path = AnnealingPath(head, visible_bias, hidden_bias, temperatures)
    annealed = path.ascend(path.draw_base(chains), watch_path)
    gibbs(head, annealed.frames, visible_bias, hidden_bias, temperatures, watch_end)
    visited, log_weights = visits.visited(), path.log_base_partition + annealed.gain  # (chains, rows)

    parts = visited.parts(FRAMES_TOGETHER)
    log_probability = torch.cat(
        [-free_energy(head, _frames(part, visible_bias), *_biases(part, visible_bias, hidden_bias)) for part in parts]
    ).double()
    rows = visited.rows
    scale = log_weights.amax(0).scatter_reduce(0, rows, log_probability, "amax")  # (rows,)
    probability = torch.exp(log_probability - scale[rows])  # p*(v), (distinct,)
    is_alone, owner = visited.chain != SEVERAL, visited.chain.clamp(min=0)
    outside = torch.exp(log_weights - scale)[owner, rows] * visited.counted / len(after) * is_alone  # of wₖ oₖ

    total = torch.zeros_like(scale).index_add(0, rows, probability)
    difference = torch.zeros_like(log_weights).index_put(
        (owner, rows), outside - probability * is_alone, accumulate=True
    )
    terms = total + difference  # (chains, rows): of Ẑ
    unseen = torch.zeros_like(scale).index_add(0, rows, outside * probability)  # its mean: Σ p*² P(v ∉ S₋ₖ)
    error = (terms.var(0) + unseen).div(chains).sqrt() / terms.mean(0)
    share = torch.where(is_alone, (probability * (chains - 1) + outside) / chains, probability)  # each frame's in Ẑ
    marginals = torch.zeros_like(visible_bias)
    for part, own in zip(parts, (share / terms.mean(0)[rows]).to(marginals.dtype).split(FRAMES_TOGETHER), strict=True):
        marginals.index_add_(0, part.rows, own[:, None] * _frames(part, visible_bias))
    return Summed(
        LogMean(scale + torch.log(terms.mean(0)), error, log_mean(log_weights).effective_sample_size),
        marginals,
        annealed,
        visited,
        scale + torch.log(total),
    )


@torch.no_grad()
def summed_from_above(
    head: Head, visible_bias: Tensor, hidden_bias: Tensor, summed: Summed, *, start: Tensor, temperatures: int
) -> Tensor:
    """Estimate log Z of each row from above: the likelihood that follows errs low.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (rows, visible).
        hidden_bias: b̃_h, (rows, hidden).
        summed: what other chains found of these rows.
        start: samples of p(v | u) of each row, (chains, rows, visible), independent of ``summed``; the bound is one
            only if they are exact.
        temperatures: sweeps of Gibbs from there, each of which gives samples too; steps of reverse AIS.

    Returns:
        (rows,) float64.
    """
    reverse = reverse_ais_log_partition(head, visible_bias, hidden_bias, start=start, temperatures=temperatures)
    visits = Visits(visible_bias.shape[1], visible_bias.device)
    gibbs(
        head,
        start,
        visible_bias,
        hidden_bias,
        temperatures,
        lambda _, rows, frame: visits.add(frame, rows.start, is_counted=True),
    )
    samples = visits.visited()
    inside = torch.zeros_like(summed.log_sum).index_add(
        0, samples.rows, (samples.counted * samples.are_in(summed.visited)).double()
    )
    share = inside / (len(start) * temperatures)
    part = torch.exp(summed.log_sum - summed.partition.value).clamp(max=LARGEST_PART)  # nothing of these samples in it
    return -torch.logaddexp(
        torch.log(part * share) - summed.log_sum,
        torch.log1p(-part) - reverse.value,
    )


def _stride(sweeps: int, chains: int) -> int:
    return max(1, -(-sweeps * chains // NOTED))


def _frames(visited: Visited, visible_bias: Tensor) -> Tensor:
    return visited.frames(visible_bias.shape[1]).to(visible_bias.dtype)


def _biases(visited: Visited, visible_bias: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
    return visible_bias[visited.rows], hidden_bias[visited.rows]
