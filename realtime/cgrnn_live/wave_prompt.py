"""A sound from a file, as the model hears it: WAV, FLAC or what else libsndfile reads, of any rate and width."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

from cgrnn_bundle.waves import WaveSpec, samples_to_frames
from cgrnn_live.errors import UsageError
from cgrnn_live.wave_source import LOUDEST_MODEL_SAMPLE

if TYPE_CHECKING:
    from soundfile import SoundFile

Samples = NDArray[np.float32]

LONGEST_SECONDS = 600.0
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
BLOCK = 1 << 16
"""Samples of each channel in memory at a time."""


class WavePromptError(UsageError):
    """A sound file that cannot be read, or cannot be gone on from."""


def read_wave_prompt(path: Path, spec: WaveSpec) -> Samples:
    """Return the sound in a file as frames, (frames, frame_samples) float32, that decode to it.

    Channels are mixed to one, and the rate becomes ``spec``'s. What does not fill a frame is left out at the beginning:
    the model goes on from the sound's very end. Samples are held within ± `LOUDEST_MODEL_SAMPLE`.

    Raises:
        WavePromptError: the file is missing, is not sound, is empty, too long or too short, or has a NaN.
    """
    if not os.path.isfile(path):  # unlike Path's, it takes any name
        raise WavePromptError(f"{path} is not there; give a sound file such as a WAV.")
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(path) as file:
            samples = _resampled(path, file, spec.sample_rate)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a .raw file, which does not say what it holds
        reason = getattr(error, "error_string", None) or str(error)
        raise WavePromptError(f"{path} cannot be read as sound ({reason.rstrip('.')}); give a WAV file.") from error
    if len(samples) < spec.frame_samples:
        raise WavePromptError(
            f"{path} is shorter than one frame of the model; give one of at least {1e3 * spec.frame_seconds:.1f} ms."
        )
    return samples_to_frames(samples[len(samples) % spec.frame_samples :], spec, loudest=LOUDEST_MODEL_SAMPLE)


def _resampled(path: Path, file: SoundFile, rate: int) -> Samples:
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise WavePromptError(
            f"{path} has {file.samplerate} samples a second; give a sound of {LOWEST_RATE:,} to {HIGHEST_RATE:,}."
        )
    if file.samplerate == rate:
        return np.concatenate([np.zeros(0, np.float32), *_mono(path, file)])
    resampler = soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32", quality="HQ")
    chunks = [resampler.resample_chunk(block) for block in _mono(path, file)]
    return np.concatenate([*chunks, resampler.resample_chunk(np.zeros(0, np.float32), last=True)])


def _mono(path: Path, file: SoundFile) -> Iterator[Samples]:
    """Yield the mean of the channels, block by block; what the file holds is counted, whatever its header says."""
    count = 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        count += len(block)
        if count > LONGEST_SECONDS * file.samplerate:
            raise WavePromptError(f"{path} lasts longer than {LONGEST_SECONDS:g} s; give a shorter sound.")
        if not np.isfinite(block).all():
            raise WavePromptError(f"{path} has samples that are no numbers (NaN or infinite); give another.")
        yield block.mean(axis=1, dtype=np.float32)
    if count == 0:
        raise WavePromptError(f"{path} is empty; give a sound file with samples in it.")


def _soundfile():
    try:
        import soundfile  # a tenth of a second, and most streams have no prompt
    except OSError as error:
        raise WavePromptError(
            "The libsndfile library is missing; install it (on Debian and Ubuntu: libsndfile1)."
        ) from error
    return soundfile
