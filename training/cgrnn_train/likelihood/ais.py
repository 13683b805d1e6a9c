"""Annealed importance sampling of log Z for the conditional RBM of every frame.

Neal 2001; for RBMs, Salakhutdinov and Murray 2008. The path is that of `cgrnn_train.likelihood.path`; the chains start
at exact samples of its base.

E[Ẑ] = Z, therefore E[log Ẑ] ≤ log Z, and a likelihood −F − log Ẑ is **over-estimated** by about half the variance of
log Ẑ: print the number of temperatures, the effective sample size and the change at more temperatures beside it.

The chains' ends, weighted, are samples of the model. `summed` makes more of the same chains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.likelihood.path import Annealed, AnnealingPath
from cgrnn_train.models.head import Head


@dataclass(frozen=True, slots=True)
class LogMean:
    """The log of the mean of a frame's chains' weights: log Z from AIS, log p(v | u) from RAISE.

    log Z is without the constants that `head.free_energy` leaves out.

    Attributes:
        value: (frames,) float64, nats.
        standard_error: of it by the delta method over chains, (frames,) float64; NaN for a single chain.
        effective_sample_size: of the chains' weights, (frames,) float64, at most ``chains``.
    """

    value: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor


@torch.no_grad()
def ais(
    head: Head, visible_bias: Tensor, hidden_bias: Tensor, *, temperatures: int, chains: int
) -> tuple[LogMean, Annealed]:
    """Anneal chains of all frames together: log Z, and where the chains end.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        temperatures: inverse temperatures on the path, evenly spaced.
        chains: independent chains a frame.
    """
    path = AnnealingPath(head, visible_bias, hidden_bias, temperatures)
    annealed = path.ascend(path.draw_base(chains))
    return log_mean(path.log_base_partition + annealed.gain), annealed


def ais_log_partition(
    head: Head,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    temperatures: int = 1000,
    chains: int = 64,
    chunk: int = 256,
    seed: int = 0,
) -> LogMean:
    """Estimate log Z(u) of each frame; the likelihood that follows errs high.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h of the uncentred parametrisation, (frames, hidden).
        temperatures: inverse temperatures on the path, evenly spaced.
        chains: independent chains a frame.
        chunk: frames annealed together: bounds the memory, changes the random numbers and nothing else.
        seed: of the random numbers; torch's global generators are left as they were.

    Returns:
        Estimates for all frames, on the CPU.
    """

    def estimate(rows: slice) -> dict[str, Tensor]:
        found, _ = ais(head, visible_bias[rows], hidden_bias[rows], temperatures=temperatures, chains=chains)
        return {field: getattr(found, field) for field in LogMean.__dataclass_fields__}

    return LogMean(**in_chunks(len(visible_bias), chunk, estimate, seed=seed))


def log_mean(log_weights: Tensor) -> LogMean:
    """The log of the mean weight of each frame from ``log_weights`` (chains, frames)."""
    chains = len(log_weights)
    value = torch.logsumexp(log_weights, 0) - math.log(chains)
    relative = torch.exp(log_weights - value)  # weights over their mean
    error = relative.std(0) / math.sqrt(chains) if chains > 1 else torch.full_like(value, math.nan)
    return LogMean(value, error, chains / relative.square().mean(0))
