"""Standard noise for the samplers, in float32 and many numbers at a time: what a sweep waits for least."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def draw_logistic(random: np.random.Generator, rows: int, columns: int) -> Vector:
    """Standard logistic noise, (rows, columns): log(p / (1 − p)) for uniform p, kept away from 0.

    A Bernoulli(σ(x)) is x > ℓ for logistic ℓ.
    """
    uniform = random.random((rows, columns), np.float32)
    np.maximum(uniform, np.float32(1e-7), out=uniform)  # a multiple of 2⁻²⁴ below 1: only 0 needs care
    complement: Vector = np.float32(1) - uniform
    np.log(uniform, out=uniform)
    np.log(complement, out=complement)
    uniform -= complement
    return uniform


def draw_normal(random: np.random.Generator, rows: int, columns: int) -> Vector:
    """Standard normal noise, (rows, columns), by Box and Muller's transform: half the time of numpy's ziggurat.

    Its uniforms are multiples of 2⁻²⁴, so it ends at 5.8 standard deviations.
    """
    half = (rows * columns + 1) // 2
    radius = random.random(half, np.float32)
    np.subtract(np.float32(1), radius, out=radius)  # from [0, 1) to (0, 1]
    np.log(radius, out=radius)
    radius *= -2
    np.sqrt(radius, out=radius)
    angle = random.random(half, np.float32)
    angle *= np.float32(2 * np.pi)
    noise = np.empty((2, half), np.float32)
    np.cos(angle, out=noise[0])
    np.sin(angle, out=noise[1])
    noise *= radius
    return noise.reshape(-1)[: rows * columns].reshape(rows, columns)
