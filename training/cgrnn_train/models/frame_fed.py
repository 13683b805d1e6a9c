"""What RNN-RBM and RNN-ssRBM share: a GRU that sees the frames alone, under an RBM of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cgrnn_train.models.conditional import ConditionalRBM
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.gru import ScanGRU
from cgrnn_train.models.mlp import frame_mlp


class FrameFedSystem(EnergySystem):
    """A system in whose recurrence no hidden unit of the RBM takes part.

    Args:
        config: the system's own.
        rbm: over its frames.
    """

    def __init__(self, config: Any, rbm: ConditionalRBM) -> None:
        super().__init__()
        self.config = config
        self.rbm = rbm
        self.mlp, width = frame_mlp(config.kind, config.visible, config.mlp, config.dropout)
        self.gru = ScanGRU(width, config.state)
        self.state_dropout = nn.Dropout(config.state_dropout)

    def initial(self) -> Tensor:
        """See `EnergySystem.initial`."""
        return self.gru.initial_state

    def states(self, frames: Tensor) -> Tensor:
        """See `EnergySystem.states`."""
        return self.gru(self.mlp(frames))[:, :-1]

    @torch.no_grad()
    def advance(self, state: Tensor, frame: Tensor) -> Tensor:
        """See `EnergySystem.advance`."""
        return self.gru.step(self.mlp(frame), state)
