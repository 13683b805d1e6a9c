"""RNN-I: a GRU whose state gives each pitch of the next frame a probability of its own.

The likelihood is exact, Σ log Bernoulli, and blind to chords: given the past the pitches are independent. It is the
paper's first baseline, and the yardstick of what the joint distribution of a CGRNN is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.mlp import frame_mlp
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges


@dataclass(frozen=True, slots=True)
class RNNConfig:
    """The architecture.

    Attributes:
        visible: pitches in a frame.
        state: size of the GRU's state.
        mlp: sizes of the ReLU layers that see the frame.
        dropout: probability of dropping a unit of the MLP's layers.
        state_dropout: probability of dropping a unit of the state where it predicts.
    """

    visible: int = 128
    state: int = 500
    mlp: tuple[int, ...] = ()
    dropout: float = 0.0
    state_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, state=COUNT, dropout=BELOW_ONE, state_dropout=BELOW_ONE)


class RNN(nn.Module):
    """The model over binary frames."""

    def __init__(self, config: RNNConfig) -> None:
        super().__init__()
        self.config = config
        self.mlp, width = frame_mlp(config.visible, config.mlp, config.dropout)
        self.gru = nn.GRU(width, config.state, batch_first=True)
        self.initial_state = nn.Parameter(torch.zeros(config.state))
        self.state_dropout = nn.Dropout(config.state_dropout)
        self.head = nn.Linear(config.state, config.visible)

    def start_from(self, frame_mean: Tensor) -> None:
        """Set the output's bias to the logit of the mean training frame (visible,)."""
        with torch.no_grad():
            self.head.bias.copy_(torch.logit(frame_mean))

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of every frame of ``frames`` (batch, time, visible) given the frames before it; the same shape."""
        batch, time, _ = frames.shape
        initial = self.initial_state.expand(batch, -1)
        states = initial[:, None]
        if time > 1:  # a GRU refuses an empty sequence
            following, _ = self.gru(self.mlp(frames[:, :-1]), initial[None].contiguous())
            states = torch.cat([states, following], dim=1)  # (batch, time, state)
        return self.head(self.state_dropout(states))

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """log p(v_n | v_<n) of every frame of ``frames`` (batch, time, visible), exact: (batch, time)."""
        return -F.binary_cross_entropy_with_logits(self(frames), frames, reduction="none").sum(-1)

    @torch.no_grad()
    def generate(self, frames: int, generator: torch.Generator) -> Tensor:
        """Free play: (frames, visible) of 0 and 1, each pitch drawn by itself."""
        state = self.initial_state[None]
        played: list[Tensor] = []
        for _ in range(frames):
            probability = torch.sigmoid(self.head(state))[0]
            played.append((torch.rand(probability.shape, generator=generator) < probability).float())
            _, last = self.gru(self.mlp(played[-1][None, None]), state[None])
            state = last[0]
        return torch.stack(played)
