"""Conditional RBMs over a frame, and the systems that hold one under a recurrent net.

Whatever the hidden units are (spikes; spikes and slabs), a frame v of such an RBM has the free energy

    F(v | u) = −b̃_vᵀ v − Σ softplus(ηᵢ(v)),        p(hᵢ = 1 | v, u) = σ(ηᵢ),

and everything that estimates or samples needs of it is a `Head`: η of v, a draw of the hidden units, and v's logits
given them.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.system import System

PREDICTION_CHAINS, PREDICTION_SWEEPS, BURN_IN = 10, 50, 20
"""Gibbs chains a frame behind `EnergySystem.predict`, their sweeps, and how many of those are not counted."""

Self = TypeVar("Self", bound="Head")


class Conditionals(NamedTuple):
    """What u_(n−1) says of frame n: b̃_v (batch, time, visible) and b̃_h (batch, time, hidden)."""

    visible_bias: Tensor
    hidden_bias: Tensor


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


class ConditionalRBM(Protocol):
    """What an `EnergySystem` needs of the module over its frames."""

    def start_from(self, frame_mean: Tensor) -> None:
        """As `System.start_from`."""
        ...

    def head(self) -> Head:
        """The present parameters, differentiable."""
        ...

    def hidden_scale(self) -> Tensor:
        """What the head's hidden units are to be multiplied by, (hidden,) or (): its slabs have unit precision."""
        ...

    def biases(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """b̃_v (..., visible) and b̃_h (..., hidden) for ``state`` (..., state)."""
        ...

    def slow_parameters(self) -> list[nn.Parameter]:
        """Those with a learning rate of their own (``weight_learning_rate``)."""
        ...


class EnergySystem(System):
    """A recurrent net whose state modulates an RBM over each frame; trained by contrastive divergence."""

    rbm: Any
    """A `ConditionalRBM`, of the type that the system declares."""
    state_dropout: nn.Dropout

    @abstractmethod
    def initial(self) -> Tensor:
        """u_0, (state,)."""

    @abstractmethod
    def states(self, frames: Tensor) -> Tensor:
        """u_0 … u_(N−1), the state before each frame of ``frames`` (batch, time, visible): (batch, time, state)."""

    @abstractmethod
    def advance(self, state: Tensor, frame: Tensor) -> Tensor:
        """The state that follows ``state`` (batch, state) after ``frame`` (batch, visible)."""

    @property
    def has_sampled_feed(self) -> bool:
        """Whether the recurrence draws hidden units: then a likelihood is for one draw of the latent path."""
        return False

    def forward(self, frames: Tensor) -> Conditionals:
        """The biases of every frame of ``frames`` (batch, time, visible), given the frames before it."""
        return Conditionals(*self.rbm.biases(self.state_dropout(self.states(frames))))

    def start_from(self, frame_mean: Tensor) -> None:
        """See `System.start_from`."""
        self.rbm.start_from(frame_mean)

    def contrast(self, frames: Tensor, fantasy: Tensor, conditionals: Conditionals) -> Tensor:
        """F(frames) − F(fantasy) per frame, (...): its gradient estimates that of the negative log-likelihood."""
        head = self.rbm.head()
        return free_energy(head, frames, *conditionals) - free_energy(head, fantasy, *conditionals)

    @torch.no_grad()
    def predict(self, frames: Tensor) -> Tensor:
        """See `System.predict`: marginals of p(v_n | u_(n−1)) by Gibbs chains that start at b̃_v and never see v_n."""
        head, conditionals = self.rbm.head(), self(frames)
        return torch.cat([_marginals(head, *part) for part in _chunks(conditionals)], dim=1)

    @torch.no_grad()
    def reconstruct(self, frames: Tensor) -> Tensor:
        """See `System.reconstruct`: one Gibbs step started at the observed frame, its last draw left out."""
        head, conditionals = self.rbm.head(), self(frames)
        hidden = head.draw_hidden(*head.spike_logits(frames, conditionals.hidden_bias))
        return torch.sigmoid(head.pitch_logits(hidden, conditionals.visible_bias))

    @torch.no_grad()
    def activations(self, frames: Tensor) -> Tensor:
        """See `System.activations`."""
        head = self.rbm.head()
        return self.rbm.hidden_scale() * head.mean_hidden(*head.spike_logits(frames, self(frames).hidden_bias))

    @torch.no_grad()
    def generate(self, count: int, sweeps: int = 25) -> Tensor:
        """See `System.generate`; each frame takes ``sweeps`` of Gibbs from the frame before it."""
        head = self.rbm.head()
        state = self.initial()[None]
        frame = state.new_zeros(1, len(head.weight))
        played: list[Tensor] = []
        for _ in range(count):
            biases = self.rbm.biases(state)
            for _ in range(sweeps):
                frame = head.sweep(frame, *biases)
            played.append(frame[0])
            state = self.advance(state, frame)
        return torch.stack(played)


def _chunks(conditionals: Conditionals, frames: int = 1024) -> list[tuple[Tensor, Tensor]]:
    """Cut (batch, time, …) along time, so that memory does not grow with the sequence."""
    return list(zip(*(bias.split(frames, dim=1) for bias in conditionals), strict=True))


def _marginals(head: Head, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """Mean of p(v | hidden) over chains and sweeps, the shape of ``visible_bias``."""
    start = torch.sigmoid(visible_bias).expand(PREDICTION_CHAINS, *visible_bias.shape)
    frame, total = torch.bernoulli(start), torch.zeros_like(visible_bias)
    for sweep in range(PREDICTION_SWEEPS):
        hidden = head.draw_hidden(*head.spike_logits(frame, hidden_bias))
        probability = torch.sigmoid(head.pitch_logits(hidden, visible_bias))
        if sweep >= BURN_IN:
            total += probability.mean(0)
        frame = torch.bernoulli(probability)
    return total / (PREDICTION_SWEEPS - BURN_IN)
