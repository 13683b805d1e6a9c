"""Sound files to clips of one length and one rate, the same for every source.

A clip is the paper's (section 5.1): the first two seconds at 11,025 Hz, 22,050 samples, which are 147 frames of 150. A
shorter sound is followed by silence.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from cgrnn_bundle.waves import Samples, WaveSpec
from cgrnn_train.data.errors import UnusableFileError
from cgrnn_train.data.source import read_file

SPEC = WaveSpec(sample_rate=11_025, frame_samples=150)
CLIP_SECONDS = 2.0
CLIP_SAMPLES = round(CLIP_SECONDS * SPEC.sample_rate)

MARGIN_SECONDS = 0.05
"""Read beyond a clip's end, so that resampling meets no edge there."""

MAX_RATE, MAX_CHANNELS = 192_000, 8
SILENCE = 1e-3
"""Peak of full scale, −60 dB, below which a file holds no sound but its noise."""


class Sound(NamedTuple):
    """Mono samples (time,) float32 and how many there are a second."""

    samples: Samples
    rate: int


def read_sound(source: Path, name: str) -> Sound:
    """Return the beginning of a sound file that `list_sounds` named: `CLIP_SECONDS` and a margin, silence at the end.

    Channels are averaged. Raises UnusableFileError with the reason if the file cannot be read, is empty or silent,
    holds what is no number, or has fewer samples a second than a clip.
    """
    data = read_file(source, name)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = _checked_rate(file)
            wanted = round((CLIP_SECONDS + MARGIN_SECONDS) * rate)
            channels = file.read(wanted, dtype="float32", always_2d=True)  # (time, channels)
    except soundfile.LibsndfileError as error:
        raise UnusableFileError(f"cannot be read as sound: {error.error_string}") from error
    if not len(channels):
        raise UnusableFileError("holds no samples")
    samples = channels.mean(axis=1, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise UnusableFileError("holds samples that are no numbers")
    if np.abs(samples).max() < SILENCE:
        raise UnusableFileError("is silent")
    return Sound(np.pad(samples, (0, wanted - len(samples))), rate)


def to_clip(sound: Sound) -> Samples:
    """Resample to a clip's rate and cut to its length: (22,050,) float32, of any level."""
    samples = soxr.resample(sound.samples, sound.rate, SPEC.sample_rate, quality="HQ")
    return samples[:CLIP_SAMPLES].astype(np.float32)


def within_full_scale(samples: Samples, peak: float = 1.0) -> Samples:
    """Return the samples, made softer as a whole if any is beyond ±`peak`."""
    loudest = float(np.abs(samples).max())
    return samples if loudest <= peak else (samples * (peak / loudest)).clip(-peak, peak).astype(np.float32)


def _checked_rate(file: soundfile.SoundFile) -> int:
    """Return a file's samples a second; UnusableFileError if a clip cannot be made of it."""
    if not SPEC.sample_rate <= file.samplerate <= MAX_RATE:
        raise UnusableFileError(f"has {file.samplerate} samples a second; expected {SPEC.sample_rate} to {MAX_RATE}")
    if file.channels > MAX_CHANNELS:
        raise UnusableFileError(f"has {file.channels} channels; expected at most {MAX_CHANNELS}")
    return file.samplerate
