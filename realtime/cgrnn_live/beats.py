"""The time of a performance in beats, for its files: quarter notes from the beginning; bars lie on multiples of 4.

On a song's clock that is where the song is. It goes on where the song stands, at its tempo, and where the song goes on,
or jumps, the next place that is as far into its bar: what was played is in order, and on the bars of the song.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from cgrnn_live.clock import SECOND
from cgrnn_live.midi_clock import CLOCKS_A_QUARTER, ClockFollower

BEATS_A_BAR = 4

OVERLAP = 1.0
"""Beats by which a part may begin before the one before it seems to end: a note of that may be due beyond the seam."""


class Moment(NamedTuple):
    """When something was played, in beats from the beginning, and the tempo by then, in beats a minute."""

    beats: float
    bpm: float


class Beats(Protocol):
    """Tells the moment of a time."""

    def moment(self, at: int) -> Moment:
        """Return when ``at`` (ns of the clock) is; for one thread only, and about in order."""
        ...


class EvenBeats:
    """Beats of one tempo, from the time on that ``origin`` gives."""

    def __init__(self, origin: Callable[[], int], bpm: float) -> None:
        self._origin = origin
        self._bpm = bpm

    def moment(self, at: int) -> Moment:
        """See `Beats.moment`."""
        return Moment((at - self._origin()) / SECOND * self._bpm / 60, self._bpm)


class SongBeats:
    """Beats of the song that a MIDI clock tells of."""

    def __init__(self, follower: ClockFollower) -> None:
        self._follower = follower
        self._part: tuple[bool, int] | None = None  # whether the song ran, and how often it had jumped by then
        self._since = 0  # when that began, ns
        self._shift = 0.0  # from the song's beats, or those since then, to ours
        self._last = 0.0

    def moment(self, at: int) -> Moment:
        """See `Beats.moment`."""
        follower = self._follower
        part = (follower.is_running, follower.jumps)
        is_new, self._part = part != self._part, part
        if is_new:
            self._since = at
        if follower.is_running:
            place = follower.where(at) / CLOCKS_A_QUARTER
            if is_new:
                self._shift = math.ceil((self._last - place - OVERLAP) / BEATS_A_BAR) * BEATS_A_BAR
        else:
            place = (at - self._since) / SECOND * follower.bpm / 60
            if is_new:
                self._shift = self._last
        self._last = max(self._last, place + self._shift)
        return Moment(place + self._shift, follower.bpm)
