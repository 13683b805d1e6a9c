"""The hidden units of a conditional RBM over whitened samples of sound, x (`cgrnn_train.models.continuous`).

Slabs, the continuous C-ssRBM, every slab of unit precision (only W/√α enters; see `cgrnn_train.models.cssrbm`):

    E(x, h, s) = ½ xᵀx + ½ sᵀs − Σ (Wᵀx)ᵢ sᵢ hᵢ − b̃_hᵀh + ½ Σ mᵢ² hᵢ − Σ mᵢ sᵢ hᵢ
    y = Wᵀx + m,      η = ½ y² − ½ m² + b̃_h,      p(hᵢ = 1 | x) = σ(ηᵢ),      sᵢ | x, h ~ N(hᵢ yᵢ, 1)
    x | h ~ N(P⁻¹ W(m∘h), P⁻¹),      P = I − W diag(h) Wᵀ

P is positive definite for every h if I − WWᵀ is: then Z is finite. It is for the W of any R (visible, hidden),

    W = R C⁻ᵀ,      CCᵀ = I + RᵀR,      so that      I − WWᵀ = (I + RRᵀ)⁻¹:

with all spikes on the covariance of x is I + RRᵀ. Computations take P as what that is and the silent spikes S add,

    P = L⁻ᵀ (I + V_S V_Sᵀ) L⁻¹,      LLᵀ = I + RRᵀ,      V = LᵀW,      VᵀV = CᵀC − I,

for a factor of I + V_SᵀV_S needs no difference of numbers that are nearly one, as I − W_AᵀW_A does.

Spikes alone, the Gaussian RBM:   E(x, h) = ½ xᵀx − b̃_hᵀh − xᵀWh,      η = Wᵀx + b̃_h,      x | h ~ N(Wh, I).

In both F(x) = ½ xᵀx − Σ softplus(ηᵢ) up to constants: D/2 log 2π of x|h at W = 0 is left out, as everywhere, *with*
its sign: Z is in units of (2π)^(D/2), and so `ContinuousFrames.free_energy` adds it back.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

Self = TypeVar("Self", bound="WaveUnits")

ROWS_AT_ONCE = 64
"""Of which factors are computed together: their matrices stay in the cache (1.7 times as fast at 150 hidden)."""


@dataclass(frozen=True)
class WaveUnits(ABC):
    """An RBM's parameters but for b̃_h, over whitened frames x.

    Attributes:
        raw: what W is made of, (visible, hidden): R, or W itself where there are no slabs.
    """

    raw: Tensor

    @cached_property
    def weight(self) -> Tensor:
        """W, (visible, hidden)."""
        return self._weight()

    @abstractmethod
    def _weight(self) -> Tensor:
        """W of `raw`."""

    def look(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y, η) of ``frame`` (..., visible) and ``hidden_bias`` (..., hidden); both (..., hidden)."""
        return self.answer(frame @ self.weight, hidden_bias)

    @abstractmethod
    def answer(self, pull: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y, η) of ``pull`` Wᵀx and ``hidden_bias``, (..., hidden) each; both (..., hidden)."""

    @abstractmethod
    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """E[h∘s | x], or E[h | x] where there are no slabs, (..., hidden)."""

    @abstractmethod
    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """Draw h∘s, or h, given x, (..., hidden)."""

    def given_hidden(self, hidden: Tensor) -> Tensor:
        """Draw x (..., visible) given ``hidden``, h∘s or h (..., hidden)."""
        mean = hidden @ self.weight.T
        return mean + torch.randn_like(mean)

    @abstractmethod
    def given_spikes(self, spikes: Tensor) -> GivenSpikes:
        """What ``spikes`` h (rows, hidden) of 0 and 1 say of x."""

    @abstractmethod
    def alone(self) -> Tensor:
        """`GivenSpikes.log_weight` of each h with one spike, (hidden,) float64."""

    def free_energy(self, frame: Tensor, hidden_bias: Tensor) -> Tensor:
        """F(x) = ½ xᵀx − Σ softplus(η), (...)."""
        _, logits = self.look(frame, hidden_bias)
        return 0.5 * frame.square().sum(-1) - F.softplus(logits).sum(-1)

    def double(self: Self) -> Self:
        """The same units in float64."""
        return dataclasses.replace(
            self, **{field.name: getattr(self, field.name).double() for field in dataclasses.fields(self)}
        )

    def draw_spikes(self, frame: Tensor, hidden_bias: Tensor) -> Tensor:
        """h given x, (..., hidden) of 0 and 1."""
        _, logits = self.look(frame, hidden_bias)
        return (torch.rand_like(logits) < torch.sigmoid(logits)).to(logits.dtype)


class GivenSpikes(NamedTuple):
    """p(x | h) of some rows.

    Attributes:
        mean: of x, (rows, visible).
        sample: a draw of x, (rows, visible).
        log_weight: log ∫ exp(−E) dx ds but for b̃_hᵀh, (rows,), in units of (2π)^(D/2).
    """

    mean: Tensor
    sample: Tensor
    log_weight: Tensor


@dataclass(frozen=True)
class WaveSlabs(WaveUnits):
    """Spikes with slabs of unit precision.

    Attributes:
        offset: m, (hidden,).
    """

    offset: Tensor

    @cached_property
    def hidden_factor(self) -> Tensor:
        """C, (hidden, hidden)."""
        return torch.linalg.cholesky(_eye_like(self.raw.mT) + self.raw.mT @ self.raw)

    def _weight(self) -> Tensor:
        """See `WaveUnits.weight`."""
        return torch.linalg.solve_triangular(self.hidden_factor.mT, self.raw, upper=True, left=False)

    @cached_property
    def factor(self) -> Tensor:
        """L, (visible, visible)."""
        return torch.linalg.cholesky(_eye_like(self.raw) + self.raw @ self.raw.mT)

    @cached_property
    def seen(self) -> Tensor:
        """V, (visible, hidden)."""
        return self.factor.mT @ self.weight

    def answer(self, pull: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """See `WaveUnits.answer`."""
        drive = pull + self.offset
        return drive, 0.5 * (drive.square() - self.offset.square()) + hidden_bias

    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """E[h∘s | x]."""
        return torch.sigmoid(logits) * drive

    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """Draw h∘s | x."""
        spikes = torch.rand_like(logits) < torch.sigmoid(logits)
        return (drive + torch.randn_like(drive)) * spikes

    def given_spikes(self, spikes: Tensor) -> GivenSpikes:
        """See `WaveUnits.given_spikes`.

        x = Ly, where y has the precision I + V_S V_Sᵀ: it is standard normal noise e, seen through V_Sᵀ with unit noise
        n, and found to be V_Sᵀe + n = 0. So with M = I + V_SᵀV_S, which is of the hidden units' size,

            y = z − V_S M⁻¹ (V_Sᵀz + n),      z = V(m∘h) + e,      and its mean has e = n = 0.
        """
        gram = self.hidden_factor.mT @ self.hidden_factor - _eye_like(self.hidden_factor)  # VᵀV
        parts = [self._given_spikes(rows, gram) for rows in spikes.split(ROWS_AT_ONCE)]
        return GivenSpikes(*(torch.cat(field) for field in zip(*parts, strict=True)))

    def _given_spikes(self, spikes: Tensor, gram: Tensor) -> GivenSpikes:
        """`given_spikes` of few rows; ``gram`` is VᵀV."""
        silent = 1 - spikes
        factor = torch.linalg.cholesky(silent[:, :, None] * gram * silent[:, None, :] + _eye_like(gram))  # of M
        pull = (spikes * self.offset) @ self.seen.mT
        moved = torch.stack([pull, pull + torch.randn_like(pull)], dim=1)  # z, without and with noise
        noise = torch.stack([torch.zeros_like(spikes), torch.randn_like(spikes)], dim=1)
        found = (moved @ self.seen + noise) * silent[:, None]
        back = torch.cholesky_solve(found.mT, factor).mT * silent[:, None]
        mean, drawn = ((moved - back @ self.seen.mT) @ self.factor.mT).unbind(1)  # each (rows, visible)
        log_weight = (
            0.5 * ((mean @ self.weight) * spikes) @ self.offset
            + self.factor.diagonal().log().sum()
            - factor.diagonal(dim1=1, dim2=2).log().sum(1)
        )
        return GivenSpikes(mean, drawn, log_weight)

    def alone(self) -> Tensor:
        """See `WaveUnits.alone`."""
        double = self.double()
        rest = 1 - double.weight.square().sum(0)  # G of one spike
        return 0.5 * (double.offset.square() * (1 / rest - 1) - rest.log())


@dataclass(frozen=True)
class WaveSpikes(WaveUnits):
    """Spikes alone: a Gaussian RBM."""

    def _weight(self) -> Tensor:
        """See `WaveUnits.weight`."""
        return self.raw

    def answer(self, pull: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """See `WaveUnits.answer`; y is η."""
        logits = pull + hidden_bias
        return logits, logits

    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """E[h | x]."""
        return torch.sigmoid(logits)

    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """Draw h | x."""
        return (torch.rand_like(logits) < torch.sigmoid(logits)).to(logits.dtype)

    def given_spikes(self, spikes: Tensor) -> GivenSpikes:
        """See `WaveUnits.given_spikes`."""
        mean = spikes @ self.weight.T
        return GivenSpikes(mean, mean + torch.randn_like(mean), 0.5 * mean.square().sum(-1))

    def alone(self) -> Tensor:
        """See `WaveUnits.alone`."""
        return 0.5 * self.weight.double().square().sum(0)


def raw_of(weight: Tensor) -> Tensor:
    """The R of which ``weight`` W (visible, hidden) is made; W's singular values must be below 1."""
    inverse = torch.linalg.cholesky(_eye_like(weight.mT) - weight.mT @ weight)  # C⁻¹
    return torch.linalg.solve_triangular(inverse, weight.mT, upper=False).mT


def _eye_like(matrix: Tensor) -> Tensor:
    """The identity that can be added to ``matrix`` times its transpose."""
    return torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
