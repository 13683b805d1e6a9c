"""A GRU over whole sequences, through the scan of `cgrnn_train.models.scan`, with every state it passes through."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.scan import FeedbackScan


class ScanGRU(nn.Module):
    """A GRU with a learned initial state (Cho et al. 2014, in cuDNN's form: gates r, z, n).

    Args:
        inputs: size of its input.
        state: size of its state.
    """

    def __init__(self, inputs: int, state: int) -> None:
        super().__init__()
        scale = state**-0.5
        self.input_weight = nn.Parameter(torch.empty(3 * state, inputs).uniform_(-scale, scale))
        self.state_weight = nn.Parameter(torch.empty(3 * state, state).uniform_(-scale, scale))
        self.input_bias = nn.Parameter(torch.empty(3 * state).uniform_(-scale, scale))
        self.state_bias = nn.Parameter(torch.empty(3 * state).uniform_(-scale, scale))
        self.initial_state = nn.Parameter(torch.zeros(state))

    def forward(self, inputs: Tensor, initial: Tensor | None = None) -> Tensor:
        """States u_0 … u_T for ``inputs`` x_1 … x_T (batch, time, inputs): (batch, time + 1, state).

        ``initial`` (batch, state) replaces the learned u_0.
        """
        batch, time, _ = inputs.shape
        if initial is None:
            initial = self.initial_state.expand(batch, -1)
        gate_input = F.linear(inputs, self.input_weight, self.input_bias).transpose(0, 1)  # (time, batch, 3·state)
        none = inputs.new_zeros(time, batch, 0)
        states = FeedbackScan.apply(
            gate_input,
            none,
            none,
            initial,
            self.state_weight,
            self.state_bias,
            self.state_weight.new_zeros(len(self.state_weight), 0),
            None,
        )
        return states.transpose(0, 1)

    def step(self, inputs: Tensor, state: Tensor) -> Tensor:
        """The state that follows ``state`` (..., state) after ``inputs`` (..., inputs); differentiable."""
        return gru_update(
            F.linear(inputs, self.input_weight, self.input_bias),
            F.linear(state, self.state_weight, self.state_bias),
            state,
        )


def gru_update(g: Tensor, z: Tensor, state: Tensor) -> Tensor:
    """The state that follows ``state`` (..., state), given what the input (g) and it (z) say to the gates.

    Args:
        g: (..., 3·state).
        z: (..., 3·state).
        state: u.
    """
    size = state.shape[-1]
    reset, update = torch.sigmoid(g[..., : 2 * size] + z[..., : 2 * size]).split(size, dim=-1)
    candidate = torch.tanh(g[..., 2 * size :] + reset * z[..., 2 * size :])
    return candidate + update * (state - candidate)
