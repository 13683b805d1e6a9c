"""What a frame of sound that was heard says of a continuous C-ssRBM: its gain, its spikes and its slabs.

A frame is v = c + d g x, with x of the C-ssRBM and g one of a few gains (FORMAT.md). Of w = (v − c) / d = g x,

    y_g = Wᵀw / g + m,      η_g = ½ y_g² − ½ m² + b̃_h,
    p(g | v, u) ∝ p(g | u) exp(−F_g),      F_g = ½ wᵀw / g² − Σ softplus(η_g) + V log g,

and given g spikes and slabs are independent: h ~ σ(η_g), s | h = 1 ~ N(y_g, 1). The recurrence is fed with a sample of
h∘s or with its mean, both over g too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.noise import Vector, draw_logistic, draw_normal

Wide = NDArray[np.float64]


class WaveHearing:
    """The posterior of one continuous C-ssRBM given a frame; temperature 1, whatever it plays at.

    Args:
        weight: W, (visible, hidden).
        slab_mean: m, (hidden,).
        gains: g, (gains,).
        random: the only source of randomness.
        feeds_mean: whether the feed is the mean of h∘s or a sample.
    """

    def __init__(
        self, weight: Vector, slab_mean: Vector, gains: Vector, random: np.random.Generator, *, feeds_mean: bool
    ) -> None:
        self._weight: Wide = weight.astype(np.float64)
        self._mean: Wide = slab_mean.astype(np.float64)
        self._half_square: Wide = 0.5 * np.square(self._mean)
        self._gains: Wide = gains.astype(np.float64)
        self._inverse: Wide = (1 / self._gains)[:, np.newaxis]
        self._volume: Wide = len(weight) * np.log(self._gains)
        self._random = random
        self._feeds_mean = feeds_mean

    def hear(self, whitened: Wide, hidden_bias: Vector, gain_logits: Vector) -> tuple[Wide, Vector]:
        """Return what was heard as x (visible,), its gain drawn, and what feeds the recurrence (hidden,).

        Args:
            whitened: w = (v − c) / d, (visible,).
            hidden_bias: b̃_h, (hidden,).
            gain_logits: of p(g | u), (gains,).
        """
        drive: Wide = (whitened @ self._weight) * self._inverse  # (gains, hidden)
        drive += self._mean
        logits: Wide = 0.5 * np.square(drive)
        logits += hidden_bias - self._half_square
        decay = np.exp(-np.abs(logits))  # which cannot overflow: softplus(η) = max(η, 0) + log(1 + e^−|η|)
        weight = np.maximum(logits, 0).sum(1) + np.log1p(decay).sum(1)
        weight -= 0.5 * (whitened @ whitened) * np.square(self._inverse[:, 0]) + self._volume
        weight += gain_logits
        share = np.exp(weight - weight.max())
        share /= share.sum()
        gain = draw_index(self._random, share)
        if self._feeds_mean:
            drive *= np.where(logits > 0, 1.0, decay) / (1 + decay)  # σ(η)
            feed = share @ drive
        else:
            noise = draw_normal(self._random, 1, len(self._mean))[0]
            feed = (drive[gain] + noise) * (logits[gain] > draw_logistic(self._random, 1, len(noise))[0])
        return whitened / self._gains[gain], feed.astype(np.float32)


def draw_index(random: np.random.Generator, share: Wide) -> int:
    """Draw an index with the probabilities ``share`` (n,), which sum to 1; one alone takes no random number."""
    if len(share) == 1:
        return 0
    return min(int(np.searchsorted(np.cumsum(share), random.random(), side="right")), len(share) - 1)
