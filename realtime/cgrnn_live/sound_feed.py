"""Keeping the ring full: the thread in which the model computes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.wave_source import WaveSource

Samples = NDArray[np.float32]

BLOCK_SECONDS = 0.02
"""What is sent at a time: more than a frame's samples, so that reports do not crowd, and soon enough."""

WAIT_SECONDS = 0.1


class Outlet(Protocol):
    """What the feed asks of `sound_link.SoundLink`."""

    @property
    def room(self) -> int:
        """Samples that can be sent now."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether nothing sent can sound any more."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait until there may be room, but no longer than this."""
        ...

    def send(self, samples: Samples) -> None:
        """Send samples (time,)."""
        ...

    def finish(self) -> None:
        """Say that there will be no more."""
        ...

    def stop(self) -> None:
        """Fade out now."""
        ...


class SoundFeed:
    """Moves samples from a source into a device, and into the next one if that is lost.

    Attributes:
        left: samples still to be sent; None without end.
    """

    def __init__(self, source: WaveSource, count: int | None = None) -> None:
        """Send ``count`` samples, or without one until `stop`."""
        self.left = count
        self._source = source
        self._is_stopping = False

    def run(self, outlet: Outlet) -> None:
        """Keep ``outlet`` full until all is sent, it is lost, or `stop`; then let it end, or at once fade out."""
        try:
            self._fill(outlet)
        finally:
            if self.left == 0:
                outlet.finish()
            else:
                outlet.stop()

    def _fill(self, outlet: Outlet) -> None:
        block = max(1, round(BLOCK_SECONDS * self._source.sample_rate))
        while self.left != 0 and not self._is_stopping and not outlet.is_lost:
            count = block if self.left is None else min(block, self.left)
            if outlet.room < count:
                outlet.wait(WAIT_SECONDS)
                continue
            outlet.send(self._source.pull(count))
            if self.left is not None:
                self.left -= count

    def stop(self) -> None:
        """Make `run` return soon; for signal handlers and other threads."""
        self._is_stopping = True

    def set_rate(self, sample_rate: int) -> None:
        """Go on at another rate, for another device."""
        if self.left is not None:
            self.left = round(self.left * sample_rate / self._source.sample_rate)
        self._source.set_rate(sample_rate)
