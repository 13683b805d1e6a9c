"""The limiter: a soft sound passes untouched, a loud one is bounded in peak and in level, without a click."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_live.limiter import CEILING, LOUDEST, LOUDNESS_SECONDS, Limiter

RATE = 8_000
DELAY = 40  # samples in 5 ms
ROUNDING = 1e-6  # of float32, relative


def limit(samples: np.ndarray, rate: int = RATE) -> np.ndarray:
    """All of a sound at once, the delay taken off."""
    limiter = Limiter(rate)
    out = limiter.process(np.append(samples, np.zeros(3 * limiter.delay)).astype(np.float32))
    return out[limiter.delay :][: len(samples)]


def noise(count: int, level: float, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


@given(st.lists(st.integers(0, 500), max_size=30), st.sampled_from([0.05, 0.5, 5.0]))
@settings(max_examples=40, deadline=None)
def test_any_division_gives_the_same_samples(sizes: list[int], level: float) -> None:
    samples = noise(sum(sizes), level)
    whole = Limiter(RATE).process(samples)
    limiter = Limiter(RATE)
    parts = [limiter.process(part) for part in np.split(samples, np.cumsum(sizes))]
    assert np.array_equal(np.concatenate(parts), whole)


def test_what_is_soft_enough_passes_bit_for_bit() -> None:
    samples = np.clip(noise(20_000, 0.2), -CEILING, CEILING)
    limiter = Limiter(RATE)
    out = limiter.process(samples)
    assert np.array_equal(out[DELAY:], samples[:-DELAY])
    assert not out[:DELAY].any()
    assert (limiter.delay, limiter.limited) == (DELAY, 0)


@pytest.mark.parametrize("sound", ["noise", "square", "impulses", "constant", "huge", "growing"])
def test_nothing_is_above_the_ceiling_nor_louder_than_loud_for_long(sound: str) -> None:
    time = np.arange(3 * RATE)
    samples = {
        "noise": noise(len(time), 1.0),
        "square": np.sign(np.sin(time / 5)),
        "impulses": np.where(time % 777 == 0, 30.0, 0.0),
        "constant": np.ones(len(time)),
        "huge": noise(len(time), 1e30),
        "growing": np.sin(time / 3) * 1.001**time,
    }[sound].astype(np.float32)
    out = limit(samples).astype(np.float64)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= CEILING * (1 + ROUNDING)
    window = round(LOUDNESS_SECONDS * RATE)
    level = np.sqrt(np.convolve(out**2, np.full(window, 1 / window), mode="valid"))
    assert level[window:].max() <= LOUDEST * 1.26  # 2 dB while its own level, a decaying mean, has not settled
    assert level[4 * window :].max() <= LOUDEST * 1.02  # it follows within a block, 40 of a window's 2,400 samples


def test_the_gain_is_down_before_the_peak_and_never_jumps() -> None:
    samples = np.full(4_000, 0.1)
    samples[2_000] = 4.0
    out = limit(samples)
    gain = out / samples
    assert out[2_000] == pytest.approx(CEILING, rel=ROUNDING)
    assert gain[: 2_000 - DELAY] == pytest.approx(1, abs=ROUNDING)
    assert (np.diff(gain[2_000 - DELAY : 2_001]) < 0).all()
    assert np.abs(np.diff(gain)).max() < 1.5 / DELAY
    assert gain[-1] == pytest.approx(1)


def test_it_lets_go_at_a_constant_rate() -> None:
    samples = np.full(RATE, 0.01)
    samples[2_000] = 10.0 * CEILING  # 20 dB too high: a third of a second at 60 dB a second
    gain_db = 20 * np.log10(limit(samples) / samples)
    later = gain_db[2_100 : 2_000 + round(0.33 * RATE)]
    assert np.diff(later) == pytest.approx(60 / RATE, abs=1e-4)
    assert gain_db[2_000 + round(0.35 * RATE) :] == pytest.approx(0, abs=1e-6)


def test_silence_and_a_sound_of_no_samples_are_themselves() -> None:
    assert not limit(np.zeros(1_000)).any()
    assert len(Limiter(RATE).process(np.zeros(0, np.float32))) == 0


def test_what_it_held_back_is_counted() -> None:
    limiter = Limiter(RATE)
    limiter.process(np.full(RATE, 2.0, np.float32))
    assert 0.9 * RATE < limiter.limited <= RATE


@pytest.mark.parametrize("rate", [1_000, 11_025, 192_000])
def test_the_bounds_hold_at_every_rate(rate: int) -> None:
    assert np.abs(limit(noise(rate, 3.0), rate)).max() <= CEILING * (1 + ROUNDING)
