"""From frames to note messages, and the one place that knows which notes sound.

The ledger stands between the improviser and the wire: a note is entered before its note-on is sent and struck out
only after its note-off was, so that whatever happens in between, `Ledger.silence` ends every note that may sound, and
none twice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Message = tuple[int, ...]
"""The bytes of one MIDI message: (status, data...)."""

Send = Callable[[Message, int], None]
"""Sends a message; the integer is the time it belongs to, in the clock's nanoseconds."""

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
SUSTAIN, ALL_NOTES_OFF = 64, 123


class Ledger:
    """Plays frames through ``send`` on one channel, legato: a pitch that is on in consecutive frames is one note."""

    def __init__(self, send: Send, *, channel: int = 1, velocity: int = 80) -> None:
        """Play on ``channel`` (1..16) with note-on ``velocity`` (1..127)."""
        self._send = send
        self._channel = channel - 1
        self._velocity = velocity
        self._sounding: set[int] = set()
        self._begun: set[int] = set()
        self.notes = 0
        """Notes begun so far."""

    @property
    def sounding(self) -> frozenset[int]:
        """The pitches that sound."""
        return frozenset(self._sounding)

    def play(self, frame: NDArray[np.bool_], at: int) -> None:
        """Make exactly the pitches of ``frame``, (128,) booleans, sound: offs before ons, each from low to high."""
        wanted = set(np.flatnonzero(frame).tolist())
        for pitch in sorted(self._sounding - wanted):
            self._end(pitch, at)
        for pitch in sorted(wanted - self._sounding):
            self._sounding.add(pitch)
            self._begun.add(pitch)
            self.notes += 1
            self._send((NOTE_ON | self._channel, pitch, self._velocity), at)

    def release(self, pitch: int, at: int) -> None:
        """End ``pitch`` if it sounds: whoever strikes it now has it for themselves."""
        if pitch in self._sounding:
            self._end(pitch, at)

    def silence(self, at: int) -> None:
        """End every sounding note once; a note that cannot be ended keeps none of the others from it."""
        failure = None
        for pitch in sorted(self._sounding):
            try:
                self._end(pitch, at)
            except Exception as error:
                failure = error
        if failure is not None:
            raise failure

    def reset(self, at: int) -> None:
        """Silence a receiver that may have missed anything so far: end whatever was begun, sounding or not."""
        self._sounding |= self._begun
        self._begun.clear()
        self.close(at)

    def close(self, at: int) -> None:
        """End every sounding note, then release the pedal and ask the receiver to end whatever it still holds.

        All of it is tried, whatever fails.
        """
        try:
            self.silence(at)
        finally:
            try:
                self._send((CONTROL | self._channel, SUSTAIN, 0), at)
            finally:
                self._send((CONTROL | self._channel, ALL_NOTES_OFF, 0), at)

    def _end(self, pitch: int, at: int) -> None:
        self._send((NOTE_OFF | self._channel, pitch, 0), at)
        self._sounding.discard(pitch)
