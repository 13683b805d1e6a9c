"""A conditional RBM over one frame, as what samples and estimates sees it.

Whatever the hidden units are (spikes; spikes and slabs), a frame v of such an RBM has the free energy

    F(v | u) = −b̃_vᵀ v − Σ softplus(ηᵢ(v)),        p(hᵢ = 1 | v, u) = σ(ηᵢ),

and everything that estimates or samples needs of it is a `Head`: η of v, a draw of the hidden units, and v's logits
given them.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

Self = TypeVar("Self", bound="Head")


@dataclass(frozen=True)
class Head(ABC):
    """An RBM's parameters but for the biases that u modulates, in the form that sampling is cheapest in.

    Attributes:
        weight: (visible, hidden).
    """

    weight: Tensor

    @abstractmethod
    def spike_logits(self, frame: Tensor, hidden_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y, η) of ``frame`` (..., visible) and ``hidden_bias`` (..., hidden); both (..., hidden).

        y is what `draw_hidden` needs besides η.
        """

    @abstractmethod
    def draw_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """Draw what v sees of the hidden units, (..., hidden), given what `spike_logits` gave of v."""

    @abstractmethod
    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """The mean of `draw_hidden`, (..., hidden)."""

    def pitch_logits(self, hidden: Tensor, visible_bias: Tensor) -> Tensor:
        """The logits of p(v | hidden), (..., visible); ``visible_bias`` is b̃_v."""
        return hidden @ self.weight.T + visible_bias

    def sweep(self, frame: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
        """Draw the hidden units | v and then v | them: block Gibbs. `likelihood.sweep.Sweeper` is the fast one.

        Args:
            frame: v, (..., visible) of 0 and 1.
            visible_bias: b̃_v, (..., visible).
            hidden_bias: b̃_h, (..., hidden).

        Returns:
            The next v, (..., visible).
        """
        pitch_logits = self.pitch_logits(self.draw_hidden(*self.spike_logits(frame, hidden_bias)), visible_bias)
        return (torch.rand_like(pitch_logits) < torch.sigmoid(pitch_logits)).to(frame.dtype)

    def double(self: Self) -> Self:
        """The same head in float64."""
        return dataclasses.replace(
            self, **{field.name: getattr(self, field.name).double() for field in dataclasses.fields(self)}
        )


def free_energy(head: Head, frame: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """F(v | u) but for constants that cancel in every likelihood (`cssrbm.slab_constant`).

    Args:
        head: the RBM.
        frame: v, (..., visible).
        visible_bias: b̃_v, (..., visible).
        hidden_bias: b̃_h, (..., hidden).

    Returns:
        (...).
    """
    _, logits = head.spike_logits(frame, hidden_bias)
    return -(frame * visible_bias).sum(-1) - F.softplus(logits).sum(-1)
