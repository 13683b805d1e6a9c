"""The annealing path that AIS, its reverse and RAISE share: from a factorised base to the RBM of every frame.

    p*_β(v) = exp([(1 − β) b_0 + β b̃_v]ᵀ v) Π (1 + exp(β ηᵢ(v))),      Z_0 = 2^H Π (1 + exp(b_0ⱼ)).

Block Gibbs with the whole energy at inverse temperature β leaves p_β invariant, and is reversible in v: the reverse of
a transition is the same transition. Each gain log p*_β' − log p*_β is taken *before* the transition at β'; taken after
it, the estimates err. Gains are summed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.likelihood.sweep import Sweeper, tiles
from cgrnn_train.models.head import Head

Watch = Callable[[int, slice, Tensor], None]
"""Called with the place on the path, some rows and their v, (chains, rows, visible), a buffer of the next sweep too."""


class Annealed(NamedTuple):
    """Chains at the end of a path.

    Attributes:
        gain: the sum of the gains of each, (chains, frames) float64.
        frames: where they are, (chains, frames, visible).
    """

    gain: Tensor
    frames: Tensor


class AnnealingPath:
    """The path of some frames.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        temperatures: steps from β = 0 to β = 1, evenly spaced.
        base: b_0, (frames, visible); `base_bias` where not given. It must not depend on the frames that are scored.
    """

    def __init__(
        self, head: Head, visible_bias: Tensor, hidden_bias: Tensor, temperatures: int, base: Tensor | None = None
    ) -> None:
        self.head, self.hidden_bias = head, hidden_bias
        self.base = base_bias(head, visible_bias, hidden_bias) if base is None else base
        self.tilt = visible_bias - self.base
        self.betas: list[float] = torch.linspace(0, 1, temperatures + 1, dtype=torch.float64).tolist()

    @property
    def log_base_partition(self) -> Tensor:
        """log Z_0, (frames,) float64."""
        return F.softplus(self.base.double()).sum(-1) + self.hidden_bias.shape[-1] * math.log(2)

    def draw_base(self, chains: int) -> Tensor:
        """Exact samples of p_0, (chains, frames, visible)."""
        return _draw(self.base.expand(chains, -1, -1))

    def ascend(self, frames: Tensor, watch: Watch = lambda step, rows, frame: None) -> Annealed:
        """Anneal ``frames`` (chains, frames, visible) from β = 0 to 1.

        From exact samples of p_0, E[exp(gain)] = Z / Z_0, and the ends weighted by exp(gain) are samples of p_1.
        ``watch`` is told of every sweep; there is none at β = 1.
        """
        return self._anneal(frames, self.betas, watch)

    def descend(self, frames: Tensor) -> Annealed:
        """Anneal ``frames`` (chains, frames, visible) from β = 1 to 0.

        From exact samples of p_1, E[exp(gain)] = Z_0 / Z.
        """
        return self._anneal(frames, self.betas[::-1])

    @torch.no_grad()
    def _anneal(self, frames: Tensor, betas: list[float], watch: Watch = lambda step, rows, frame: None) -> Annealed:
        chains, count, _ = frames.shape
        gain, ends = frames.new_zeros(chains, count, dtype=torch.float64), torch.empty_like(frames)
        for rows in tiles(chains, count, frames.device):
            gain[:, rows], ends[:, rows] = self._anneal_tile(frames[:, rows].contiguous(), rows, betas, watch)
        return Annealed(gain, ends)

    def _anneal_tile(self, frame: Tensor, rows: slice, betas: list[float], watch: Watch) -> Annealed:
        base, tilt = self.base[rows], self.tilt[rows]
        sweeper = Sweeper(self.head, self.hidden_bias[rows], len(frame))
        gain = torch.zeros(frame.shape[:2], dtype=torch.float64, device=frame.device)
        for step, (previous, beta) in enumerate(pairwise(betas), start=1):
            sweeper.look(frame, beta)
            gain += sweeper.softplus_gain(previous)
            gain += (beta - previous) * (frame * tilt).sum(-1)
            if beta != betas[-1]:
                frame = sweeper.draw(base + beta * tilt)
                watch(step, rows, frame)
        return Annealed(gain, frame)


def base_bias(head: Head, visible_bias: Tensor, hidden_bias: Tensor, *, chains: int = 16, sweeps: int = 20) -> Tensor:
    """The logits of a factorised base near the model: pitch marginals of short Gibbs chains, smoothed.

    Any base gives a consistent estimate, so the chains need not have mixed; a near one makes the weights even.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        chains: chains a frame.
        sweeps: sweeps of each, of which the later half is counted.

    Returns:
        (frames, visible).
    """
    frame = _draw(visible_bias.expand(chains, -1, -1))
    total = torch.zeros_like(visible_bias)
    for sweep in range(sweeps):
        frame = head.sweep(frame, visible_bias, hidden_bias)
        if sweep >= sweeps // 2:
            total += frame.mean(0)
    marginal = total / (sweeps - sweeps // 2)
    own = torch.sigmoid(visible_bias)
    return torch.logit((0.98 * marginal + 0.02 * own).clamp(1e-6, 1 - 1e-6))


def _draw(logits: Tensor) -> Tensor:
    return (torch.rand_like(logits) < torch.sigmoid(logits)).to(logits.dtype)
