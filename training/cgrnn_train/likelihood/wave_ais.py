"""Annealed importance sampling of log Z(b̃_h) for the conditional RBM over whitened frames of sound.

The paper found AIS unstable here, for nothing bounds the samples between its two ends. On this path every RBM is
normalisable: W grows from 0 to its own value and I − WWᵀ stays positive definite (`ContinuousFrames.path`). Chains are
of spikes, x and the slabs integrated out, so that only which spikes are on has to be annealed:

    log p*_t(h) = b̃_tᵀh + w_t(h),      w: `GivenSpikes.log_weight`,      b̃_t = b̃_h + a_T − a_t,

where a is what one spike alone weighs (`WaveUnits.alone`). b̃ thus begins higher, by what a spike gains in weight on the
way: were the columns of W orthogonal, p_t would be the same at all t and Ẑ exact, however seldom a spike of a wide
direction turns. log Z_0 = Σ softplus(b̃_0) in units of (2π)^(D/2). The transition at t draws x | h, then h | x.
E[Ẑ] = Z: a likelihood errs high. From exact samples of p_T the same path downwards gives 1/Z without bias: a likelihood
that errs low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.likelihood.ais import LogMean, log_mean
from cgrnn_train.models.resampling import systematic_ancestors
from cgrnn_train.models.wave_units import WaveUnits

VERSION = "AIS over whitened frames, 2"
"""Of this estimate: kept chunks of another are not gone on with."""


@dataclass(frozen=True, slots=True)
class WaveAnnealed:
    """Chains at the end of the path, and what they say.

    Attributes:
        partition: log Z in units of (2π)^(D/2), for each row.
        mean: E[x], (rows, visible) float64.
        spikes: h where the chains end, (chains, rows, hidden).
        log_weights: of the chains, (chains, rows) float64.
    """

    partition: LogMean
    mean: Tensor
    spikes: Tensor
    log_weights: Tensor


@torch.no_grad()
def wave_ais(path: Sequence[WaveUnits], hidden_bias: Tensor, *, chains: int) -> WaveAnnealed:
    """Anneal ``chains`` of each row of ``hidden_bias`` (rows, hidden) along ``path``, whose first W is 0."""
    rows, hidden = hidden_bias.shape
    bias = hidden_bias.expand(chains, -1, -1).reshape(chains * rows, hidden)
    shifts = _shifts(path)
    first = hidden_bias.double() + shifts[0]
    start = torch.bernoulli(torch.sigmoid(first).to(bias.dtype).repeat(chains, 1))
    gain, ends = _anneal(path, shifts, start, bias)
    means = path[-1].given_spikes(ends).mean
    log_weights = gain.view(chains, rows) + F.softplus(first).sum(-1)
    share = torch.softmax(log_weights, 0)
    mean = torch.einsum("cr,crv->rv", share, means.view(chains, rows, -1).double())
    return WaveAnnealed(log_mean(log_weights), mean, ends.view(chains, rows, hidden), log_weights)


@torch.no_grad()
def reverse_wave_ais(path: Sequence[WaveUnits], hidden_bias: Tensor, *, start: Tensor) -> LogMean:
    """log Z of each row of ``hidden_bias`` (rows, hidden) from above, by chains that descend from ``start``.

    Args:
        path: as for `wave_ais`.
        hidden_bias: b̃_h.
        start: h, (chains, rows, hidden), samples of p(h | b̃_h): a bound only if they are exact.
    """
    chains, rows, hidden = start.shape
    bias = hidden_bias.expand(chains, -1, -1).reshape(chains * rows, hidden)
    shifts = _shifts(path)
    gain, _ = _anneal(path[::-1], shifts[::-1], start.reshape(-1, hidden), bias)
    inverse = log_mean(gain.view(chains, rows) - F.softplus(hidden_bias.double() + shifts[0]).sum(-1))
    return LogMean(-inverse.value, inverse.standard_error, inverse.effective_sample_size)


@torch.no_grad()
def wave_starts(units: WaveUnits, hidden_bias: Tensor, annealed: WaveAnnealed, *, sweeps: int = 20) -> Tensor:
    """Starts for `reverse_wave_ais` from the ends of AIS chains, drawn again by their weights and moved: a heuristic.

    Args:
        units: the RBM, that at the end of the path.
        hidden_bias: b̃_h, (rows, hidden).
        annealed: what `wave_ais` gave for these, with more temperatures than the reverse chains are to have.
        sweeps: of Gibbs, which part chains that were drawn twice.

    Returns:
        h, (chains, rows, hidden).
    """
    ancestors = systematic_ancestors(annealed.log_weights.T).T  # (chains, rows)
    start = annealed.spikes.gather(0, ancestors[..., None].expand_as(annealed.spikes))
    spikes, bias = start.flatten(0, 1), hidden_bias.expand(len(start), -1, -1).flatten(0, 1)
    for _ in range(sweeps):
        spikes = units.draw_spikes(units.given_spikes(spikes).sample, bias)
    return spikes.view_as(start)


def _shifts(path: Sequence[WaveUnits]) -> list[Tensor]:
    """b̃_t − b̃_h, (hidden,) float64, at each place of ``path``."""
    alone = [units.alone() for units in path]
    return [alone[-1] - own for own in alone]


def _anneal(path: Sequence[WaveUnits], shifts: Sequence[Tensor], spikes: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Move ``spikes`` h (rows, hidden) from the first of ``path`` to its last; their gains (rows,) float64, and h."""
    gain = spikes.new_zeros(len(spikes), dtype=torch.float64)
    gain -= path[0].given_spikes(spikes).log_weight.double()
    for units, shift, before in zip(path[1:], shifts[1:], shifts, strict=False):
        given = units.given_spikes(spikes)
        gain += given.log_weight.double() + spikes.double() @ (shift - before)
        if units is not path[-1]:
            spikes = units.draw_spikes(given.sample, bias + shift.to(bias.dtype))
            gain -= units.given_spikes(spikes).log_weight.double()
    return gain, spikes
