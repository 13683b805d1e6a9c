"""The hidden units of a conditional RBM over whitened samples of sound, x (`cgrnn_train.models.continuous`).

Slabs, the continuous C-ssRBM, every slab of unit precision (only W/√α enters; see `cgrnn_train.models.cssrbm`):

    E(x, h, s) = ½ xᵀx + ½ sᵀs − Σ (Wᵀx)ᵢ sᵢ hᵢ − b̃_hᵀh + ½ Σ mᵢ² hᵢ − Σ mᵢ sᵢ hᵢ
    y = Wᵀx + m,      η = ½ y² − ½ m² + b̃_h,      p(hᵢ = 1 | x) = σ(ηᵢ),      sᵢ | x, h ~ N(hᵢ yᵢ, 1)
    x | h ~ N(P⁻¹ W(m∘h), P⁻¹),      P = I − W diag(h) Wᵀ

P is positive definite for every h if I − WWᵀ is: then Z is finite. `contraction` gives a W for which that holds.

Spikes alone, the Gaussian RBM:   E(x, h) = ½ xᵀx − b̃_hᵀh − xᵀWh,      η = Wᵀx + b̃_h,      x | h ~ N(Wh, I).

In both F(x) = ½ xᵀx − Σ softplus(ηᵢ) up to constants: D/2 log 2π of x|h at W = 0 is left out, as everywhere, *with*
its sign: Z is in units of (2π)^(D/2), and so `ContinuousFrames.free_energy` adds it back.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

Self = TypeVar("Self", bound="WaveUnits")

ROWS_AT_ONCE = 64
"""Of which factors are computed together: their matrices stay in the cache (2.6 times faster with 150 hidden units)."""


@dataclass(frozen=True)
class WaveUnits(ABC):
    """An RBM's parameters but for b̃_h, over whitened frames x.

    Attributes:
        weight: W, (visible, hidden).
    """

    weight: Tensor

    @abstractmethod
    def look(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y, η) of ``frame`` (..., visible) and ``hidden_bias`` (..., hidden); both (..., hidden)."""

    @abstractmethod
    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """E[h∘s | x], or E[h | x] where there are no slabs, (..., hidden)."""

    @abstractmethod
    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """Draw h∘s, or h, given x, (..., hidden)."""

    @abstractmethod
    def given_spikes(self, spikes: Tensor) -> GivenSpikes:
        """What ``spikes`` h (rows, hidden) of 0 and 1 say of x."""

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

    def look(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """See `WaveUnits.look`."""
        drive = frame @ self.weight + self.offset
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

        With x integrated out the slabs of the active spikes are Gaussian of precision G = I − W_AᵀW_A and mean
        G⁻¹ m_A; then x | s ~ N(W_A s_A, I). G is of the hidden units' size, the same for all rows but for which
        columns count; those of silent spikes are the identity's.
        """
        gram = self.weight.T @ self.weight
        parts = [self._given_spikes(rows, gram) for rows in spikes.split(ROWS_AT_ONCE)]
        return GivenSpikes(*(torch.cat(field) for field in zip(*parts, strict=True)))

    def _given_spikes(self, spikes: Tensor, gram: Tensor) -> GivenSpikes:
        """`given_spikes` of few rows; ``gram`` is WᵀW."""
        precision = spikes[:, :, None] * gram * spikes[:, None, :]
        precision = torch.eye(len(gram), dtype=gram.dtype, device=gram.device) - precision
        factor = torch.linalg.cholesky(precision)  # L, LLᵀ = G
        pull = torch.linalg.solve_triangular(factor, (spikes * self.offset)[:, :, None], upper=False)  # L⁻¹ m_A
        both = torch.cat([pull, pull + torch.randn_like(pull)], dim=2)
        slabs = torch.linalg.solve_triangular(factor.mT, both, upper=True) * spikes[:, :, None]
        mean, drawn = (slabs.mT @ self.weight.T).unbind(1)  # each (rows, visible)
        log_weight = (
            0.5 * pull.square().sum((1, 2))
            - factor.diagonal(dim1=1, dim2=2).log().sum(1)
            - 0.5 * (spikes @ self.offset.square())
        )
        return GivenSpikes(mean, drawn + torch.randn_like(drawn), log_weight)


@dataclass(frozen=True)
class WaveSpikes(WaveUnits):
    """Spikes alone: a Gaussian RBM."""

    def look(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """See `WaveUnits.look`; y is η."""
        logits = frame @ self.weight + hidden_bias
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


def contraction(raw: Tensor) -> Tensor:
    """W = L⁻¹R with LLᵀ = I + RRᵀ of ``raw`` R (visible, hidden): I − WWᵀ = L⁻¹L⁻ᵀ is positive definite for any R.

    With all spikes on, the covariance of x is then LᵀL: a singular value σ of R adds σ² to the unit variance.
    """
    identity = torch.eye(len(raw), dtype=raw.dtype, device=raw.device)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(identity + raw @ raw.T), raw, upper=False)
