"""Audio samples to frames and back: the only encoder of sound in the project.

Conventions: *samples* are mono audio samples, float32, full scale at ±1; a *frame* is a model frame, some successive
samples, normalised by the mean and the standard deviation of the training set. Frame k is the samples
[k, k + 1) * frame_samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """What one frame of sound means; the defaults are the paper's (section 5.1).

    Attributes:
        sample_rate: samples a second.
        frame_samples: samples in a frame.
        mean: of the training set's samples.
        std: their standard deviation, above 0.
    """

    sample_rate: int = 11_025
    frame_samples: int = 150
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a spec that means nothing: ValueError."""
        if not 1 <= self.sample_rate <= 768_000:
            raise ValueError(f"sample_rate is {self.sample_rate}; give 1 to 768,000 samples a second, such as 11025")
        if not 1 <= self.frame_samples <= 1 << 16:
            raise ValueError(f"frame_samples is {self.frame_samples}; give 1 to 65,536 samples, such as 150")
        if not math.isfinite(self.mean):
            raise ValueError(f"mean is {self.mean}; give a finite number")
        if not (math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"std is {self.std}; give a positive number")

    @property
    def frame_seconds(self) -> float:
        """A frame's length in seconds."""
        return self.frame_samples / self.sample_rate


def samples_to_frames(samples: Samples, spec: WaveSpec) -> Samples:
    """Cut ``samples`` (time,) into normalised frames (frames, frame_samples) float32; a last partial frame is left out.

    Raises:
        ValueError: the samples are not one row.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples have the shape {samples.shape}; expected one row: mix the channels to mono")
    count = len(samples) // spec.frame_samples
    rows = samples[: count * spec.frame_samples].reshape(count, spec.frame_samples)
    return ((rows - np.float32(spec.mean)) / np.float32(spec.std)).astype(np.float32)


def frames_to_samples(frames: Samples, spec: WaveSpec) -> Samples:
    """Undo `samples_to_frames`: normalised ``frames`` (frames, frame_samples) to samples (time,) float32.

    Raises:
        ValueError: the frames have another size than ``spec``'s.
    """
    if frames.ndim != 2 or frames.shape[1] != spec.frame_samples:
        raise ValueError(f"frames have the shape {frames.shape}; expected (frames, {spec.frame_samples})")
    return (frames * np.float32(spec.std) + np.float32(spec.mean)).astype(np.float32).reshape(-1)
