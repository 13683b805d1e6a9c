"""From frames to note messages, and the one place that knows which notes sound.

The ledger stands between the improviser and the wire: a note is entered before its note-on is sent and struck out
only after its note-off was, so that whatever happens in between, `Ledger.silence` ends every note that may sound, and
none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Message = tuple[int, ...]
"""The bytes of one MIDI message: (status, data...)."""

Send = Callable[[Message, int], None]
"""Sends a message; the integer is the time it belongs to, in the clock's nanoseconds."""

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
SUSTAIN, ALL_NOTES_OFF = 64, 123


class Ledger:
    """Plays frames through ``send``.

    Legato, a pitch that is on in consecutive frames is one note; else it is struck again in each.
    """

    def __init__(
        self,
        send: Send,
        *,
        channel: int = 1,
        velocity: int = 80,
        retriggers: bool = False,
        split: tuple[int, int] | None = None,
    ) -> None:
        """Play through ``send``.

        Args:
            send: where messages go.
            channel: 1..16.
            velocity: of note-ons, 1..127.
            retriggers: whether a note that goes on is struck again.
            split: a pitch, and the channel, 1..16, of what lies below it.
        """
        self._send = send
        self._split, low_channel = split or (0, channel)
        self._channel, self._low_channel = channel - 1, low_channel - 1
        self._channels = sorted({self._channel, self._low_channel})
        self._velocity = velocity
        self._retriggers = retriggers
        self._sounding: dict[int, int] = {}  # pitch: the channel, 0..15, that it was begun on
        self._begun: dict[int, int] = {}  # the same of all notes begun since the last `reset`
        self._pedal_is_down = False
        self.notes = 0
        """Notes begun so far."""

    @property
    def sounding(self) -> frozenset[int]:
        """The pitches that sound."""
        return frozenset(self._sounding)

    def play(self, frame: NDArray[np.bool_], at: int, velocity: int | None = None) -> None:
        """Make exactly the pitches of ``frame``, (128,) booleans, sound: offs before ons, each from low to high.

        ``velocity`` is that of the notes that begin, 1..127; the ledger's own if not given.
        """
        wanted = set(np.flatnonzero(frame).tolist())
        for pitch in sorted(self._sounding.keys() - (set() if self._retriggers else wanted)):
            self._end(pitch, at)
        for pitch in sorted(wanted - self._sounding.keys()):
            channel = self._low_channel if pitch < self._split else self._channel
            self._sounding[pitch] = self._begun[pitch] = channel
            self.notes += 1
            self._send((NOTE_ON | channel, pitch, self._velocity if velocity is None else velocity), at)

    def pedal(self, value: int, at: int) -> None:
        """Move the sustain pedal of every channel to ``value``, 0 (up) to 127; `silence` lifts it."""
        self._pedal_is_down = True  # until it has been sent that it is not
        for channel in self._channels:
            self._send((CONTROL | channel, SUSTAIN, value), at)
        self._pedal_is_down = value > 0

    def release(self, pitch: int, at: int) -> None:
        """End ``pitch`` if it sounds: whoever strikes it now has it for themselves."""
        if pitch in self._sounding:
            self._end(pitch, at)

    def silence(self, at: int) -> None:
        """End every sounding note once and lift the pedal; what cannot be ended keeps nothing else from it."""
        ends = [partial(self._end, pitch, at) for pitch in sorted(self._sounding)]
        if self._pedal_is_down:
            ends.append(partial(self.pedal, 0, at))
        _try_all(ends)

    def reset(self, at: int) -> None:
        """Silence a receiver that may have missed anything so far: end whatever was begun, sounding or not."""
        self._sounding |= self._begun
        self._begun.clear()
        self.close(at)

    def close(self, at: int) -> None:
        """End every sounding note, then release the pedal and ask the receiver to end whatever it still holds.

        All of it is tried, whatever fails.
        """
        attempts = [partial(self.silence, at)]
        for channel in self._channels:
            for number in (SUSTAIN, ALL_NOTES_OFF):
                attempts.append(partial(self._send, (CONTROL | channel, number, 0), at))
        _try_all(attempts)

    def _end(self, pitch: int, at: int) -> None:
        self._send((NOTE_OFF | self._sounding[pitch], pitch, 0), at)
        del self._sounding[pitch]


def _try_all(attempts: Iterable[Callable[[], None]]) -> None:
    """Make every attempt, whatever fails; then raise the last failure."""
    failure = None
    for attempt in attempts:
        try:
            attempt()
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure
