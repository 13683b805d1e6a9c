"""The hidden units of a conditional RBM over pitches: spikes with slabs, or spikes alone, each a `Head`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cgrnn_train.models.head import Head


class Slabs(NamedTuple):
    """The uncentred parameters of a C-ssRBM that do not depend on the state u.

    Attributes:
        weight: W, (visible, hidden).
        precision: α > 0, (hidden,).
        mean: μ, (hidden,).
    """

    weight: Tensor
    precision: Tensor
    mean: Tensor


@dataclass(frozen=True)
class UnitSlabs(Head):
    """A C-ssRBM rescaled so that every slab has unit precision; see `cgrnn_train.models.cssrbm`.

    Attributes:
        weight: W̃ = W / √α, (visible, hidden).
        offset: m = √α μ, (hidden,).
    """

    offset: Tensor

    @classmethod
    def of(cls, slabs: Slabs) -> UnitSlabs:
        """Rescale ``slabs``; exact."""
        root = slabs.precision.sqrt()
        return cls(slabs.weight / root, slabs.mean * root)

    def spike_logits(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """See `Head.spike_logits`."""
        drive = frame @ self.weight + self.offset
        return drive, 0.5 * (drive.square() - self.offset.square()) + hidden_bias

    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """√α s∘h, (..., hidden)."""
        spikes = torch.rand_like(logits) < torch.sigmoid(logits)
        return (drive + torch.randn_like(drive)) * spikes

    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """√α E[h∘s | v, u], (..., hidden)."""
        return torch.sigmoid(logits) * drive


@dataclass(frozen=True)
class Spikes(Head):
    """Hidden units of 0 and 1."""

    def spike_logits(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """See `Head.spike_logits`; y is η."""
        logits = frame @ self.weight + hidden_bias
        return logits, logits

    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """h, (..., hidden)."""
        return (torch.rand_like(logits) < torch.sigmoid(logits)).to(logits.dtype)

    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """E[h | v, u], (..., hidden)."""
        return torch.sigmoid(logits)
