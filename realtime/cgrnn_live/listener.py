"""What the player plays, as frames, and what they hold, with their hands or with the sustain pedal.

A note that the pedal sustains sounds: it is heard and held like one whose key is down, until the pedal goes up, its key
is struck again, or everything is ended.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import FrameSpec, notes_to_frames
from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Message
from cgrnn_live.roles import PRESSED, no_notes

DRUM_CHANNEL = 9
ALL_SOUND_OFF = 120

RECENT_FRAMES = 4
"""For so many frames after a note was struck it is still the player's, key down or not: a second of `pop`."""


def is_panic(message: Message) -> bool:
    """Whether ``message`` asks that every note be ended."""
    return len(message) == 3 and message[0] & 0xF0 == CONTROL and message[1] in (ALL_SOUND_OFF, ALL_NOTES_OFF)


def is_pedal(message: Message) -> bool:
    """Whether ``message`` moves the sustain pedal."""
    return len(message) == 3 and message[0] & 0xF0 == CONTROL and message[1] == SUSTAIN


class Listener:
    """Collects the player's notes between two cut-offs and encodes them as a frame; channel 10, drums, is not heard.

    A note that comes in only after the cut-off that it began before belongs to the interval after that: it is heard a
    frame late rather than never.
    """

    def __init__(self, spec: FrameSpec, *, has_pedal: bool = True) -> None:
        """Encode by ``spec``'s rule; without ``has_pedal`` controller 64 sustains nothing."""
        self._spec = spec
        self._has_pedal = has_pedal
        self._held: dict[int, int] = {}  # pitch: start, ns
        self._ended: list[tuple[int, int, int]] = []  # pitch, start, end, ns
        self._opened = 0  # ns
        self._pedals: set[int] = set()  # channels whose pedal is down
        self._sustained: dict[int, int] = {}  # pitch whose key is up: channel
        self._struck: dict[int, int] = {}  # pitch: intervals for which it is recent

    @property
    def held(self) -> list[int]:
        """The pitches that sound: their keys are down, or the pedal is."""
        return list(self._held)

    @property
    def recent(self) -> list[int]:
        """The pitches that were struck in the last `RECENT_FRAMES`."""
        return list(self._struck)

    def open(self, at: int) -> None:
        """Open the first interval at ``at`` (ns)."""
        self._opened = at

    def hear(self, arrival: Arrival) -> bool:
        """Take a message in; return whether a note began."""
        at, (status, *data) = arrival
        if len(data) < 2 or status & 0x0F == DRUM_CHANNEL:
            return False
        kind, (number, value) = status & 0xF0, data[:2]
        channel = status & 0x0F
        begins = kind == NOTE_ON and value > 0
        if is_panic(arrival.message):
            self._pedals.clear()
            for pitch in list(self._held):
                self._end(pitch, at)
        elif is_pedal(arrival.message) and self._has_pedal:
            self._move_pedal(channel, at, is_down=value >= PRESSED)
        elif begins:
            self._end(number, at)
            self._held[number] = max(at, self._opened)
            self._struck[number] = RECENT_FRAMES
        elif kind in (NOTE_OFF, NOTE_ON):
            if channel not in self._pedals:
                self._end(number, at)
            elif number in self._held:
                self._sustained[number] = channel
        return begins

    def close(self, closed: int) -> NDArray[np.bool_]:
        """Return the frame heard until ``closed`` (ns), (128,) booleans, and open the next interval there."""
        closed = max(closed, self._opened + 1)  # where the loop is late, two may be closed at once
        opened, self._opened = self._opened, closed
        notes = self._ended + [(pitch, start, closed) for pitch, start in self._held.items()]
        self._ended = []
        self._struck = {pitch: left - 1 for pitch, left in self._struck.items() if left > 1}
        if not notes:
            return no_notes()
        pitch, start, end = np.array(notes, np.int64).T
        # The interval is frame 1; frame 0 stands for all that was before it.
        seconds = self._spec.frame_seconds / (closed - opened)
        starts = np.maximum(0, (start - opened) * seconds + self._spec.frame_seconds)
        ends = np.maximum(starts, (end - opened) * seconds + self._spec.frame_seconds)
        return notes_to_frames(pitch, starts, ends, self._spec, 2)[1]

    def _move_pedal(self, channel: int, at: int, *, is_down: bool) -> None:
        if is_down:
            self._pedals.add(channel)
            return
        self._pedals.discard(channel)
        for pitch in [pitch for pitch, sustainer in self._sustained.items() if sustainer == channel]:
            self._end(pitch, at)

    def _end(self, pitch: int, at: int) -> None:
        self._sustained.pop(pitch, None)
        start = self._held.pop(pitch, None)
        if start is not None:
            self._ended.append((pitch, start, max(start, at)))
