"""Quadrature over the plane."""

import math

import torch
from torch import Tensor


def grid(reach: float, points: int) -> tuple[Tensor, float]:
    """A grid over the plane, (points², 2), and the log of a cell's area."""
    axis = torch.linspace(-reach, reach, points, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), 2 * math.log(float(axis[1] - axis[0]))
