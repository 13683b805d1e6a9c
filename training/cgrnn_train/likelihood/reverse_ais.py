"""Reverse AIS of log Z, and the sandwich: bidirectional Monte Carlo (Grosse, Ghahramani and Adams 2015).

A chain that starts at a sample of the model and descends to the base (`path.AnnealingPath.descend`) has a weight w with
E[w] = Z_0 / Z. So 1/Z is estimated without bias by the mean over chains, and log Z by

    log Ẑ = log Z_0 − log mean w,      E[log Ẑ] ≥ log Z:      the likelihood −F − log Ẑ is **under-estimated**.

With AIS, which errs the other way, the truth is sandwiched. **The promise holds for exact starts only**: samples by
enumeration, or data that the model itself generated. `annealed_starts` makes them of the weighted ends of AIS chains;
they are a heuristic, for chains that all missed a mode give a bound that may be on the wrong side, and are to be said
to be. (Gibbs runs from the base are a worse one: in sharp models a thousand sweeps do not mix.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cgrnn_train.likelihood.ais import LogMean, log_mean
from cgrnn_train.likelihood.path import Annealed, AnnealingPath
from cgrnn_train.likelihood.sweep import gibbs
from cgrnn_train.models.head import Head
from cgrnn_train.models.resampling import systematic_ancestors


@dataclass(frozen=True, slots=True)
class Sandwich:
    """log Z of each frame from both sides.

    Attributes:
        forward: by AIS, below log Z in expectation.
        reverse: by reverse AIS, above log Z in expectation if the starts were exact.
        gap: reverse − forward, (frames,) float64; single frames may be negative by chance.
    """

    forward: LogMean
    reverse: LogMean
    gap: Tensor


@torch.no_grad()
def reverse_ais_log_partition(
    head: Head,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    start: Tensor,
    temperatures: int = 1000,
) -> LogMean:
    """Estimate log Z of each frame from above; the likelihood that follows errs low (Grosse et al. 2015, section 3).

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        start: independent samples of p(v | u) of each frame, (chains, frames, visible); the bound is one only if exact.
        temperatures: steps on the path, evenly spaced.

    Returns:
        Estimates in nats; the standard error and effective sample size are those of the mean of w ∝ 1/Ẑ.
    """
    return _reverse(AnnealingPath(head, visible_bias, hidden_bias, temperatures), start)


@torch.no_grad()
def sandwich(
    head: Head,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    start: Tensor,
    temperatures: int = 1000,
) -> Sandwich:
    """Forward and reverse AIS on the same path with as many chains: log Z from below and from above.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        start: as in `reverse_ais_log_partition`.
        temperatures: steps on the path, evenly spaced.
    """
    path = AnnealingPath(head, visible_bias, hidden_bias, temperatures)
    forward = log_mean(path.log_base_partition + path.ascend(path.draw_base(len(start))).gain)
    reverse = _reverse(path, start)
    return Sandwich(forward, reverse, reverse.value - forward.value)


@torch.no_grad()
def annealed_starts(
    head: Head, visible_bias: Tensor, hidden_bias: Tensor, annealed: Annealed, *, sweeps: int = 100
) -> Tensor:
    """Starts from the ends of AIS chains, drawn again by their weights and then moved by Gibbs: a heuristic.

    They are samples of the model in the limit of many temperatures.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        annealed: what `ais.ais` returned for these, with more temperatures than the reverse chains are to have.
        sweeps: block Gibbs sweeps of each, which part chains that were drawn twice.

    Returns:
        As many as there are chains, (chains, frames, visible).
    """
    ancestors = systematic_ancestors(annealed.gain.T).T  # (chains, frames)
    start = annealed.frames.gather(0, ancestors[..., None].expand_as(annealed.frames))
    return gibbs(head, start, visible_bias, hidden_bias, sweeps)


def _reverse(path: AnnealingPath, start: Tensor) -> LogMean:
    inverse = log_mean(path.descend(start).gain - path.log_base_partition)  # log 1/Ẑ
    return LogMean(-inverse.value, inverse.standard_error, inverse.effective_sample_size)
