"""Being on time: how much work fits before a deadline, and how late each frame was.

The policy, in this order: fewer sweeps, hold the last frame, drop. Each is counted.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cgrnn_live.clock import MILLISECOND

MARGIN = MILLISECOND
"""Time kept free before a deadline."""

LATE = 10 * MILLISECOND
"""A frame sent later than this counts as late: about what an ear notices."""


class Effort:
    """Chooses the sweeps of Gibbs sampling that fit before a deadline, from what recent ones took."""

    def __init__(self, sweeps: int) -> None:
        """Never choose more than ``sweeps``."""
        self.full = sweeps
        self._sweep_ns = 0.0

    def affordable(self, time_left: int) -> int:
        """Return the sweeps, 0 to `full`, that fit in ``time_left`` nanoseconds."""
        usable = time_left - MARGIN
        if usable <= 0:
            return 0
        return self.full if usable >= self.full * self._sweep_ns else int(usable / self._sweep_ns)

    def learn(self, sweeps: int, elapsed: int) -> None:
        """Take in that ``sweeps`` took ``elapsed`` nanoseconds; slower counts at once, faster by and by."""
        self._sweep_ns = max(elapsed / sweeps, 0.9 * self._sweep_ns + 0.1 * elapsed / sweeps)

    def forget(self) -> None:
        """Trust the estimate half as much: nothing was measured because nothing fitted."""
        self._sweep_ns /= 2


@dataclass
class Report:
    """What happened in a performance.

    lateness: each sent frame's time after its deadline at the send call, in nanoseconds.
    late: frames sent more than `LATE` after their deadline.
    reduced: frames drawn with fewer sweeps.
    held: frames replaced by the one before.
    dropped: frames whose whole interval had passed.
    step: what sampling the last frame took, in nanoseconds.
    """

    frames: int = 0
    late: int = 0
    reduced: int = 0
    held: int = 0
    dropped: int = 0
    step: int = 0
    lateness: array[int] = field(default_factory=lambda: array("q"))

    def add(self, lateness: int) -> None:
        """Enter a frame that was sent ``lateness`` nanoseconds after its deadline."""
        self.frames += 1
        self.late += lateness > LATE
        self.lateness.append(lateness)

    def summary(self) -> dict[str, Any]:
        """Return the counts and the lateness as JSON has them."""
        return {
            "frames": self.frames,
            "late": self.late,
            "reduced": self.reduced,
            "held": self.held,
            "dropped": self.dropped,
            "lateness_ms": self.lateness_ms(),
        }

    def lateness_ms(self) -> dict[str, float]:
        """Return the median, 99th percentile and maximum in milliseconds, and the slope in milliseconds a frame."""
        values = np.array(self.lateness or [0]) / MILLISECOND
        p50, p99 = np.percentile(values, [50, 99])
        drift = np.polyfit(np.arange(len(values)), values, 1)[0] if len(values) > 1 else 0.0
        figures = {"p50": p50, "p99": p99, "max": values.max(), "drift": drift}
        return {name: round(float(value), 6) for name, value in figures.items()}
