"""When a frame is due, and waiting for it: absolute deadlines in `time.perf_counter_ns`, never relative sleeps.

A clock is also where the outside world comes in: `Clock.wait` returns early with whatever has arrived, so that one
thread can own the output and still hear the player at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from cgrnn_live.ledger import Message

MILLISECOND = 1_000_000
SECOND = 1_000_000_000

START_LEAD = 50 * MILLISECOND
"""From `start` to frame 0: time for the first frame to be sampled."""

EARLY_WAKING = 2 * MILLISECOND
"""On a busy machine a wake-up may be some milliseconds late; one from a short sleep just after another is less so."""

FINE_WAIT = 20 * MILLISECOND
"""The last stretch before a deadline is slept: waiting on the inbox may overshoot by a scheduler's tick."""


class Stopped(Exception):
    """Somebody asked that the performance end."""


class Arrival(NamedTuple):
    """A MIDI message that came in: its time on the clock's axis in nanoseconds, and its bytes."""

    at: int
    message: Message


class Clock(Protocol):
    """Times are integer nanoseconds on an axis of the clock's own; frame n is due at `due(n)`."""

    def start(self) -> None:
        """Fix the grid: frame 0 is due shortly after now."""
        ...

    def now(self) -> int:
        """Return the time."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether frames become due: always, but where a song that others play can stop."""
        ...

    @property
    def jumps(self) -> int:
        """How often the grid was left for another place."""
        ...

    def next_frame(self) -> int:
        """Return the first frame to play, at the beginning or after a jump."""
        ...

    def due(self, frame: int) -> int:
        """Return when frame ``frame`` begins, as far as is known now."""
        ...

    def hear(self, arrival: Arrival) -> bool:
        """Take in what arrived; return whether it was for the clock alone."""
        ...

    def wait(self, until: int) -> Arrival | None:
        """Return what arrives next, or None once it is ``until``; raise `Stopped` after `stop`."""
        ...

    def stop(self) -> None:
        """End a `wait`, this one or the next, with `Stopped`; safe from signal handlers and other threads."""
        ...


class EvenGrid:
    """What clocks have in common that nothing stops or moves."""

    is_running = True
    jumps = 0

    def next_frame(self) -> int:
        """Return 0."""
        return 0

    def hear(self, arrival: Arrival) -> bool:
        """Pass it over."""
        return False


class InternalClock(EvenGrid):
    """The computer's own clock. What arrives is put into `inbox`, from any thread."""

    def __init__(self, frame_seconds: float) -> None:
        """Make a clock whose frames are ``frame_seconds`` long."""
        self.inbox: SimpleQueue[Arrival | None] = SimpleQueue()
        self._frame_ns = frame_seconds * SECOND
        self._origin = 0

    def start(self) -> None:
        """Fix the grid: frame 0 is due in `START_LEAD`."""
        self._origin = self.now() + START_LEAD

    def now(self) -> int:
        """Return `time.perf_counter_ns`."""
        return time.perf_counter_ns()

    def due(self, frame: int) -> int:
        """Return when frame ``frame`` begins, rounded by itself: no error adds up."""
        return self._origin + round(frame * self._frame_ns)

    def wait(self, until: int) -> Arrival | None:
        """Return the next arrival, or None at ``until``; `Stopped` once all is returned that came before `stop`.

        What arrives in the last `FINE_WAIT` is returned at ``until``.
        """
        while True:
            left = until - self.now()
            patience = max(0, left - FINE_WAIT)
            try:
                return _arrival(self.inbox.get(block=patience > 0, timeout=patience / SECOND))
            except Empty:
                if patience == 0:
                    break
        for early in (EARLY_WAKING, 0):
            if (left := until - early - self.now()) > 0:
                time.sleep(left / SECOND)
        with suppress(Empty):
            return _arrival(self.inbox.get_nowait())
        return None

    def stop(self) -> None:
        """See `Clock.stop`."""
        self.inbox.put(None)


def _arrival(item: Arrival | None) -> Arrival:
    if item is None:
        raise Stopped
    return item


class OfflineClock(EvenGrid):
    """A clock that jumps: waiting takes no time and arrivals come from a script, so a performance repeats exactly."""

    def __init__(self, frame_seconds: float, arrivals: Iterable[Arrival] = ()) -> None:
        """Make a clock `START_LEAD` before time 0, when frame 0 is due; ``arrivals`` (sorted) are to come."""
        self._frame_ns = frame_seconds * SECOND
        self._arrivals = deque(arrivals)
        self._now = -START_LEAD
        self._is_stopped = False

    def start(self) -> None:
        """The grid is fixed already."""

    def now(self) -> int:
        """Return the time reached by waiting."""
        return self._now

    def due(self, frame: int) -> int:
        """Return when frame ``frame`` begins."""
        return round(frame * self._frame_ns)

    def wait(self, until: int) -> Arrival | None:
        """Jump to the next arrival before ``until`` and return it, or jump to ``until``; `Stopped` after `stop`."""
        if self._is_stopped:
            raise Stopped
        if self._arrivals and self._arrivals[0].at < until:
            arrival = self._arrivals.popleft()
            self._now = max(self._now, arrival.at)
            return arrival
        self._now = max(self._now, until)
        return None

    def stop(self) -> None:
        """See `Clock.stop`."""
        self._is_stopped = True
