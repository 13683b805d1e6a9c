"""The spectrogram of a sound, in decibels of which 0 is a sine of full scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.waves import Samples

WINDOW, HOP = 512, 128
"""Samples of a Hann window, and from one to the next: 46 and 12 ms at 11,025 Hz."""

SILENCE = -200.0
"""Decibels of nothing at all."""


class Spectrogram(NamedTuple):
    """How loud a sound is, when and where.

    Attributes:
        decibels: (frequency, time).
        frequencies: of its rows, Hz.
        times: of its columns, the middles of their windows, seconds.
    """

    decibels: NDArray[np.float64]
    frequencies: NDArray[np.floating]
    times: NDArray[np.floating]


def spectrogram(samples: Samples, sample_rate: int) -> Spectrogram:
    """The spectrogram of ``samples`` (time,), full scale at ±1, mirrored at both ends: a clip's end is no click."""
    padded = np.pad(samples.astype(np.float64), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]  # (time, WINDOW)
    window = np.hanning(WINDOW + 1)[:-1]
    amplitude = np.abs(np.fft.rfft(windows * window, axis=1)).T * (2 / window.sum())  # (frequency, time)
    decibels = 20 * np.log10(np.maximum(amplitude, 10 ** (SILENCE / 20)))
    frequencies = np.arange(len(decibels), dtype=np.float64) * (sample_rate / WINDOW)
    return Spectrogram(decibels, frequencies, np.arange(decibels.shape[1]) * (HOP / sample_rate))
