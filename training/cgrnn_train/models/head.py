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
    def draw_hidden(self, drive: Tensor, logits: Tensor, beta: float = 1.0) -> Tensor:
        """Draw what v sees of the hidden units, (..., hidden), given what `spike_logits` gave of v."""

    @abstractmethod
    def mean_hidden(self, drive: Tensor, logits: Tensor) -> Tensor:
        """The mean of `draw_hidden`, (..., hidden)."""

    def pitch_logits(self, hidden: Tensor, visible_bias: Tensor, beta: float = 1.0) -> Tensor:
        """The logits of p(v | hidden), (..., visible); ``visible_bias`` as in `sweep`."""
        return beta * (hidden @ self.weight.T) + visible_bias

    def draw_frame(self, drive: Tensor, logits: Tensor, visible_bias: Tensor, beta: float = 1.0) -> Tensor:
        """The second half of `sweep`, from what `spike_logits` gave: draw the hidden units and then v."""
        pitch_logits = self.pitch_logits(self.draw_hidden(drive, logits, beta), visible_bias, beta)
        return (torch.rand_like(pitch_logits) < torch.sigmoid(pitch_logits)).to(drive.dtype)

    def sweep(self, frame: Tensor, visible_bias: Tensor, hidden_bias: Tensor, beta: float = 1.0) -> Tensor:
        """Draw the hidden units | v and then v | them: block Gibbs, the whole energy at inverse temperature ``beta``.

        Args:
            frame: v, (..., visible) of 0 and 1.
            visible_bias: b̃_v already multiplied by ``beta`` (or the annealed bias of an AIS path), (..., visible).
            hidden_bias: b̃_h, (..., hidden).
            beta: the inverse temperature of everything but the visible bias.

        Returns:
            The next v, (..., visible).
        """
        return self.draw_frame(*self.spike_logits(frame, hidden_bias), visible_bias, beta)

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
