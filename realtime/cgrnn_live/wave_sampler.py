"""Block Gibbs sampling of a continuous C-ssRBM in numpy: spikes given the frame, then the frame given the spikes.

The chain is over x = (v − c) / d, a frame of sound with unit slabs, whose energy (FORMAT.md) is

    E(x, h, s) = ½ xᵀx + ½ sᵀs − Σ (Wᵀx)ᵢ sᵢ hᵢ − b̃_hᵀh + ½ Σ mᵢ² hᵢ − Σ mᵢ sᵢ hᵢ,      p ∝ exp(−E / T).

**Spikes.** With y = Wᵀx + m and the slabs integrated out, p(hᵢ = 1 | x) = σ(ηᵢ / T), η = ½ y² − ½ m² + b̃_h: hᵢ is on
where yᵢ² > 2 (T ℓᵢ − b̃_hᵢ) + mᵢ² for logistic ℓ. Noise for all sweeps is drawn before the first, and biases and
temperature are folded into it.

**The frame.** x | h is drawn with the slabs integrated out (*collapsed*), for a chain that goes through them moves by
only about one unit in a direction whose variance may be a million. It is drawn exactly, in two steps. Let A be the
spikes that are on. With x integrated out, −E / T of the slabs is

    −(½ sᵀ G s − m_Aᵀ s) / T,      G = I − W_AᵀW_A,      so s ~ N(G⁻¹ m_A, T G⁻¹),

and then x | s ~ N(W_A s, T I). To draw s, perturb and solve:

    s = G⁻¹ (m_A + √T z),      z ~ N(0, G):      mean G⁻¹ m_A, covariance T G⁻¹ G G⁻¹.

Such a z is had without a factor of G. G is the rows and columns A of K = I − WᵀW, positive definite as the singular
values of W are below 1; so with K = C Cᵀ, factored once, z is the rows A of C ε for standard normal ε.

The solution is by elimination: numpy solves no triangular systems, without which a Cholesky factor of G would not be
cheaper. Of many spikes it goes by the others, B, and M = K⁻¹, inverted once:

    G⁻¹ = M_AA − M_AB M_BB⁻¹ M_BA,

so that a sweep never solves many more equations than half the number of spikes.

All is in float64. The condition of K, G and M may be 2²⁰, the bound of FORMAT.md, too much for elimination in
float32, which is no quicker at this size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.noise import Vector, draw_logistic, draw_normal

Wide = NDArray[np.float64]

MANY = 0.53
"""Share of spikes on above which the way by the others is the quicker one: it has two products more."""


class WaveSampler:
    """Draws whitened frames of one continuous C-ssRBM.

    Args:
        weight: W, (visible, hidden), of singular values below 1.
        slab_mean: m, (hidden,).
        random: the only source of randomness.
    """

    def __init__(self, weight: Vector, slab_mean: Vector, random: np.random.Generator) -> None:
        self._weight: Wide = weight.astype(np.float64)
        self._mean: Wide = slab_mean.astype(np.float64)
        self._square: Wide = np.square(self._mean)
        self._gram: Wide = np.eye(weight.shape[1]) - self._weight.T @ self._weight  # K, (hidden, hidden)
        self._inverse: Wide = np.linalg.inv(self._gram).astype(np.float64)  # M
        factor: Wide = np.linalg.cholesky(self._gram).astype(np.float64)  # C
        self._factor_transposed = np.ascontiguousarray(factor.T)
        self.random = random

    def sample(self, start: Wide, hidden_bias: Vector, *, sweeps: int, temperature: float = 1.0) -> Wide:
        """Draw x by ``sweeps`` of block Gibbs.

        Args:
            start: the chain's first x, (visible,).
            hidden_bias: b̃_h, (hidden,).
            sweeps: at least 1, each of h | x and x | h.
            temperature: T > 0 of the whole energy.

        Returns:
            x, (visible,).
        """
        visible, hidden = self._weight.shape
        root = temperature**0.5
        threshold = draw_logistic(self.random, sweeps, hidden).astype(np.float64)
        threshold *= 2 * temperature
        threshold += self._square - 2 * hidden_bias.astype(np.float64)
        pulls: Wide = draw_normal(self.random, sweeps, hidden).astype(np.float64) @ self._factor_transposed  # z
        pulls *= root
        pulls += self._mean
        frame_noise = draw_normal(self.random, sweeps, visible).astype(np.float64)
        frame_noise *= root

        frame = start
        for spike_row, pull, frame_row in zip(threshold, pulls, frame_noise, strict=True):
            drive: Wide = frame @ self._weight  # y
            drive += self._mean
            drive *= drive
            frame = self._weight @ self._solve(drive > spike_row, pull)
            frame += frame_row
        return frame

    def _solve(self, spikes: NDArray[np.bool_], pull: Wide) -> Wide:
        """The slabs (hidden,) that G takes to ``pull`` (hidden,), where ``spikes`` h (hidden,) are on, and else 0."""
        on = spikes.nonzero()[0]
        slabs = np.zeros(len(spikes))
        if len(on) <= MANY * len(spikes):
            slabs[on] = np.linalg.solve(self._gram[on][:, on], pull[on])
            return slabs
        off = (~spikes).nonzero()[0]
        unbound: Wide = self._inverse @ (pull * spikes)  # the solution, were the silent slabs free
        slabs[off] = np.linalg.solve(self._inverse[off][:, off], unbound[off])
        unbound -= self._inverse @ slabs
        unbound[off] = 0.0
        return unbound
