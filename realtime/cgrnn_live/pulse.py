"""A MIDI clock for others to follow: Start with frame 0, 24 clocks a quarter from then on, Stop at the end.

It lies between the player and its clock: where the player waits beyond the next clock's time, it is sent in between. So
one thread sends all, and while a frame is sampled a clock is late by what is left of that.
"""

from __future__ import annotations

from cgrnn_live.clock import Arrival, Clock, EvenGrid
from cgrnn_live.ledger import Send
from cgrnn_live.midi_clock import CLOCK, CLOCKS_A_QUARTER, START, STOP


class PulsingClock(EvenGrid):
    """A clock (`clock.Clock`) that sends a MIDI clock while it is waited on."""

    def __init__(self, time: Clock, quarter: float, send: Send) -> None:
        """Take the time of ``time``; a quarter note lasts ``quarter`` ns."""
        self._time = time
        self._period = quarter / CLOCKS_A_QUARTER
        self._send = send
        self._origin = 0
        self._sent = 0

    def start(self) -> None:
        """See `Clock.start`."""
        self._time.start()
        self._origin = self._time.due(0)

    def now(self) -> int:
        """See `Clock.now`."""
        return self._time.now()

    def due(self, frame: int) -> int:
        """See `Clock.due`."""
        return self._time.due(frame)

    def wait(self, until: int) -> Arrival | None:
        """See `Clock.wait`; each MIDI clock that is due by then is sent when it is."""
        while (tick := self._origin + round(self._sent * self._period)) <= until:
            if (arrival := self._time.wait(tick)) is not None:
                return arrival
            if self._sent == 0:
                self._send((START,), tick)
            self._sent += 1
            self._send((CLOCK,), tick)
        return self._time.wait(until)

    def stop(self) -> None:
        """See `Clock.stop`."""
        self._time.stop()

    def end(self, at: int) -> None:
        """Send Stop, if there was a Start: for whoever sends once the player has ended."""
        if self._sent:
            self._send((STOP,), at)
