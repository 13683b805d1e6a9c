"""A ring of samples between two threads: one writes, one reads, neither ever waits for the other.

Each side moves only its own position, which only grows; the other side at worst sees an old one, and so less room or
fewer samples than there are. Nothing is allocated after the ring is made, but for the views that slicing makes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Ring:
    """Holds up to ``capacity`` samples.

    Attributes:
        written: samples ever written; only the writer changes it.
        taken: samples ever taken out; only the reader changes it.
    """

    def __init__(self, capacity: int) -> None:
        """Make it empty; ``capacity`` is at least 1."""
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; give at least 1 sample")
        self.capacity = capacity
        self.written = 0
        self.taken = 0
        self._buffer = np.zeros(capacity, np.float32)

    @property
    def available(self) -> int:
        """Samples that can be read now."""
        return self.written - self.taken

    @property
    def room(self) -> int:
        """Samples that can be written now."""
        return self.capacity - self.available

    def write(self, samples: Samples) -> int:
        """Append as many of ``samples`` (time,) as there is room for, and return how many that was."""
        count = min(len(samples), self.room)
        start = self.written % self.capacity
        before_the_end = min(count, self.capacity - start)
        self._buffer[start : start + before_the_end] = samples[:before_the_end]
        self._buffer[: count - before_the_end] = samples[before_the_end:count]
        self.written += count  # last: what the reader sees is there
        return count

    def read(self, out: Samples) -> int:
        """Take out the oldest samples, at most as many as fit into ``out`` (time,), and return how many that was."""
        count = self.peek(out)
        self.taken += count
        return count

    def peek(self, out: Samples) -> int:
        """Copy what `read` would take, and leave it there. For other threads too: what they get may be newer."""
        taken = self.taken
        count = min(len(out), self.written - taken)
        start = taken % self.capacity
        before_the_end = min(count, self.capacity - start)
        out[:before_the_end] = self._buffer[start : start + before_the_end]
        out[before_the_end:count] = self._buffer[: count - before_the_end]
        return count
