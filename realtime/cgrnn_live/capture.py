"""What was just played, kept after the fact: the last bars, in time, as a MIDI file.

All that is played lies in memory, so nobody has to have pressed record. Controller 29 keeps the last bars: the file
begins on a bar line of the clock that is followed, has its tempo, and a track each for the model and the player.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgrnn_live.beats import BEATS_A_BAR, Beats, Moment
from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON, Message
from cgrnn_live.midifile import Track, midi_file
from cgrnn_live.recording import BEAT_A_SECOND, MODEL, PLAYER, SYSTEM, FileError, write_whole
from cgrnn_live.roles import PRESSED
from cgrnn_live.status import tell

KEEP = 29
"""A controller that MIDI leaves undefined; pressed, it keeps the last bars."""

GRACE = 1.0
"""Beats after a bar line during which the bar that has just ended still is the last one."""

TRACKS = (MODEL, PLAYER)

PACKED = struct.Struct("<dfBB3s")
"""An event in memory, of 17 bytes: beats, tempo, number in `TRACKS`, length of the message, message."""


class Event(NamedTuple):
    """A message on a track."""

    track: str
    message: Message
    moment: Moment


class Capture:
    """Remembers what is played. One thread adds and hears; another writes what was asked to be kept."""

    def __init__(self, beats: Beats, bars: int, folder: Path) -> None:
        """Keep the last ``bars`` bars of ``beats`` when asked to, in files in ``folder``."""
        self._beats = beats
        self._bars = bars
        self._folder = folder
        self._packed = bytearray()
        self._lock = threading.Lock()
        self._wanted: deque[Moment] = deque()

    def add(self, track: str, message: Message, moment: Moment) -> None:
        """Remember a channel message."""
        if message[0] < SYSTEM:
            with self._lock:
                self._packed += PACKED.pack(*moment, TRACKS.index(track), len(message), bytes(message))

    def hear(self, arrival: Arrival) -> None:
        """Take the wish to keep the last bars, if the message says so."""
        message = arrival.message
        if len(message) == 3 and message[0] & 0xF0 == CONTROL and message[1] == KEEP and message[2] >= PRESSED:
            self._wanted.append(self._beats.moment(arrival.at))

    def update(self) -> None:
        """Write what was asked for; what cannot be written is said, and lost."""
        while self._wanted:
            now = self._wanted.popleft()
            bars, data = last_bars(self._events(), now, self._bars)
            if bars == 0:
                tell("Nothing was played in the last bars: nothing is kept.")
                continue
            path = _free_name(self._folder)
            try:
                write_whole(path, data)
                tell(f"Kept the last {bars} bars: {path}." if bars > 1 else f"Kept the last bar: {path}.")
            except FileError as error:
                tell(f"{error} The music goes on.")

    def _events(self) -> list[Event]:
        with self._lock:
            packed = bytes(self._packed)
        return [
            Event(TRACKS[track], tuple(message[:length]), Moment(beats, bpm))
            for beats, bpm, track, length, message in PACKED.iter_unpack(packed)
        ]


def last_bars(events: list[Event], now: Moment, most: int) -> tuple[int, bytes]:
    """Return the MIDI file of the last bars until ``now``, the present one included, and how many they are.

    They are at most ``most``, and begin with the first in which there is a note. Notes that began earlier begin with
    the file, those that sound on end with it; the file's tempo is the median of what was played. ``events`` are in
    order by track.
    """
    bar = now.beats // BEATS_A_BAR  # the present one
    end = now.beats
    if end - bar * BEATS_A_BAR < GRACE and any(event.moment.beats < bar * BEATS_A_BAR for event in events):
        end = bar * BEATS_A_BAR
        bar -= 1
    start = max(bar - most + 1, 0) * BEATS_A_BAR
    begun: dict[str, dict[tuple[int, int], Message]] = {MODEL: {}, PLAYER: {}}  # notes that sound where the file begins
    inside: list[Event] = []
    for event in events:
        if event.moment.beats < start:
            _follow(begun[event.track], event.message)
        elif event.moment.beats < end:
            inside.append(event)
    if not any(begun.values()):
        first = next((event.moment.beats for event in inside if event.message[0] & 0xF0 == NOTE_ON), None)
        if first is None:
            return 0, b""
        start = max(start, first // BEATS_A_BAR * BEATS_A_BAR)
    tracks = {name: Track(name, BEAT_A_SECOND) for name in TRACKS}
    for name, notes in begun.items():
        for message in notes.values():
            tracks[name].add(message, 0.0)
    for track, message, moment in inside:
        tracks[track].add(message, max(0.0, moment.beats - start))
    chunks = [track.chunk(end - start) for name, track in tracks.items() if name == MODEL or not track.is_empty]
    tempo = float(np.median([event.moment.bpm for event in inside] or [now.bpm]))
    return round(bar - start / BEATS_A_BAR) + 1, midi_file(chunks, tempo)


def _follow(begun: dict[tuple[int, int], Message], message: Message) -> None:
    kind, channel = message[0] & 0xF0, message[0] & 0x0F
    if kind == NOTE_ON and message[2] > 0:
        begun[channel, message[1]] = message
    elif kind in (NOTE_ON, NOTE_OFF):
        begun.pop((channel, message[1]), None)


def _free_name(folder: Path) -> Path:
    stem = f"jam-{datetime.now():%Y-%m-%d-%H%M%S}"
    names = (folder / f"{stem}{suffix}.mid" for suffix in ("", *(f"-{count}" for count in range(2, 1000))))
    return next(name for name in names if not name.exists())
