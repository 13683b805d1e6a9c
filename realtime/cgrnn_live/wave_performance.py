"""A model's sound on a device, for as long as it lasts; and when the device goes away, on the one that comes back."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress

from cgrnn_live.performance import WATCH_SECONDS
from cgrnn_live.sound_card import SoundError
from cgrnn_live.sound_feed import SoundFeed
from cgrnn_live.sound_link import CLOSING_SECONDS, SoundLink
from cgrnn_live.status import LiveLine, tell
from cgrnn_live.wave_source import WaveSource

RETRY_SECONDS = 2.0
"""Between two looks for a device that has gone."""

FLOOR_DB, METER_WIDTH = -60, 20


class WavePerformance:
    """Plays a source on an open device.

    Attributes:
        device: its name.
        seconds: of sound that devices have taken.
        underruns: times that our ring ran dry.
        underflows: times that a device said it had nothing to play.
    """

    def __init__(
        self, link: SoundLink, source: WaveSource, seconds: float | None, *, wanted: str | None, rate: int | None
    ) -> None:
        """Play ``seconds`` of ``source`` on ``link``, or without a number until `stop`.

        ``wanted`` and ``rate`` are what ``link`` was opened with: a name, or None for the default device.
        """
        self.device = link.device
        self._link = link
        self._source = source
        self._feed = SoundFeed(source, None if seconds is None else max(1, round(seconds * link.rate)))
        self._wanted = None if wanted is None else link.device
        self._rate = rate
        self._duration = seconds
        self._ending = threading.Event()
        self._taken_before = 0.0  # of the devices before, in seconds
        self._underruns_before = self._underflows_before = 0

    @property
    def seconds(self) -> float:
        """Seconds of sound that devices have taken."""
        return self._taken_before + self._link.report.taken / self._link.rate

    @property
    def underruns(self) -> int:
        """Times that our ring ran dry."""
        return self._underruns_before + self._link.report.underruns

    @property
    def underflows(self) -> int:
        """Times that a device said it had nothing to play."""
        return self._underflows_before + self._link.report.underflows

    def run(self, *, has_line: bool = True) -> None:
        """Play to the end, or until `stop`; raises what the model raised. ``has_line``: show a terminal the level."""
        began = time.monotonic()
        until = None if self._duration is None else began + self._duration
        with LiveLine(self._line, is_shown=has_line) as line:
            while not self._play(line) and self._find_again(until):
                pass

    def stop(self) -> None:
        """Fade out and end; for signal handlers and other threads."""
        self._ending.set()
        self._feed.stop()

    def _play(self, line: LiveLine) -> bool:
        """Play on the open device and close it; return whether that was all, or the device has gone."""
        link = self._link
        with ThreadPoolExecutor(1, "feed") as threads, closing(link):
            feeding = threads.submit(self._feed.run, link)
            try:
                while not (link.is_done or link.is_lost or self._ending.is_set() or _has_failed(feeding)):
                    line.update()
                    link.watch()
                    self._ending.wait(WATCH_SECONDS)
            finally:
                if not link.is_lost:
                    self._feed.stop()
                if not wait([feeding], CLOSING_SECONDS).done:
                    link.kill()
        feeding.result()
        return self._ending.is_set() or link.is_done

    def _find_again(self, until: float | None) -> bool:
        """Wait for the device, at most until the monotonic time ``until``; return whether it is there again."""
        tell(f"The sound device {self.device!r} has gone; waiting for it, Ctrl-C ends it.")
        while not self._ending.wait(RETRY_SECONDS):
            if until is not None and time.monotonic() > until:
                tell(f"{self.device!r} has not come back.")
                return False
            with suppress(SoundError):
                self._move_to(SoundLink(self._wanted, self._rate))
                tell(f"The sound goes on, on {self.device!r}.")
                return True
        return False

    def _move_to(self, link: SoundLink) -> None:
        self._taken_before, self._underruns_before, self._underflows_before = (
            self.seconds,
            self.underruns,
            self.underflows,
        )
        self._link, self.device = link, link.device
        if link.rate != self._source.sample_rate:
            self._feed.set_rate(link.rate)

    def _line(self) -> str:
        counts = {"underruns": self.underruns, "limited": self._source.limited, "not finite": self._source.not_finite}
        shown = "".join(f"  {name} {count}" for name, count in counts.items() if count)
        return f"{self.device}  {meter(self._link.report.level)}  {self.seconds:.0f} s{shown}"


def meter(level: float) -> str:
    """Return a peak, 1 being full scale, as a bar of `METER_WIDTH` signs and its decibels."""
    decibels = max(FLOOR_DB, 20 * math.log10(level)) if level > 0 else FLOOR_DB
    filled = round(METER_WIDTH * (1 - decibels / FLOOR_DB))
    return f"[{'#' * filled}{'-' * (METER_WIDTH - filled)}] {decibels:3.0f} dB"


def _has_failed(future: Future[None]) -> bool:
    return future.done() and future.exception() is not None
