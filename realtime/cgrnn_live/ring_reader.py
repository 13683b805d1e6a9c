"""What a sound card calls for samples: it takes them out of a ring, and fades where there are none.

It runs in PortAudio's thread, which must never wait: no lock, no message, no array of its own, only views of arrays
that are there already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.ring import Ring

Samples = NDArray[np.float32]

FADE_SECONDS = 0.005
"""Short for the ear, long for a loudspeaker: a step over so many samples does not click."""

REFILL = 0.5
"""How full the ring must be again before the sound goes on: else it would stutter at the pace of the writer."""


class RingReader:
    """Fills blocks of a stream from ``ring``, one channel into all.

    An underrun is a block for which the ring has too few samples: the last one fades out, and the sound fades in again
    once the ring is full enough.

    Attributes:
        calls: blocks filled so far.
        underruns: of these, those at which the ring ran dry.
        underflows: blocks before which the device, by PortAudio's word, had nothing to play.
        is_ended: set it when no more samples will be written: the ring running dry is then no underrun.
        is_stopping: set it to fade out at once, and for good.
        is_silent: nothing of the sound is left to come: it ended, or was stopped, and has faded.
    """

    def __init__(self, ring: Ring, sample_rate: int) -> None:
        """Begin at the ring's first sample, without a fade."""
        self.calls = 0
        self.underruns = 0
        self.underflows = 0
        self.is_ended = False
        self.is_stopping = False
        self.is_silent = False
        self._ring = ring
        self._refilled = round(REFILL * ring.capacity)
        self._fade = max(1, round(FADE_SECONDS * sample_rate))
        self._rise = (np.arange(1, self._fade + 1) / self._fade).astype(np.float32)
        self._fall = self._rise[::-1] - np.float32(1 / self._fade)  # to 0
        self._risen = self._fade
        self._fallen = 0
        self._is_dry = False
        self._last = np.float32(0)

    def fill(self, out: Samples, count: int, _time: Any, status: Any) -> None:
        """Fill ``out`` (count, channels)."""
        self.calls += 1
        if status.output_underflow:
            self.underflows += 1
        mono = out[:, 0]
        taken = 0 if self._is_held() else self._take(mono, count)
        if taken < count:
            self._fade_out(mono[taken:], count - taken)
        out[:, 1:] = out[:, :1]

    def _is_held(self) -> bool:
        """Whether what is in the ring is not to be played yet, or no more."""
        return self.is_stopping or (self._is_dry and not self.is_ended and self._ring.available < self._refilled)

    def _take(self, mono: Samples, count: int) -> int:
        taken = self._ring.read(mono)
        if taken == 0:
            return 0
        if self._is_dry:
            self._is_dry, self._risen, self._fallen = False, 0, 0
        if self._risen < self._fade:
            rising = min(taken, self._fade - self._risen)
            mono[:rising] *= self._rise[self._risen : self._risen + rising]
            self._risen += rising
        self._last = mono[taken - 1]
        return taken

    def _fade_out(self, rest: Samples, count: int) -> None:
        if not self._is_dry:
            self._is_dry = True
            if not (self.is_ended or self.is_stopping):
                self.underruns += 1
        falling = min(count, self._fade - self._fallen)
        np.multiply(self._fall[self._fallen : self._fallen + falling], self._last, out=rest[:falling])
        rest[falling:] = 0
        self._fallen += falling
        if self._fallen == self._fade and (self.is_stopping or (self.is_ended and self._ring.available == 0)):
            self.is_silent = True
