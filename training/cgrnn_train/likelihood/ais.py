"""Annealed importance sampling of log Z for the C-ssRBM of every frame (Neal 2001; Salakhutdinov and Murray 2008).

The path runs from a factorised base, p_0(v) ∝ exp(b_0ᵀ v), to the model:

    p*_β(v) = exp([(1 − β) b_0 + β b̃_v]ᵀ v) Π (1 + exp(β ηᵢ(v))),      Z_0 = 2^H Π (1 + exp(b_0ⱼ)).

Block Gibbs with the whole energy at inverse temperature β leaves p_β invariant. Each weight log p*_β' − log p*_β is
taken *before* the transition at β'; taken after it, the estimate errs upwards. Sums are kept in float64.

E[Ẑ] = Z, therefore E[log Ẑ] ≤ log Z, and a likelihood −F − log Ẑ is **over-estimated** by about half the variance of
log Ẑ: print the number of temperatures, the effective sample size and the change at more temperatures beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.cssrbm import UnitSlabs


@dataclass(frozen=True, slots=True)
class LogPartition:
    """An estimate of log Z per frame, without the slabs' constant (see `cssrbm.free_energy`).

    Attributes:
        log_z: (frames,) float64.
        standard_error: of log Ẑ by the delta method, (frames,) float64.
        effective_sample_size: of the chains' weights, (frames,) float64, at most ``chains``.
    """

    log_z: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor


def ais_log_partition(
    unit: UnitSlabs,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    temperatures: int = 1000,
    chains: int = 64,
    chunk: int = 256,
    progress: Callable[[int], None] = lambda _: None,
) -> LogPartition:
    """Estimate log Z(u) of each frame.

    Args:
        unit: the C-ssRBM in unit slabs.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h of the uncentred parametrisation, (frames, hidden).
        temperatures: inverse temperatures on the path, evenly spaced.
        chains: independent chains a frame.
        chunk: frames annealed together: bounds the memory, changes the random numbers and nothing else.
        progress: called with the number of frames done since the last call.

    Returns:
        Estimates for all frames, on the CPU.
    """
    parts: list[Tensor] = []
    for start in range(0, len(visible_bias), chunk):
        rows = slice(start, start + chunk)
        parts.append(_log_weights(unit, visible_bias[rows], hidden_bias[rows], temperatures, chains).cpu())
        progress(parts[-1].shape[1])
    return summarise(torch.cat(parts, dim=1))


def summarise(log_weights: Tensor) -> LogPartition:
    """Log Z, its standard error and the effective sample size from ``log_weights`` (chains, frames)."""
    chains = len(log_weights)
    log_z = torch.logsumexp(log_weights, 0) - math.log(chains)
    relative = torch.exp(log_weights - log_z)  # weights over their mean
    error = relative.std(0) / math.sqrt(chains) if chains > 1 else torch.full_like(log_z, math.nan)
    return LogPartition(log_z, error, chains / relative.square().mean(0))


@torch.no_grad()
def _log_weights(unit: UnitSlabs, visible_bias: Tensor, hidden_bias: Tensor, temperatures: int, chains: int) -> Tensor:
    """Log importance weights including log Z_0, (chains, frames) float64."""
    base = base_bias(unit, visible_bias, hidden_bias)
    frame = (torch.rand(chains, *base.shape, device=base.device) < torch.sigmoid(base)).to(base.dtype)
    hidden = hidden_bias.shape[-1]
    log_weight = (F.softplus(base.double()).sum(-1) + hidden * math.log(2)).expand(chains, -1).clone()
    tilt = visible_bias - base
    betas = torch.linspace(0, 1, temperatures + 1, dtype=torch.float64).tolist()
    for previous, beta in zip(betas[:-1], betas[1:], strict=True):
        drive, logits = unit.spike_logits(frame, hidden_bias)
        log_weight += (F.softplus(beta * logits) - F.softplus(previous * logits)).sum(-1)
        log_weight += (beta - previous) * (frame * tilt).sum(-1)
        if beta < 1:
            frame = unit.draw_frame(drive, logits, base + beta * tilt, beta)
    return log_weight


def base_bias(
    unit: UnitSlabs, visible_bias: Tensor, hidden_bias: Tensor, *, chains: int = 16, sweeps: int = 20
) -> Tensor:
    """The logits of a factorised base near the model: pitch marginals of short Gibbs chains, smoothed; (frames,
    visible).

    Any base gives a consistent estimate, so the chains need not have mixed; a near one makes the weights even.
    """
    frame = (torch.rand(chains, *visible_bias.shape, device=visible_bias.device) < torch.sigmoid(visible_bias)).to(
        visible_bias.dtype
    )
    total = torch.zeros_like(visible_bias)
    for sweep in range(sweeps):
        frame = unit.sweep(frame, visible_bias, hidden_bias)
        if sweep >= sweeps // 2:
            total += frame.mean(0)
    marginal = total / (sweeps - sweeps // 2)
    own = torch.sigmoid(visible_bias)
    return torch.logit((0.98 * marginal + 0.02 * own).clamp(1e-6, 1 - 1e-6))
