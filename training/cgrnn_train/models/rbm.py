"""The binary conditional RBM of RNN-RBM (Boulanger-Lewandowski, Bengio and Vincent, 2012).

    E(v, h | u) = −b̃_vᵀ v − b̃_hᵀ h − vᵀ W h,      b̃_v = b_v + U₃ u,      b̃_h = b_h + U₂ u,      η = Wᵀ v + b̃_h

It is centred as the C-ssRBM is (see `cgrnn_train.models.cssrbm`): during training η is taken of v − c.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cgrnn_train.models.binary import BinaryFrames, Conditionals
from cgrnn_train.models.hidden_units import Spikes
from cgrnn_train.models.start import FrameStatistics


class BinaryRBM(BinaryFrames):
    """An RBM over binary frames whose biases are modulated by a recurrent state.

    Args:
        visible: pitches in a frame.
        hidden: hidden units.
        state: size of the recurrent state u.
    """

    centre: Tensor

    def __init__(self, visible: int, hidden: int, state: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.visible_modulation = nn.Linear(state, visible, bias=False)
        self.hidden_modulation = nn.Linear(state, hidden, bias=False)
        self.register_buffer("centre", torch.zeros(visible))

    def start_from(self, start: FrameStatistics) -> None:
        """Centre on, and set the visible bias to the logit of, the mean training frame."""
        with torch.no_grad():
            self.centre.copy_(start.mean)
            self.visible_bias.copy_(torch.logit(start.mean))

    def head(self) -> Spikes:
        """W; differentiable."""
        return Spikes(self.weight)

    def hidden_scale(self) -> Tensor:
        """1: h is h."""
        return self.weight.new_ones(())

    def conditionals(self, state: Tensor) -> Conditionals:
        """b̃_v (..., visible) and the uncentred b̃_h (..., hidden) for ``state`` (..., state)."""
        return Conditionals(
            self.visible_bias + self.visible_modulation(state),
            self.hidden_bias - self.centre @ self.weight + self.hidden_modulation(state),
        )

    def slow_parameters(self) -> list[nn.Parameter]:
        """W."""
        return [self.weight]
