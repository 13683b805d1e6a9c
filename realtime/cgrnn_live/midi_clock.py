"""Following a MIDI clock: where the song is, and when it will be elsewhere, by clocks that come unevenly, 24 a quarter.

A clock arrives early or late by some milliseconds. Its own time is found by a delay-locked loop of the second order (as
in Adriaensen, "Using a DLL to filter time", 2005): with e = arrival − expected,

    time = expected + b e      period = period + c e      expected = time + period

and b, c that fall, as more clocks are known, as those of a line fitted to all of them, down to b = GAIN, c = GAIN² / 2.
Of clocks uneven by 3 ms the time errs by at most 1.7 ms in 99 of 100, and in a ramp from 60 to 180 in eight bars by 9.

A song position is a number of clocks from the beginning of the song: the first clock after Start is 0, the one after
Continue or a jump that which Song Position named.
"""

from __future__ import annotations

from cgrnn_live.ledger import Message

CLOCK, START, CONTINUE, STOP, SONG_POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
TRANSPORT = frozenset({CLOCK, START, CONTINUE, STOP, SONG_POSITION})

CLOCKS_A_QUARTER = 24
CLOCKS_A_STEP = 6
"""Song Position counts sixteenths."""

GAIN = 0.2
SURE = 12
"""Clocks after which the period is known well enough to tell that one is missing."""
AT_ONCE = 0.3
"""Clocks less than so many periods apart came twice, or were kept back together."""
FASTER = 4
"""Of eight clocks: so many that came too early, but not at once, and the tempo is another."""
SAME = 0.25
"""Two gaps are alike that differ by less than this share."""

FLOWING, STALE = 3, 2.5
"""A song that stands will go on at its next clock if at least so many have come since it stopped, the last of them less
than so many periods ago; else its first clock comes when it comes."""
FREEWHEEL = 2_000_000_000
"""ns without a clock for which the song is taken to go on, its clocks being lost; after more it has stood."""

MINUTE = 60_000_000_000
FASTEST, SLOWEST = (MINUTE / bpm / CLOCKS_A_QUARTER for bpm in (500, 15))
"""Bounds of a period."""


class ClockFollower:
    """The song as one clock says.

    Attributes:
        is_running: between Start or Continue and Stop.
        position: of the last clock, or the one at which the song stands, while no clock has come since a jump.
        jumps: how often the position changed other than by clocks, Start included.
        lost: clocks that never came.
        error: how far the last clock came after it was expected, in ns.
    """

    def __init__(self, bpm: float = 120.0) -> None:
        """Expect a tempo until two clocks have come."""
        self.is_running = False
        self.position = 0
        self.jumps = 0
        self.lost = 0
        self.error = 0.0
        self._period = MINUTE / bpm / CLOCKS_A_QUARTER
        self._time: float | None = None  # of the last clock, filtered
        self._arrived = 0
        self._count = 0  # clocks that the loop knows
        self._next_is_here = True  # the next clock is at `position`, not one after it
        self._early = 0  # of the last eight clocks those that came too early, a bit each
        self._idle = 0  # clocks while the song stood
        self._skipped: tuple[int, int] | None = None  # clocks taken for lost at the last one, and the gap before it

    @property
    def bpm(self) -> float:
        """The tempo."""
        return MINUTE / (self._period * CLOCKS_A_QUARTER)

    def hear(self, at: int, message: Message) -> None:
        """Take in a message that came at ``at`` (ns); those that are not of a clock or transport are passed over."""
        kind = message[0]
        if kind == CLOCK:
            steps = self._tick(at)
            if self.is_running:
                self._move(steps)
            else:
                self._idle += 1
        elif kind in (START, CONTINUE) and not (kind == CONTINUE and self.is_running):
            if kind == START:
                self._stand_at(0)
            self.is_running = self._next_is_here = True
            if self._idle < FLOWING or (self._time is not None and at - self._time > STALE * self._period):
                self._time = None
        elif kind == STOP:
            self.is_running = False
            self._idle = 0
        elif kind == SONG_POSITION and len(message) == 3:
            self._stand_at((message[1] | message[2] << 7) * CLOCKS_A_STEP)

    @property
    def can_tell(self) -> bool:
        """Whether `when` means anything. Many senders are silent while the song stands: after their Start it does from
        the first clock on.
        """
        return self._time is not None

    def when(self, position: float) -> int:
        """When the song is, or was, at ``position``, in ns, if it goes on as now; only where `can_tell`."""
        assert self._time is not None
        ahead = position - self.position + (1 if self._next_is_here else 0)
        return round(self._time + ahead * self._period)

    def where(self, at: int) -> float:
        """The position at ``at`` (ns): where the song stands if it is stopped, or has had no clock since a jump."""
        if not self.is_running or self._next_is_here or self._time is None:
            return float(self.position)
        return self.position + (at - self._time) / self._period

    def _stand_at(self, position: int) -> None:
        self.position = position
        self._next_is_here = True
        self._skipped = None
        self.jumps += 1

    def _move(self, steps: int) -> None:
        if self._next_is_here:
            self._next_is_here = False
        else:
            self.position += steps

    def _tick(self, at: int) -> int:
        """Take a clock in; return how many have passed since the last: 1 but for those lost or doubled."""
        passed = self._follow(at)
        self._period = min(max(self._period, FASTEST), SLOWEST)
        return passed

    def _follow(self, at: int) -> int:
        gap, self._arrived = at - self._arrived, at
        if self._time is None or gap > FREEWHEEL:  # where it is now is new, how fast it goes mostly is not
            self._time, self._count = float(at), SURE if self._count >= SURE else 1
            return 1
        if self._count == 1:  # nothing is known yet but where to expect it
            self._time, self._period, self._count = float(at), float(gap), 2
            return 1
        skipped, self._skipped = self._skipped, None
        if skipped is not None and abs(gap - skipped[1]) < SAME * gap:  # no clock was lost: the tempo is another
            self.lost -= skipped[0]
            self._time, self._period, self._count = float(at), float(gap), 2
            return 1 - skipped[0]
        passed = round((at - self._time) / self._period) if self._count >= SURE else 1
        self._early = (self._early << 1 | (passed < 1 and gap > AT_ONCE * self._period)) & 0xFF
        if self._early.bit_count() >= FASTER:
            early, self._early = self._early.bit_count(), 0
            self._time, self._period, self._count = float(at), float(gap), 2
            return early
        if passed < 1:  # counted already, when one was late and taken for lost; or it came twice
            return 0
        if passed > 1:
            self.lost += passed - 1
            self._skipped = (passed - 1, gap)
        expected = self._time + passed * self._period
        error = self.error = at - expected
        known = self._count
        self._count += 1
        gain = max(GAIN, (4 * known + 2) / ((known + 1) * (known + 2)))
        self._time = expected + gain * error
        self._period += max(GAIN**2 / 2, 6 / ((known + 1) * (known + 2))) * error / passed
        return passed
