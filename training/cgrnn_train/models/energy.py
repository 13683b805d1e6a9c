"""The systems that hold a conditional RBM under a recurrent net."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from cgrnn_train.models.conditional import Conditionals, each
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.system import System

PREDICTION_TEMPERATURES, PREDICTION_CHAINS = 100, 16
"""Of the annealing behind `EnergySystem.predict`."""

FRAMES_TOGETHER = 256
"""That `EnergySystem.predict` anneals: bounds its memory."""


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
        """What the frames before each frame of ``frames`` (batch, time, visible) say of it: each (batch, time, …)."""
        return self.rbm.conditionals(self.state_dropout(self.states(frames)))

    def start_from(self, start: FrameStatistics) -> None:
        """See `System.start_from`."""
        self.rbm.start_from(start)

    @torch.no_grad()
    def predict(self, frames: Tensor) -> Tensor:
        """See `System.predict`: the mean of p(v_n | u_(n−1)) by annealed chains, which never see v_n.

        With a sampled feed u is that of one latent path; `particle_filter` weighs many by the frames before.
        """
        conditionals = each(self(frames), lambda tensor: tensor.flatten(0, 1))
        means = [
            self.rbm.anneal(
                each(conditionals, lambda tensor, start=start: tensor[start : start + FRAMES_TOGETHER]),
                temperatures=PREDICTION_TEMPERATURES,
                chains=PREDICTION_CHAINS,
            ).mean
            for start in range(0, len(conditionals[0]), FRAMES_TOGETHER)
        ]
        return torch.cat(means).view_as(frames)

    @torch.no_grad()
    def reconstruct(self, frames: Tensor) -> Tensor:
        """See `System.reconstruct`: one Gibbs step started at the observed frame, its last draw left out."""
        return self.rbm.reconstruct(frames, self(frames))

    @torch.no_grad()
    def activations(self, frames: Tensor) -> Tensor:
        """See `System.activations`."""
        return self.rbm.activations(frames, self(frames))

    @torch.no_grad()
    def generate(self, count: int, prompt: Tensor | None = None, sweeps: int = 25) -> Tensor:
        """See `System.generate`; each frame takes ``sweeps`` of Gibbs."""
        heard = self.initial().new_zeros(0, self.config.visible) if prompt is None else prompt
        rows = heard if heard.dim() == 3 else heard[None]
        state = self.initial().expand(len(rows), -1)
        frame = rows.new_zeros(len(rows), self.config.visible)
        for frame in rows.unbind(1):
            state = self.advance(state, frame)
        played: list[Tensor] = []
        for _ in range(count):
            frame = self.rbm.draw(frame, self.rbm.conditionals(state), sweeps)
            played.append(frame)
            state = self.advance(state, frame)
        return torch.stack(played, dim=1).view(*heard.shape[:-2], count, -1)
