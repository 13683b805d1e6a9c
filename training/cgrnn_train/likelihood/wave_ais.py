"""Annealed importance sampling of log Z(b̃_h) for the conditional RBM over whitened frames of sound.

The paper found AIS unstable here, for nothing bounds the samples between its two ends. On this path every RBM is
normalisable: W grows from 0 to its own value and I − WWᵀ stays positive definite (`ContinuousFrames.path`), while b̃_h
and m are what they are all along. So p_0 = N(0, I), log Z_0 = Σ softplus(b̃_h) in units of (2π)^(D/2), and

    log p*_t(x) − log p*_(t−1)(x) = Σ softplus(ηₜ(x)) − softplus(ηₜ₋₁(x)),

taken before the transition at t: h | x, then x | h with the slabs integrated out. E[Ẑ] = Z: a likelihood errs high.
From exact samples of p_T the same path downwards gives 1/Z without bias: a likelihood that errs low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.likelihood.ais import LogMean, log_mean
from cgrnn_train.models.resampling import systematic_ancestors
from cgrnn_train.models.wave_units import WaveUnits

VERSION = "AIS over whitened frames, 1"
"""Of this estimate: kept chunks of another are not gone on with."""

TILE_ROWS = 1024
"""Chains that are swept together: each has a matrix of the hidden units' size."""


@dataclass(frozen=True, slots=True)
class WaveAnnealed:
    """Chains at the end of the path, and what they say.

    Attributes:
        partition: log Z in units of (2π)^(D/2), for each row.
        mean: E[x], (rows, visible) float64.
        frames: x where the chains end, (chains, rows, visible).
        log_weights: of the chains, (chains, rows) float64.
    """

    partition: LogMean
    mean: Tensor
    frames: Tensor
    log_weights: Tensor


@torch.no_grad()
def wave_ais(path: Sequence[WaveUnits], hidden_bias: Tensor, *, chains: int) -> WaveAnnealed:
    """Anneal ``chains`` of each row of ``hidden_bias`` (rows, hidden) along ``path``, whose first W is 0."""
    rows, visible = len(hidden_bias), path[0].weight.shape[0]
    bias = hidden_bias.expand(chains, -1, -1).reshape(chains * rows, -1)
    start = bias.new_empty(len(bias), visible).normal_()
    gain, ends = _anneal(path, start, bias)
    means = torch.cat(
        [
            path[-1].given_spikes(path[-1].draw_spikes(frame, own)).mean
            for frame, own in zip(ends.split(TILE_ROWS), bias.split(TILE_ROWS), strict=True)
        ]
    )
    log_weights = gain.view(chains, rows) + F.softplus(hidden_bias.double()).sum(-1)
    share = torch.softmax(log_weights, 0)
    mean = torch.einsum("cr,crv->rv", share, means.view(chains, rows, visible).double())
    return WaveAnnealed(log_mean(log_weights), mean, ends.view(chains, rows, visible), log_weights)


@torch.no_grad()
def reverse_wave_ais(path: Sequence[WaveUnits], hidden_bias: Tensor, *, start: Tensor) -> LogMean:
    """log Z of each row of ``hidden_bias`` (rows, hidden) from above, by chains that descend from ``start``.

    Args:
        path: as for `wave_ais`.
        hidden_bias: b̃_h.
        start: x, (chains, rows, visible), samples of p(x | b̃_h): a bound only if they are exact.
    """
    chains, rows, visible = start.shape
    bias = hidden_bias.expand(chains, -1, -1).reshape(chains * rows, -1)
    gain, _ = _anneal(path[::-1], start.reshape(-1, visible), bias)
    inverse = log_mean(gain.view(chains, rows) - F.softplus(hidden_bias.double()).sum(-1))
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
        x, (chains, rows, visible).
    """
    ancestors = systematic_ancestors(annealed.log_weights.T).T  # (chains, rows)
    start = annealed.frames.gather(0, ancestors[..., None].expand_as(annealed.frames))
    bias = hidden_bias.expand(len(start), -1, -1).flatten(0, 1)
    moved: list[Tensor] = []
    for frame, own in zip(start.flatten(0, 1).split(TILE_ROWS), bias.split(TILE_ROWS), strict=True):
        for _ in range(sweeps):
            frame = units.given_spikes(units.draw_spikes(frame, own)).sample
        moved.append(frame)
    return torch.cat(moved).view_as(start)


def _anneal(path: Sequence[WaveUnits], frames: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Move ``frames`` x (rows, visible) from the first of ``path`` to its last; their gains (rows,) float64, and x."""
    gains, ends = list[Tensor](), list[Tensor]()
    for frame, own in zip(frames.split(TILE_ROWS), bias.split(TILE_ROWS), strict=True):
        gain = frame.new_zeros(len(frame), dtype=torch.float64)
        for before, after in pairwise(path):
            (_, old), (_, new) = before.look(frame, own), after.look(frame, own)
            gain += (F.softplus(new) - F.softplus(old)).double().sum(-1)
            if after is not path[-1]:
                spikes = (torch.rand_like(new) < torch.sigmoid(new)).to(new.dtype)
                frame = after.given_spikes(spikes).sample
        gains.append(gain)
        ends.append(frame)
    return torch.cat(gains), torch.cat(ends)
