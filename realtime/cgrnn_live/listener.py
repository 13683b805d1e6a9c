"""What the player plays, as frames, and what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import FrameSpec, notes_to_frames
from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, Message
from cgrnn_live.roles import no_notes

DRUM_CHANNEL = 9
ALL_SOUND_OFF = 120


def is_panic(message: Message) -> bool:
    """Whether ``message`` asks that every note be ended."""
    return len(message) == 3 and message[0] & 0xF0 == CONTROL and message[1] in (ALL_SOUND_OFF, ALL_NOTES_OFF)


class Listener:
    """Collects the player's notes between two cut-offs and encodes them as a frame; channel 10, drums, is not heard.

    A note that comes in only after the cut-off that it began before belongs to the interval after that: it is heard a
    frame late rather than never.
    """

    def __init__(self, spec: FrameSpec) -> None:
        """Encode by ``spec``'s rule."""
        self._spec = spec
        self._held: dict[int, int] = {}  # pitch: start, ns
        self._ended: list[tuple[int, int, int]] = []  # pitch, start, end, ns
        self._opened = 0  # ns

    @property
    def held(self) -> list[int]:
        """The pitches of the keys that are down."""
        return list(self._held)

    def open(self, at: int) -> None:
        """Open the first interval at ``at`` (ns)."""
        self._opened = at

    def hear(self, arrival: Arrival) -> bool:
        """Take a message in; return whether a note began."""
        at, (status, *data) = arrival
        if len(data) < 2 or status & 0x0F == DRUM_CHANNEL:
            return False
        kind, (number, value) = status & 0xF0, data[:2]
        if is_panic(arrival.message):
            for pitch in list(self._held):
                self._end(pitch, at)
        if kind in (NOTE_OFF, NOTE_ON):
            self._end(number, at)
        begins = kind == NOTE_ON and value > 0
        if begins:
            self._held[number] = max(at, self._opened)
        return begins

    def close(self, closed: int) -> NDArray[np.bool_]:
        """Return the frame heard until ``closed`` (ns), (128,) booleans, and open the next interval there."""
        closed = max(closed, self._opened + 1)  # where the loop is late, two may be closed at once
        opened, self._opened = self._opened, closed
        notes = self._ended + [(pitch, start, closed) for pitch, start in self._held.items()]
        self._ended = []
        if not notes:
            return no_notes()
        pitch, start, end = np.array(notes, np.int64).T
        # The interval is frame 1; frame 0 stands for all that was before it.
        seconds = self._spec.frame_seconds / (closed - opened)
        starts = np.maximum(0, (start - opened) * seconds + self._spec.frame_seconds)
        ends = np.maximum(starts, (end - opened) * seconds + self._spec.frame_seconds)
        return notes_to_frames(pitch, starts, ends, self._spec, 2)[1]

    def _end(self, pitch: int, at: int) -> None:
        start = self._held.pop(pitch, None)
        if start is not None:
            self._ended.append((pitch, start, max(start, at)))
