"""The conditional Gaussian RBM of RNN-RBM over sound: spikes alone, which move the mean of x and nothing else.

    E(x, h) = ½ xᵀx − b̃_hᵀh − xᵀWh,      x = (v − c(u)) / d,      c = b_v + U₃ u,      b̃_h = b_h + U₂ u

As in the paper's comparison u modulates the two biases; d is learned, and the same in every frame.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from cgrnn_train.models.continuous import ContinuousFrames
from cgrnn_train.models.wave_units import WaveSpikes, WaveUnits


class GaussianRBM(ContinuousFrames):
    """An RBM over frames of sound.

    Args:
        visible: samples in a frame.
        hidden: hidden units.
        state: size of the recurrent state u.
    """

    def __init__(self, visible: int, hidden: int, state: int) -> None:
        super().__init__(visible, hidden, state, modulates_scale=False)
        self.weight = nn.Parameter(0.1 * torch.randn(visible, hidden) / math.sqrt(visible))

    def units(self) -> WaveSpikes:
        """See `ContinuousFrames.units`."""
        return WaveSpikes(self.weight)

    @torch.no_grad()
    def path(self, temperatures: int) -> list[WaveUnits]:
        """See `ContinuousFrames.path`: W grows evenly."""
        return [WaveSpikes(self.weight * (step / temperatures)) for step in range(temperatures + 1)]

    def slow_parameters(self) -> list[nn.Parameter]:
        """W."""
        return [self.weight]
