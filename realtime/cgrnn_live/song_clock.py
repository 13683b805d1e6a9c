"""Frames on the grid of a DAW's song: frame n is due at clock n · clocks_per_frame, wherever the song jumps.

Time itself comes from another clock; what it hands over of transport messages moves the song (`midi_clock`).
"""

from __future__ import annotations

import math

from cgrnn_live.clock import SECOND, Arrival, Clock
from cgrnn_live.midi_clock import CLOCK, CONTINUE, FREEWHEEL, START, TRANSPORT, ClockFollower

FAR = 10 * SECOND
"""Of what has no time yet: later than anything that is waited for."""


class SongClock:
    """A clock (`clock.Clock`) whose frames a MIDI clock counts.

    Attributes:
        follower: what follows it.
    """

    def __init__(self, time: Clock, clocks_per_frame: int, bpm: float, offset: int = 0) -> None:
        """Take the time of ``time``.

        Args:
            time: what waits.
            clocks_per_frame: MIDI clocks in a frame.
            bpm: what is expected until the MIDI clock has said otherwise.
            offset: ns after its clock, or before it, at which a frame is due: for what lies between here and the ear.
        """
        self.follower = ClockFollower(bpm)
        self._time = time
        self._step = clocks_per_frame
        self._offset = offset
        self._heard: int | None = None  # when the last clock came

    def start(self) -> None:
        """Nothing is due before the song runs."""
        self._time.start()

    def now(self) -> int:
        """Return the time."""
        return self._time.now()

    def wait(self, until: int) -> Arrival | None:
        """See `Clock.wait`."""
        return self._time.wait(until)

    def stop(self) -> None:
        """See `Clock.stop`."""
        self._time.stop()

    def hear(self, arrival: Arrival) -> bool:
        """Take in what arrived; return whether it was of a clock or a transport."""
        if arrival.message[0] not in TRANSPORT:
            return False
        if arrival.message[0] in (CLOCK, START, CONTINUE):
            self._heard = arrival.at
        self.follower.hear(*arrival)
        return True

    @property
    def is_running(self) -> bool:
        """Whether the song runs: not stopped, and its clock not gone for longer than `midi_clock.FREEWHEEL`."""
        return self.follower.is_running and self._heard is not None and self._time.now() - self._heard < FREEWHEEL

    @property
    def jumps(self) -> int:
        """How often the song has jumped."""
        return self.follower.jumps

    def next_frame(self) -> int:
        """Return the first frame that has not begun: at the position where the song is, or after it."""
        return math.ceil(self.follower.where(self._time.now()) / self._step - 1e-6)

    def due(self, frame: int) -> int:
        """Return when frame ``frame`` begins, as far as can be told; in `FAR` if no clock has come yet to tell by."""
        if not self.follower.can_tell:
            return self._time.now() + FAR
        return self.follower.when(frame * self._step) + self._offset
