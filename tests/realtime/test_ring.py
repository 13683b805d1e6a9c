"""The ring: first in, first out, whatever the sizes, and with a thread on each side."""

import itertools
import threading
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgrnn_live.ring import Ring

SIZES = st.integers(0, 40)


def numbers(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.float32)


@given(st.integers(1, 24), st.lists(st.tuples(st.booleans(), SIZES), max_size=60))
def test_it_is_a_queue_that_takes_what_it_has_room_for(capacity: int, steps: list[tuple[bool, int]]) -> None:
    ring, queue, count = Ring(capacity), deque[float](), 0
    for is_write, size in steps:
        if is_write:
            written = ring.write(numbers(count, size))
            assert written == min(size, capacity - len(queue))
            queue.extend(range(count, count + written))
            count += written
        else:
            ahead, out = np.full((2, size), -1, np.float32)
            assert ring.peek(ahead) == min(size, len(queue))
            read = ring.read(out)
            assert read == min(size, len(queue))
            expected = [queue.popleft() for _ in range(read)]
            assert out.tolist() == expected + [-1] * (size - read)
            assert ahead.tolist() == out.tolist()
        assert (ring.available, ring.room) == (len(queue), capacity - len(queue))
        assert (ring.written, ring.taken) == (count, count - len(queue))


def test_one_thread_writes_and_another_reads_and_nothing_is_lost() -> None:
    ring, total = Ring(257), 20_000
    writes, reads = (itertools.cycle(np.random.default_rng(seed).integers(1, 120, 1_000)) for seed in (0, 1))

    def write() -> None:
        written = 0
        while written < total:
            written += ring.write(numbers(written, min(int(next(writes)), total - written)))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    out, expected = np.zeros(120, np.float32), 0
    while expected < total:
        assert writer.is_alive() or ring.available
        count = ring.read(out[: next(reads)])
        assert np.array_equal(out[:count], numbers(expected, count))
        expected += count
    writer.join()
    assert (ring.written, ring.taken) == (total, total)


def test_reading_into_one_channel_of_a_block_leaves_the_others() -> None:
    ring, block = Ring(8), np.zeros((4, 2), np.float32)
    ring.write(numbers(1, 4))
    assert ring.read(block[:, 0]) == 4
    assert block.tolist() == [[1, 0], [2, 0], [3, 0], [4, 0]]


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        Ring(0)
