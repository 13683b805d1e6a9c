"""Sound from a model, as a stream of samples at any rate: whoever pulls, and however much at a time, gets the same.

    frames (the prompt's, then the model's) ─► coder ─► samples, no NaN ─► soxr ─► limiter ─► pull

Each frame goes through the whole chain by itself, so that the division of the pulls cannot matter: a sound card that
takes 256 samples at a time plays, bit for bit, what a file has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from cgrnn_bundle.waves import WaveCoder, WaveSpec
from cgrnn_live.limiter import Limiter

Samples = NDArray[np.float32]

QUALITY = "HQ"
"""Of soxr: its errors are below 20-bit samples'."""

LOUDEST_MODEL_SAMPLE = 16.0
"""Full scale times this is all that the limiter needs to be shown; more could overflow in the resampler. The coder
hears no more either, so that a loud model is not predicted to go on louder still."""

OVER_LEVEL, OVER_SECONDS = 10 ** (-50 / 20), 0.25
"""A sound is over where all of this time is below this root mean square, full scale being 1."""
LOUDER = 4.0
"""A frame of this many times the level that the sound had, 12 dB, is none of it."""
FALL, RISE = 0.97, 1.01
"""Bounds, a frame, on how that level follows the frames'."""


class FrameSource(Protocol):
    """What the stream asks of `wave_engine.WaveEngine`."""

    @property
    def spec(self) -> WaveSpec:
        """What a frame means."""
        ...

    def sample(self) -> Samples:
        """Draw the next frame, (frame_samples,) float32."""
        ...

    def advance(self, heard: Samples) -> None:
        """Go on from the frame that was heard, (frame_samples,) float32."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class WaveSource:
    """An endless sound: ``prompt`` first, then what the model makes of it.

    A model of single notes does not strike the next one by itself. So where the sound has died away, or is suddenly
    much louder, it begins again with the next of ``again``, and the model forgets what it heard.

    Attributes:
        sample_rate: of what `pull` returns, in samples a second.
        frames: of the model so far, the prompt's included.
        begun_again: how often the sound was over.
        not_finite: of those, frames that are, or whose samples are, NaN or infinite. Without ``again`` each is silence,
            and the model begins anew after it, with no history; with it the sound is over.
        peak: the highest sample so far; full scale is 1.
    """

    def __init__(
        self,
        engine: FrameSource,
        sample_rate: int,
        prompt: Samples | None = None,
        *,
        again: Iterator[Samples] | None = None,
    ) -> None:
        """Begin; ``prompt`` and each of the endless ``again`` are (frames, frame_samples), as a prompt is read."""
        self._engine = engine
        self._again = again
        self._level = self._quiet_seconds = 0.0
        self.begun_again = 0
        self._coder = WaveCoder(engine.spec, loudest=LOUDEST_MODEL_SAMPLE)
        self._prompt = deque([] if prompt is None else prompt)
        self.frames = 0
        self.not_finite = 0
        self.peak = 0.0
        self._limited_before = 0
        self._set_rate(sample_rate)

    @property
    def limited(self) -> int:
        """Samples so far that the limiter made quieter."""
        return self._limited_before + self._limiter.limited

    def set_rate(self, sample_rate: int) -> None:
        """Go on at another rate, for another device: what was on its way at the old one is dropped."""
        self._limited_before = self.limited
        self._set_rate(sample_rate)

    def _set_rate(self, sample_rate: int) -> None:
        own = self._engine.spec.sample_rate
        self.sample_rate = sample_rate
        self._resampler = (
            None if sample_rate == own else soxr.ResampleStream(own, sample_rate, 1, dtype="float32", quality=QUALITY)
        )
        self._limiter = Limiter(sample_rate)
        self._lead = self._limiter.delay  # samples of the limiter's own silence, before the first of the sound
        self._ready: deque[Samples] = deque()
        self._ready_count = 0

    def pull(self, count: int) -> Samples:
        """Return the next ``count`` samples (count,) float32, none above `limiter.CEILING`."""
        while self._ready_count < count:
            self._add(self._limiter.process(self._next_samples()))
        out = np.empty(count, np.float32)
        filled = 0
        while filled < count:
            chunk = self._ready.popleft()
            part = chunk[: count - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            if len(part) < len(chunk):
                self._ready.appendleft(chunk[len(part) :])
        self._ready_count -= count
        self.peak = max(self.peak, float(np.abs(out).max(initial=0.0)))
        return out

    def _add(self, chunk: Samples) -> None:
        dropped = min(self._lead, len(chunk))
        self._lead -= dropped
        if dropped < len(chunk):
            self._ready.append(chunk[dropped:])
            self._ready_count += len(chunk) - dropped

    def _next_samples(self) -> Samples:
        """Return what the next frame adds at `sample_rate`; soxr may keep it back and return several at a time."""
        with np.errstate(over="ignore", invalid="ignore"):
            is_prompt = bool(self._prompt)
            frame = self._prompt.popleft() if is_prompt else self._engine.sample()
            samples = self._coder.decode(frame)
        self.frames += 1
        is_finite = bool(np.isfinite(frame).all() and np.isfinite(samples).all())
        self.not_finite += not is_finite
        if self._again is not None and (not is_finite or self._is_over(samples, is_prompt=is_prompt)):
            frame = self._begin_again(next(self._again))
            samples, is_finite = self._coder.decode(frame), True
        if is_finite:
            self._engine.advance(frame)
        else:
            self._forget()
            samples = np.zeros_like(samples)
        return samples if self._resampler is None else self._resampler.resample_chunk(samples)

    def _is_over(self, samples: Samples, *, is_prompt: bool) -> bool:
        level = float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
        if is_prompt:
            self._level, self._quiet_seconds = max(self._level * FALL, level), 0.0
            return False
        if level > LOUDER * self._level:
            return True
        self._level = min(max(level, self._level * FALL), self._level * RISE)
        self._quiet_seconds = self._quiet_seconds + self._engine.spec.frame_seconds if level < OVER_LEVEL else 0.0
        return self._quiet_seconds >= OVER_SECONDS

    def _begin_again(self, prompt: Samples) -> Samples:
        """Forget the sound, take up ``prompt``, and return its first frame."""
        self._forget()
        self.begun_again += 1
        self._prompt = deque(prompt)
        return self._prompt.popleft()

    def _forget(self) -> None:
        self._engine.reset()
        self._coder.reset()
        self._level = self._quiet_seconds = 0.0
