"""What the sound card is given: the ring's samples as they are, and a fade instead of a click where there are none."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_live.ring import Ring
from cgrnn_live.ring_reader import RingReader

RATE = 8_000
FADE = 40  # samples in 5 ms
FINE, UNDERFLOW = SimpleNamespace(output_underflow=False), SimpleNamespace(output_underflow=True)


def play(reader: RingReader, count: int, channels: int = 1, status: SimpleNamespace = FINE) -> np.ndarray:
    """One block of the device, which held something else before."""
    out = np.full((count, channels), 9, np.float32)
    reader.fill(out, count, None, status)
    return out


def full(capacity: int = 400, value: float = 0.5) -> tuple[Ring, RingReader]:
    ring = Ring(capacity)
    ring.write(np.full(capacity, value, np.float32))
    return ring, RingReader(ring, RATE)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
@settings(max_examples=50)
def test_the_rings_samples_come_out_unchanged_on_every_channel(sizes: list[int]) -> None:
    ring, samples = Ring(1200), np.random.default_rng(0).standard_normal(1200).astype(np.float32)
    ring.write(samples)
    reader = RingReader(ring, RATE)
    out = np.concatenate([play(reader, size, channels=3) for size in sizes])
    assert (out == samples[: sum(sizes), np.newaxis]).all()
    assert (reader.calls, reader.underruns, reader.underflows) == (len(sizes), 0, 0)


@pytest.mark.parametrize("block", [7, 40, 64, 256])
def test_an_underrun_fades_out_and_once_the_ring_is_half_full_in_again(block: int) -> None:
    ring, reader = full()

    def hear(least: int) -> np.ndarray:
        return np.concatenate([play(reader, block)[:, 0] for _ in range(math.ceil(least / block))])

    dry = hear(400 + FADE)
    assert reader.underruns == 1
    ring.write(np.full(199, 0.5, np.float32))
    waiting = hear(1)
    ring.write(np.full(201, 0.5, np.float32))
    again = hear(FADE + 10)
    assert (dry[:400] == 0.5).all()
    assert not dry[400 + FADE :].any()
    assert not waiting.any(), "half of this ring is 200"
    assert (again[FADE:][:10] == 0.5).all()
    assert np.abs(np.diff(np.concatenate([dry, waiting, again]))).max() <= 0.5 / FADE + 1e-6, "a step clicks"
    assert reader.underruns == 1


def test_each_time_that_the_ring_runs_dry_is_counted_once() -> None:
    ring, reader = full()
    for expected in (1, 2, 3):
        play(reader, 500)
        play(reader, 500)
        assert reader.underruns == expected
        ring.write(np.full(400, 0.5, np.float32))


def test_the_end_of_the_sound_fades_and_is_no_underrun() -> None:
    ring, reader = full()
    ring_is_dry_in = play(reader, 390)
    reader.is_ended = True
    assert not reader.is_silent
    tail = np.concatenate([play(reader, 20)[:, 0] for _ in range(4)])
    assert (ring_is_dry_in == 0.5).all()
    assert (tail[:10] == 0.5).all()
    assert (np.diff(tail[9 : 10 + FADE]) < 0).all()
    assert not tail[10 + FADE - 1 :].any()
    assert (reader.is_silent, reader.underruns, ring.available) == (True, 0, 0)


def test_what_is_left_is_played_after_an_underrun_however_little_it_is() -> None:
    ring, reader = full()
    play(reader, 500)
    ring.write(np.full(30, 0.5, np.float32))
    assert not play(reader, 50).any()
    reader.is_ended = True
    assert play(reader, 50).any()
    assert ring.available == 0


def test_stopping_fades_at_once_and_for_good() -> None:
    ring, reader = full()
    play(reader, 100)
    reader.is_stopping = True
    heard = np.concatenate([play(reader, 25)[:, 0] for _ in range(4)])
    assert (np.diff(heard[:FADE]) < 0).all()
    assert not heard[FADE:].any()
    assert (reader.is_silent, reader.underruns, ring.available) == (True, 0, 300)


def test_a_stop_before_the_first_sample_is_silence() -> None:
    ring = Ring(10)
    reader = RingReader(ring, RATE)
    reader.is_stopping = True
    assert not play(reader, 64).any()
    assert reader.is_silent


def test_the_devices_own_underflows_are_counted_apart() -> None:
    _, reader = full()
    play(reader, 10, status=UNDERFLOW)
    play(reader, 10)
    assert (reader.underflows, reader.underruns) == (1, 0)
