"""What was just played, kept after the fact: the last bars, in time, as a MIDI file.

All that is played lies in memory, so nobody has to have pressed record. Controller 29 keeps the last bars: the file
begins on a bar line of the clock that is followed, has its tempo, and a track each for the model and the player.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cgrnn_live.clock import SECOND, Arrival, Grid
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON, Message
from cgrnn_live.midifile import Track, midi_file
from cgrnn_live.recording import MODEL, PLAYER, SYSTEM, FileError, write_whole
from cgrnn_live.roles import PRESSED
from cgrnn_live.status import tell

KEEP = 29
"""A controller that MIDI leaves undefined; pressed, it keeps the last bars."""

BEATS_A_BAR = 4

GRACE = 1.0
"""Beats after a bar line during which the bar that has just ended still is the last one."""

MOST_MESSAGES = 50_000
"""That are remembered: an hour of dense playing, in some megabytes."""


class Event(NamedTuple):
    """A message on a track at a time in nanoseconds."""

    track: str
    message: Message
    at: int


class Capture:
    """Remembers what is played. One thread adds and hears; another writes what was asked to be kept."""

    def __init__(self, grid: Callable[[int], Grid], bars: int, folder: Path) -> None:
        """Keep ``bars`` bars of ``grid`` a time, in files in ``folder``."""
        self._grid = grid
        self._bars = bars
        self._folder = folder
        self._events: deque[Event] = deque(maxlen=MOST_MESSAGES)
        self._lock = threading.Lock()
        self._wanted: deque[tuple[int, Grid]] = deque()

    def add(self, track: str, message: Message, at: int) -> None:
        """Remember a channel message at a time of the clock."""
        if message[0] < SYSTEM:
            with self._lock:
                self._events.append(Event(track, message, at))

    def hear(self, arrival: Arrival) -> None:
        """Take the wish to keep the last bars, if the message says so."""
        message = arrival.message
        if len(message) == 3 and message[0] & 0xF0 == CONTROL and message[1] == KEEP and message[2] >= PRESSED:
            self._wanted.append((arrival.at, self._grid(arrival.at)))

    def update(self) -> None:
        """Write what was asked for; what cannot be written is said, and lost."""
        while self._wanted:
            at, grid = self._wanted.popleft()
            with self._lock:
                events = list(self._events)
            path = _free_name(self._folder)
            try:
                write_whole(path, last_bars(events, at, grid, self._bars))
                tell(f"Kept the last {self._bars} bars: {path}.")
            except FileError as error:
                tell(f"{error} The music goes on.")


def last_bars(events: list[Event], now: int, grid: Grid, bars: int) -> bytes:
    """Return the MIDI file of the last ``bars`` bars until ``now`` (ns), the present one included.

    Notes that began earlier begin with the file, those that sound on end with it; ``events`` are in order by track.
    """
    beats = (now - grid.bar_line) / grid.beat
    last_bar = (beats - GRACE) // BEATS_A_BAR + 1  # the bar line that ends the last bar
    end = min(beats, last_bar * BEATS_A_BAR)
    start = (last_bar - bars) * BEATS_A_BAR
    bpm = 60 * SECOND / grid.beat
    chunks: list[bytes] = []
    for name in (MODEL, PLAYER):
        track = Track(name, bpm)
        begun: dict[tuple[int, int], Message] = {}  # notes that sound where the file begins
        has_begun = False
        for event in (event for event in events if event.track == name):
            beat = (event.at - grid.bar_line) / grid.beat
            if beat < start:
                _follow(begun, event.message)
            elif beat < end:
                if not has_begun:
                    has_begun = True
                    _begin(track, begun)
                track.add(event.message, (beat - start) * grid.beat / SECOND)
        if not has_begun:
            _begin(track, begun)
        if not track.is_empty or name == MODEL:
            chunks.append(track.chunk((end - start) * grid.beat / SECOND))
    return midi_file(chunks, bpm)


def _follow(begun: dict[tuple[int, int], Message], message: Message) -> None:
    kind, channel = message[0] & 0xF0, message[0] & 0x0F
    if kind == NOTE_ON and message[2] > 0:
        begun[channel, message[1]] = message
    elif kind in (NOTE_ON, NOTE_OFF):
        begun.pop((channel, message[1]), None)


def _begin(track: Track, begun: dict[tuple[int, int], Message]) -> None:
    for message in begun.values():
        track.add(message, 0.0)


def _free_name(folder: Path) -> Path:
    stem = f"jam-{datetime.now():%Y-%m-%d-%H%M%S}"
    names = (folder / f"{stem}{suffix}.mid" for suffix in ("", *(f"-{count}" for count in range(2, 1000))))
    return next(name for name in names if not name.exists())
