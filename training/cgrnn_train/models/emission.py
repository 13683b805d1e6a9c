"""The last layer of the systems that draw each pitch by itself, given their state: Bernoulli.

A Gaussian emission for audio frames will have the same three functions over two numbers a unit.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Bernoulli:
    """Independent pitches; ``logits`` are (..., visible)."""

    outputs = 1
    """Numbers that the network gives a unit."""

    @staticmethod
    def log_probability(logits: Tensor, frames: Tensor) -> Tensor:
        """log p(frame), (...): summed over the pitches of ``frames`` (..., visible)."""
        return -F.binary_cross_entropy_with_logits(logits, frames.expand_as(logits), reduction="none").sum(-1)

    @staticmethod
    def mean(logits: Tensor) -> Tensor:
        """Probability of each pitch, (..., visible)."""
        return torch.sigmoid(logits)

    @staticmethod
    def draw(logits: Tensor) -> Tensor:
        """A frame of 0 and 1, (..., visible)."""
        return torch.bernoulli(torch.sigmoid(logits))
