"""Block Gibbs sampling of a binary C-ssRBM in numpy, with clamped pitches and no allocation inside a sweep.

**Unit slabs.** With W̃ = W/√α, m = √α μ and y = W̃ᵀv + m, the conditionals (Liu, Xie and Wang, section 4.2, as mended
in the trainer's `cssrbm`) become

    ηᵢ = ½ yᵢ² + (b̃_hᵢ − ½ mᵢ²),      √αᵢ sᵢ = hᵢ yᵢ + εᵢ,      p(vⱼ = 1 | s, h) = σ([W̃(h∘(y + ε))]ⱼ + b̃_vⱼ).

**Thresholds.** A Bernoulli(σ(x)) is x > ℓ for logistic ℓ. All ℓ and ε of a frame are drawn in three calls before the
first sweep and the biases are folded into them, so that a sweep is two matrix-vector products and five short array
operations.

**Clamping.** A pitch that is known has the threshold −∞ (on) or +∞ (off): the sweeps need no special case, and what
they draw is the C-ssRBM's exact conditional given the known pitches.

**Temperature.** T divides the whole energy E(v, h, s | u); under it the thresholds grow by T and ε by √T.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.noise import Vector, draw_logistic, draw_normal

Clamp = NDArray[np.int8]

FREE, OFF, ON = -1, 0, 1


class Sampler:
    """Draws frames and spike-slabs of one C-ssRBM; not thread-safe (its buffers are its own).

    Args:
        weight: W, (visible, hidden).
        slab_precision: α > 0, (hidden,).
        slab_mean: μ, (hidden,).
        random: the only source of randomness.
    """

    def __init__(self, weight: Vector, slab_precision: Vector, slab_mean: Vector, random: np.random.Generator) -> None:
        root: Vector = np.sqrt(slab_precision)
        self._inverse_root: Vector = np.reciprocal(root)
        self._offset: Vector = slab_mean * root
        self._half_square: Vector = np.square(self._offset)
        self._half_square *= 0.5
        scaled: Vector = weight * self._inverse_root
        visible, hidden = weight.shape
        # A last row holds m, met by a frame's constant 1: y = W̃ᵀv + m is then one product.
        # Kept as (visible + 1, hidden) in memory and used transposed: the faster of the two layouts for this product.
        self._to_hidden: Vector = np.ascontiguousarray(np.vstack([scaled, self._offset])).T  # (hidden, visible + 1)
        self._to_visible: Vector = np.ascontiguousarray(scaled)  # (visible, hidden)
        self.random = random
        self._frame = np.ones(visible + 1, np.float32)
        self._logits = np.empty(visible, np.float32)
        self._drive = np.empty(hidden, np.float32)
        self._square = np.empty(hidden, np.float32)
        self._spikes = np.empty(hidden, np.bool_)

    @property
    def visible(self) -> int:
        """Pitches in a frame."""
        return len(self._logits)

    def sample_frame(
        self,
        start: NDArray[np.bool_],
        visible_bias: Vector,
        hidden_bias: Vector,
        clamp: Clamp,
        *,
        sweeps: int,
        temperature: float = 1.0,
    ) -> NDArray[np.bool_]:
        """Draw v given the clamped pitches, by ``sweeps`` of block Gibbs from ``start``.

        Args:
            start: the chain's first frame, (visible,).
            visible_bias: b̃_v, (visible,).
            hidden_bias: b̃_h, (hidden,).
            clamp: per pitch `FREE`, `OFF` or `ON`, (visible,).
            sweeps: at least 1.
            temperature: T > 0.

        Returns:
            v, (visible,) booleans; every clamped pitch as it was clamped.
        """
        hidden = len(self._drive)
        # η > Tℓ  ⇔  y² > 2(Tℓ − b̃_h + ½m²)
        spike_threshold = draw_logistic(self.random, sweeps, hidden)
        spike_threshold *= np.float32(2 * temperature)
        spike_threshold -= 2 * (hidden_bias - self._half_square)
        slab_noise = draw_normal(self.random, sweeps, hidden)
        slab_noise *= np.float32(temperature**0.5)
        pitch_threshold = draw_logistic(self.random, sweeps, self.visible)
        pitch_threshold *= np.float32(temperature)
        pitch_threshold -= visible_bias
        pitch_threshold[:, clamp == ON] = -np.inf
        pitch_threshold[:, clamp == OFF] = np.inf

        frame, logits, drive, square, spikes = self._frame, self._logits, self._drive, self._square, self._spikes
        pitches = frame[:-1]
        np.copyto(pitches, start)
        pitches[clamp == ON] = 1
        pitches[clamp == OFF] = 0
        to_hidden, to_visible = self._to_hidden, self._to_visible
        dot, multiply, greater, add = np.dot, np.multiply, np.greater, np.add
        for spike_row, slab_row, pitch_row in zip(spike_threshold, slab_noise, pitch_threshold, strict=True):
            dot(to_hidden, frame, drive)  # y; the last argument of each is where the result goes
            multiply(drive, drive, square)
            greater(square, spike_row, spikes)  # h
            add(drive, slab_row, drive)
            multiply(drive, spikes, drive)  # h∘(y + ε)
            dot(to_visible, drive, logits)
            greater(logits, pitch_row, pitches)  # v
        return pitches > 0.5

    def sample_spike_slab(self, frame: NDArray[np.bool_], hidden_bias: Vector) -> Vector:
        """Draw h∘s given v = ``frame`` (visible,) and b̃_h (hidden,) at temperature 1, for the recurrence; (hidden,)."""
        drive, logits = self._spike_logits(frame, hidden_bias)
        spikes = logits > draw_logistic(self.random, 1, len(drive))[0]
        drive += draw_normal(self.random, 1, len(drive))[0]
        return drive * spikes * self._inverse_root

    def mean_spike_slab(self, frame: NDArray[np.bool_], hidden_bias: Vector) -> Vector:
        """E[h∘s | v, u] for v = ``frame`` (visible,) and b̃_h (hidden,); (hidden,)."""
        drive, logits = self._spike_logits(frame, hidden_bias)
        return drive * self._inverse_root / (np.float32(1) + np.exp(-logits))

    def _spike_logits(self, frame: NDArray[np.bool_], hidden_bias: Vector) -> tuple[Vector, Vector]:
        self._frame[:-1] = frame
        drive: Vector = np.dot(self._to_hidden, self._frame)
        square: Vector = np.square(drive)
        square *= 0.5
        square += hidden_bias - self._half_square
        return drive, square
