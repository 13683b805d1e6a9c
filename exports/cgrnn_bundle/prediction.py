"""Linear prediction: what the samples before a frame say of it, and what the frame adds (FORMAT.md, "Prediction").

    z_t = Σ_k a_k z_(t−k) + σ v_t,      k = 1 … order

for normalised samples z. The a_k and σ belong to a frame and are fitted to the samples before it, by the
autocorrelation method (Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63, 1975): its filters are stable,
so that a sound goes on, and dies away, where v is 0. v is the frame, what a model then has to say. Its density is that
of z up to σ: each v_t takes one z_t and earlier ones, dv_t/dz_t = 1/σ.

Conventions: *history* is the last `WaveSpec.window` samples z before the frame, zeros where there were none, the newest
last; leading axes are sounds of which each has its own. All is float64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Wide = NDArray[np.float64]

FADE = 0.05
"""Share of the history over which its newest end is faded out; the older rest is faded in."""
NOISE = 1e-4
"""Root mean square of the white noise that the fit supposes beside the sound, 80 dB below the training sounds: of the
order of rounding to 16 bits."""
ROUNDING = 2.0**-40
"""Power of more such noise, as a part of the sound's: where that is 10⁴ or more, rounding could outweigh `NOISE`."""
LEAST_SCALE = 1e-3
"""Least σ, 60 dB below the training sounds: in silence the next note would be thousands of it."""


class Prediction(NamedTuple):
    """What the samples before a frame say of it.

    Attributes:
        coefficients: a_1 … a_order, (..., order).
        scale: σ, (...).
    """

    coefficients: Wide
    scale: Wide


def predict(history: Wide, heard: int, order: int) -> Prediction:
    """Fit the prediction of the next frame to ``history`` (..., window), of whose samples ``heard`` are no padding.

    With nothing heard, or of order 0, it says nothing: no coefficient but 0, and σ = 1.
    """
    if not (heard and order):
        return Prediction(np.zeros((*history.shape[:-1], order)), np.ones(history.shape[:-1]))
    window = history.shape[-1]
    taper = _taper(window)
    spectrum = np.fft.rfft(history * taper, window + order)  # so long that no lag of 1 … order wraps around
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    covariance: Wide = np.fft.irfft(power, window + order)[..., : order + 1] / np.square(taper[-heard:]).sum()
    covariance[..., 0] += NOISE**2 + ROUNDING * covariance[..., 0]
    both = np.concatenate([covariance[..., order - 1 : 0 : -1], covariance[..., :order]], axis=-1)
    toeplitz: Wide = sliding_window_view(both, order, axis=-1)[..., ::-1, :]  # (..., order, order)
    coefficients = np.linalg.solve(toeplitz, covariance[..., 1:, np.newaxis])[..., 0].astype(np.float64)
    left = covariance[..., 0] - (coefficients * covariance[..., 1:]).sum(-1)
    return Prediction(coefficients, np.sqrt(np.maximum(left, LEAST_SCALE**2)))


def residual(past: Wide, samples: Wide, prediction: Prediction) -> Wide:
    """The frame v of ``samples`` z (..., samples), ``past`` (..., order) being those before them; (..., samples)."""
    order = past.shape[-1]
    whole = np.concatenate([past, samples], axis=-1)
    rows = sliding_window_view(whole, order, axis=-1)[..., :-1, :]  # (..., samples, order)
    said = np.matmul(rows, prediction.coefficients[..., ::-1, np.newaxis])[..., 0]
    return (samples - said) / prediction.scale[..., np.newaxis]


def respond(past: Wide, added: Wide, prediction: Prediction) -> Wide:
    """Undo `residual` of one sound: z (samples,) of the frame v ``added`` (samples,) after ``past`` (order,)."""
    order = len(past)
    whole = np.concatenate([past, added * prediction.scale])
    say = np.ascontiguousarray(prediction.coefficients[::-1]).dot
    for t in range(order, len(whole)):
        whole[t] += say(whole[t - order : t])
    return whole[order:]


@lru_cache
def _taper(window: int) -> Wide:
    """A quarter of a sine up, over all but the newest samples, and a quarter of a cosine down over those, (window,)."""
    down = max(1, round(FADE * window))
    rise = np.sin(np.pi / 2 * (np.arange(window - down) + 0.5) / (window - down))
    return np.concatenate([rise, np.cos(np.pi / 2 * (np.arange(down) + 0.5) / down)])
