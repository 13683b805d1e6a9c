"""The pitch of a sound by the McLeod pitch method (McLeod and Wyvill, "A smarter way to find pitch", ICMC 2005).

    n(τ) = 2 Σ_j x_j x_(j+τ) / Σ_j (x_j² + x_(j+τ)²),      j = 0 … window − 1 − τ

is the normalised square difference function, between −1 and 1. The period is where n has its first *key maximum*, the
highest between a zero crossing upward and the next one downward, of at least `SHARE` of the highest; a parabola through
it and its neighbours gives the period between samples, and its height, the *clarity*, is 1 for a periodic sound,
and S / (S + N) for one of the power S in white noise of the power N.

Where this departs from the paper: the window's mean is taken off first, for n of a sound beside a constant does not
cross zero; and a pitch out of range is none, where a period that is not looked for would give that of the octave below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.waves import Samples

LOWEST, HIGHEST = 30.0, 1_000.0
"""Hz."""

SHARE = 0.9
"""k of the paper, there 0.8 to 1."""

SILENCE = 1e-6
"""Root mean square, of full scale, of a window that is taken for silence."""

Numbers = NDArray[np.float64]


class Pitches(NamedTuple):
    """What was heard in each window.

    Attributes:
        frequencies: Hz, (windows,); NaN where there is no pitch.
        clarity: between 0 and about 1, (windows,); 0 where there is no pitch.
    """

    frequencies: Numbers
    clarity: Numbers


def pitches(
    samples: Samples,
    sample_rate: int,
    *,
    window: int,
    hop: int,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
) -> Pitches:
    """The pitch of each window [i · hop, i · hop + window) that lies wholly in the sound.

    Args:
        samples: (time,), full scale at ±1.
        sample_rate: of them, Hz.
        window: samples in a window: two periods of ``lowest`` at least, and better five.
        hop: samples from one window to the next.
        lowest: pitch that is looked for, Hz.
        highest: the same.

    Raises:
        ValueError: the samples are not one row, or the window is too short for ``lowest``.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples have the shape {samples.shape}; expected one row: mix the channels to mono")
    longest = int(np.ceil(sample_rate / lowest))
    if 2 * longest > window:
        raise ValueError(f"a window of {window} samples is too short for {lowest:g} Hz; give {2 * longest} or more")
    if len(samples) < window:
        return Pitches(np.zeros(0), np.zeros(0))
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), window)[::hop]
    lags, clarity = _first_key_maxima(_normalised_square_differences(windows, longest + 2))
    frequencies = sample_rate / lags
    is_heard = (frequencies >= lowest) & (frequencies <= highest)
    return Pitches(np.where(is_heard, frequencies, np.nan), np.where(is_heard, clarity, 0.0))


def _normalised_square_differences(windows: Numbers, lags: int) -> Numbers:
    """n(τ) of each window for τ = 0 … ``lags`` − 1, (windows, lags); 0 in silence."""
    count, size = windows.shape
    windows = windows - windows.mean(axis=1, keepdims=True)
    spectra = np.fft.rfft(windows, size + lags)
    correlation = np.fft.irfft(np.square(np.abs(spectra)), size + lags)[:, :lags]
    power = np.concatenate([np.zeros((count, 1)), np.square(windows).cumsum(axis=1)], axis=1)  # of the first samples
    place = np.arange(lags)
    energy = power[:, size - place] + power[:, -1:] - power[:, place]
    is_sound = power[:, -1:] > size * SILENCE**2
    return np.divide(2 * correlation, energy, out=np.zeros_like(correlation), where=is_sound)


def _first_key_maxima(curves: Numbers) -> tuple[Numbers, Numbers]:
    """Lag in samples and height of the first key maximum of each of ``curves`` (windows, lags); NaN if it has none."""
    before, here, after = curves[:, :-2], curves[:, 1:-1], curves[:, 2:]
    rises = np.cumsum((curves[:, 1:] > 0) & (curves[:, :-1] <= 0), axis=1)[:, :-1]  # zero crossings upward so far
    is_maximum = (here > before) & (here >= after) & (here > 0) & (rises > 0)
    bend = np.where(is_maximum, before - 2 * here + after, -1.0)  # below 0
    shift = (after - before) / (-2 * bend)
    height = np.where(is_maximum, here + 0.25 * (after - before) * shift, -np.inf)
    first = (height >= SHARE * height.max(axis=1, keepdims=True)).argmax(axis=1)
    rows = np.arange(len(curves))
    place = np.where(rises == rises[rows, first, np.newaxis], height, -np.inf).argmax(axis=1)
    lag = 1 + place + shift[rows, place]
    is_there = is_maximum.any(axis=1)
    return np.where(is_there, lag, np.nan), np.where(is_there, height[rows, place], np.nan)
