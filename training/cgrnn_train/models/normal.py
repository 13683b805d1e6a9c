"""Independent Gaussians whose standard deviations a network gives."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_STD = 1e-3
"""Added to every standard deviation."""


def std_of(raw: Tensor) -> Tensor:
    """Make a standard deviation of any number: softplus, and at least `LEAST_STD`."""
    return F.softplus(raw) + LEAST_STD


def raw_of(std: Tensor) -> Tensor:
    """The numbers of which `std_of` makes ``std``, or what comes nearest where that is `LEAST_STD` or less."""
    above = (std - LEAST_STD).clamp(min=LEAST_STD / 100)
    return above + torch.log(-torch.expm1(-above))


class Normal(NamedTuple):
    """Independent Gaussians.

    Attributes:
        mean: (..., units).
        std: (..., units), above 0.
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, moments: Tensor) -> Normal:
        """Read a network's output (..., 2·units): means, then numbers for `std_of`."""
        mean, raw = moments.chunk(2, dim=-1)
        return cls(mean, std_of(raw))

    def at(self, noise: Tensor) -> Tensor:
        """The value that standard normal ``noise`` (..., units) stands for; differentiable in mean and std."""
        return torch.addcmul(self.mean, self.std, noise)

    def draw(self) -> Tensor:
        """A value, (..., units)."""
        return self.at(torch.randn_like(self.mean))

    def log_density(self, value: Tensor) -> Tensor:
        """log p(value), (...): summed over the units of ``value`` (..., units)."""
        square = ((value - self.mean) / self.std).square()
        return -(0.5 * square + self.std.log() + 0.5 * math.log(2 * math.pi)).sum(-1)

    def divergence(self, other: Normal) -> Tensor:
        """KL(self ‖ other), (...), nats: summed over the units."""
        ratio = self.std / other.std
        shift = (self.mean - other.mean) / other.std
        return (0.5 * (ratio.square() + shift.square() - 1) - ratio.log()).sum(-1)
