"""Audio samples to frames and back: the only encoder of sound in the project.

Conventions: *samples* are mono audio samples, float32, full scale at ±1; normalised ones are in standard deviations of
the training set's. A *frame* is a model frame, of the samples [k, k + 1) * frame_samples: with ``order`` 0 these
themselves, normalised, and else what they add to what the samples before them say (`cgrnn_bundle.prediction`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.prediction import Prediction, Wide, predict, residual, respond

Samples = NDArray[np.float32]

MAX_ORDER, MAX_WINDOW = 512, 1 << 16
ORDER = 128
"""What data sets take by default: 12 ms, a period of 86 Hz, and resonances enough for most strings below it."""
"""Of a linear prediction and what it is fitted to, both in samples: players fit one a frame."""


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """What one frame of sound means; the defaults are the paper's (section 5.1).

    Attributes:
        sample_rate: samples a second.
        frame_samples: samples in a frame.
        mean: of the training set's samples.
        std: their standard deviation, above 0.
        order: of the linear prediction whose residual a frame is; 0: a frame is the samples, as in the paper.
        window: samples before a frame that its prediction is fitted to, more than ``order``.
    """

    sample_rate: int = 11_025
    frame_samples: int = 150
    mean: float = 0.0
    std: float = 1.0
    order: int = 0
    window: int = 3_968

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
        if not 0 <= self.order <= MAX_ORDER:
            raise ValueError(f"order is {self.order}; give 0 to {MAX_ORDER} samples, such as 128")
        if not self.order < self.window <= MAX_WINDOW:
            raise ValueError(f"window is {self.window}; give more samples than the order, and at most {MAX_WINDOW:,}")

    @property
    def frame_seconds(self) -> float:
        """A frame's length in seconds."""
        return self.frame_samples / self.sample_rate


class WaveCoder:
    """Samples to frames and back, a frame at a time, each with what was heard before it.

    Both ways what was heard is what the frames, in float32, decode to. So whoever encodes and whoever decodes have the
    same history, bit for bit, and rounding does not go on from frame to frame, where it would grow: a prediction that
    is fitted to samples a little different makes the next ones more so.

    Args:
        spec: what a frame means.
        loudest: samples are held within ± this, full scale at 1, and so held they are what was heard.
    """

    def __init__(self, spec: WaveSpec, *, loudest: float = math.inf) -> None:
        self.spec = spec
        self._lowest, self._highest = (-loudest - spec.mean) / spec.std, (loudest - spec.mean) / spec.std
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._history: Wide = np.zeros(self.spec.window)
        self._heard = 0

    def encode(self, samples: Samples) -> Samples:
        """The frame (frame_samples,) float32 of the next ``samples`` (frame_samples,); ValueError on another size."""
        self._check(samples, "samples")
        prediction = self._predict()
        normalised = self._hold((samples.astype(np.float64) - self.spec.mean) / self.spec.std)
        frame = residual(self._past, normalised, prediction).astype(np.float32)
        self._hear(frame, prediction)
        return frame

    def decode(self, frame: Samples) -> Samples:
        """The next samples (frame_samples,) float32 of a ``frame`` (frame_samples,); ValueError on another size.

        Samples that are no numbers are heard as they are, and so may be all after them, until `reset`.
        """
        self._check(frame, "a frame")
        return (self._hear(frame, self._predict()) * self.spec.std + self.spec.mean).astype(np.float32)

    @property
    def _past(self) -> Wide:
        return self._history[self.spec.window - self.spec.order :]

    def _predict(self) -> Prediction:
        return predict(self._history, self._heard, self.spec.order)

    def _hear(self, frame: Samples, prediction: Prediction) -> Wide:
        """Add a frame to the history; return its normalised samples."""
        window = self.spec.window
        normalised = self._hold(respond(self._past, frame.astype(np.float64), prediction))
        self._history = np.concatenate([self._history[len(normalised) :], normalised[-window:]])
        self._heard = min(self._heard + len(normalised), window)
        return normalised

    def _hold(self, normalised: Wide) -> Wide:
        return normalised.clip(self._lowest, self._highest)

    def _check(self, row: Samples, name: str) -> None:
        if row.shape != (self.spec.frame_samples,):
            raise ValueError(f"{name} of the shape {row.shape}; expected ({self.spec.frame_samples},)")


def predictions(normalised: Wide, spec: WaveSpec) -> Iterator[Prediction]:
    """What the samples before each whole frame of ``normalised`` (..., time) say of it, frame after frame."""
    padding = np.zeros((*normalised.shape[:-1], spec.window))
    whole = np.concatenate([padding, normalised], axis=-1)
    for start in range(0, normalised.shape[-1] - spec.frame_samples + 1, spec.frame_samples):
        yield predict(whole[..., start : start + spec.window], min(start, spec.window), spec.order)


def residuals(normalised: Wide, spec: WaveSpec) -> tuple[Wide, Wide]:
    """The frames of ``normalised`` samples (..., time), (..., frames, frame_samples), and their σ, (..., frames).

    Of the samples themselves: those of `WaveCoder` differ by rounding to float32. A last partial frame is left out.
    """
    size, order = spec.frame_samples, spec.order
    leading, count = normalised.shape[:-1], normalised.shape[-1] // size
    whole = np.concatenate([np.zeros((*leading, order)), normalised], axis=-1)
    frames, scales = np.empty((*leading, count, size)), np.empty((*leading, count))
    for index, prediction in enumerate(predictions(normalised, spec)):
        start = index * size
        past, samples = np.split(whole[..., start : start + order + size], [order], axis=-1)
        frames[..., index, :] = residual(past, samples, prediction)
        scales[..., index] = prediction.scale
    return frames, scales


def samples_to_frames(samples: Samples, spec: WaveSpec, *, loudest: float = math.inf) -> Samples:
    """Cut ``samples`` (time,) into frames (frames, frame_samples) float32; a last partial frame is left out.

    ``loudest`` is that of `WaveCoder`.

    Raises:
        ValueError: the samples are not one row.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples have the shape {samples.shape}; expected one row: mix the channels to mono")
    rows = samples[: len(samples) // spec.frame_samples * spec.frame_samples].reshape(-1, spec.frame_samples)
    coder = WaveCoder(spec, loudest=loudest)
    return np.stack([coder.encode(row) for row in rows]) if len(rows) else np.zeros(rows.shape, np.float32)


def frames_to_samples(frames: Samples, spec: WaveSpec) -> Samples:
    """Undo `samples_to_frames`: ``frames`` (frames, frame_samples) to samples (time,) float32.

    Raises:
        ValueError: the frames have another size than ``spec``'s.
    """
    if frames.ndim != 2 or frames.shape[1] != spec.frame_samples:
        raise ValueError(f"frames have the shape {frames.shape}; expected (frames, {spec.frame_samples})")
    coder = WaveCoder(spec)
    return np.concatenate([np.zeros(0, np.float32), *(coder.decode(frame) for frame in frames)])
