"""RNN-I and RNN-II: a GRU of one or two layers whose state gives each unit of the next frame a distribution of its own.

The likelihood is exact, Σ log Bernoulli or Σ log Gaussian, and blind to chords: given the past the units (pitches, or
audio samples) are independent. It is the paper's first baseline, and the yardstick of what the joint distribution of a
CGRNN is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cgrnn_train.models.emission import emission_of
from cgrnn_train.models.gru import ScanGRU
from cgrnn_train.models.kind import Kind
from cgrnn_train.models.mlp import frame_mlp
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.system import BoundSystem
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges


@dataclass(frozen=True, slots=True)
class RNNConfig:
    """The architecture.

    Attributes:
        kind: of the frames: "binary" piano rolls, or "continuous" normalised audio samples.
        visible: pitches or samples in a frame.
        state: size of each layer's state.
        layers: of the GRU, each fed with the states of the one below: 1 is RNN-I, 2 is RNN-II.
        mlp: sizes of the ReLU layers that see the frame.
        dropout: probability of dropping a unit of the MLP's layers.
        state_dropout: probability of dropping a unit of a state where it feeds the next layer or predicts.
    """

    kind: Kind = "binary"
    visible: int = 128
    state: int = 500
    layers: int = 1
    mlp: tuple[int, ...] = ()
    dropout: float = 0.0
    state_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, state=COUNT, layers=COUNT, dropout=BELOW_ONE, state_dropout=BELOW_ONE)


class RNN(BoundSystem):
    """The model over frames of either kind."""

    config: RNNConfig

    def __init__(self, config: RNNConfig) -> None:
        super().__init__()
        self.config = config
        self.emission = emission_of(config.kind)
        self.mlp, width = frame_mlp(config.kind, config.visible, config.mlp, config.dropout)
        self.layers = nn.ModuleList(
            ScanGRU(width if layer == 0 else config.state, config.state) for layer in range(config.layers)
        )
        self.state_dropout = nn.Dropout(config.state_dropout)
        self.output = nn.Linear(config.state, config.visible * self.emission.outputs)

    def start_from(self, start: FrameStatistics) -> None:
        """See `System.start_from`."""
        with torch.no_grad():
            self.output.bias.copy_(self.emission.numbers_of(start))

    def _stack(self) -> list[ScanGRU]:
        return cast(list[ScanGRU], list(self.layers))

    def forward(self, frames: Tensor) -> Tensor:
        """The emission's numbers for every frame of ``frames`` (batch, time, visible) given the frames before it.

        (batch, time, visible · numbers a unit): see `cgrnn_train.models.emission`.
        """
        states = functional.pad(self.mlp(frames), (0, 0, 1, 0))  # (batch, time + 1, …): as if after a frame 0
        for layer in self._stack():
            states = self.state_dropout(layer(states[:, 1:]))
        return self.output(states[:, :-1])

    def bound(self, frames: Tensor, mask: Tensor | None = None, divergence_weight: float = 1.0) -> Tensor:
        """log p(v_n | v_<n), exact; see `BoundSystem.bound`."""
        return self.emission.log_probability(self(frames), frames)

    @torch.no_grad()
    def log_likelihood(self, frames: Tensor, samples: int = 1) -> Tensor:
        """See `BoundSystem.log_likelihood`: exact."""
        return self.bound(frames[None])[0].double()

    is_exact = True

    def kind(self, samples: int) -> str:
        """See `BoundSystem.kind`."""
        return "exact"

    @torch.no_grad()
    def predict(self, frames: Tensor) -> Tensor:
        """See `System.predict`."""
        return self.emission.mean(self(frames))

    def reconstruct(self, frames: Tensor) -> None:
        """None: there is nothing between the past and the frame that could have seen it."""

    def activations(self, frames: Tensor) -> None:
        """None: there are no latent variables."""

    @torch.no_grad()
    def generate(self, count: int, prompt: Tensor | None = None) -> Tensor:
        """See `System.generate`; each unit is drawn by itself."""
        heard = self.output.weight.new_zeros(0, self.config.visible) if prompt is None else prompt
        states = [layer.initial_state.expand(*heard.shape[:-2], -1) for layer in self._stack()]
        for frame in heard.unbind(-2):
            states = self._advance(states, frame)
        played: list[Tensor] = []
        for _ in range(count):
            played.append(self.emission.draw(self.output(states[-1])))
            states = self._advance(states, played[-1])
        return torch.stack(played, dim=-2)

    def _advance(self, states: list[Tensor], frame: Tensor) -> list[Tensor]:
        """Each layer's state, (..., state), that follows ``states`` after ``frame`` (..., visible)."""
        below, after = self.mlp(frame), list[Tensor]()
        for layer, state in zip(self._stack(), states, strict=True):
            after.append(below := layer.step(below, state))
        return after
