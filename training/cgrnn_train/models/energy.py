"""The systems that hold a conditional RBM, a `Head`, under a recurrent net."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from cgrnn_train.likelihood.summed import summed_ais
from cgrnn_train.models.head import Head, free_energy
from cgrnn_train.models.system import System

PREDICTION_TEMPERATURES, PREDICTION_CHAINS = 100, 16
"""Of the annealing behind `EnergySystem.predict`."""

FRAMES_TOGETHER = 256
"""That `EnergySystem.predict` anneals: bounds its memory."""


class Conditionals(NamedTuple):
    """What u_(n−1) says of frame n: b̃_v (batch, time, visible) and b̃_h (batch, time, hidden)."""

    visible_bias: Tensor
    hidden_bias: Tensor


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
        """See `System.predict`: the marginals of p(v_n | u_(n−1)) by annealed chains, which never see v_n.

        With a sampled feed u is that of one latent path; `particle_filter` weighs many by the frames before.
        """
        head, conditionals = self.rbm.head(), self(frames)
        parts = zip(*(bias.flatten(0, 1).split(FRAMES_TOGETHER) for bias in conditionals), strict=True)
        return torch.cat([_marginals(head, *part) for part in parts]).view_as(conditionals.visible_bias)

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


def _marginals(head: Head, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    return summed_ais(
        head, visible_bias, hidden_bias, temperatures=PREDICTION_TEMPERATURES, chains=PREDICTION_CHAINS
    ).marginals
