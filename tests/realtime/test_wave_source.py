"""A model's sound as a stream: the same samples for any pulls, at any rate, whatever the model does."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.waves import frames_to_samples, samples_to_frames
from cgrnn_live.limiter import CEILING
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_live.wave_source import WaveSource
from small_bundles import sound_bundle
from tones import SPEC, Tones


class Broken(Tones):
    """Gives, as its third frame, what it is told to."""

    def __init__(self, frame: np.ndarray) -> None:
        super().__init__()
        self.frame = frame

    def sample(self) -> np.ndarray:
        drawn = super().sample()
        return self.frame if self._drawn == 3 else drawn


def clip(seconds: float, frequency: float = 300.0) -> np.ndarray:
    """A sound as frames of `SPEC`."""
    time = np.arange(round(seconds * SPEC.sample_rate)) / SPEC.sample_rate
    return samples_to_frames((0.3 * np.sin(2 * np.pi * frequency * time)).astype(np.float32), SPEC)


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=12), st.sampled_from([8_000, 11_025, 44_100, 48_000]))
@settings(max_examples=25, deadline=None)
def test_any_division_of_the_pulls_gives_the_same_samples(sizes: list[int], rate: int) -> None:
    at_once = WaveSource(Tones(level=1.5), rate).pull(sum(sizes))  # loud: the limiter works
    source = WaveSource(Tones(level=1.5), rate)
    assert np.array_equal(np.concatenate([source.pull(size) for size in sizes]), at_once)


def test_so_does_a_real_engine() -> None:
    def source() -> WaveSource:
        return WaveSource(WaveEngine(sound_bundle(), seed=5), 44_100)

    at_once, divided = source().pull(20_000), source()
    assert np.array_equal(np.concatenate([divided.pull(size) for size in (1, 7_000, 12_998, 1)]), at_once)
    assert 0.01 < np.abs(at_once).max() < CEILING


def test_at_the_models_own_rate_a_soft_sound_is_its_frames() -> None:
    source, engine = WaveSource(Tones(), SPEC.sample_rate), Tones()
    expected = frames_to_samples(np.stack([engine.sample() for _ in range(20)]), SPEC)
    assert np.array_equal(source.pull(3_000), expected)
    assert (source.limited, source.not_finite) == (0, 0)
    assert source.peak == np.abs(expected).max()


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_keeps_its_pitch_height_and_time_at_the_rate_of_any_device(rate: int) -> None:
    out = WaveSource(Tones(), rate, clip(2.0)).pull(rate)
    time = np.arange(rate) / rate
    inner = slice(rate // 10, -rate // 10)  # the tone begins and ends within what the filter sees of the rest
    assert np.abs(out - 0.3 * np.sin(2 * np.pi * 300 * time))[inner].max() < 1e-4  # of HQ, and of the frames' float32


def test_the_stream_is_what_soxr_makes_of_the_whole() -> None:
    source, engine = WaveSource(Tones(), 48_000), Tones()
    whole = frames_to_samples(np.stack([engine.sample() for _ in range(100)]), SPEC)
    assert np.array_equal(source.pull(48_000), soxr.resample(whole, SPEC.sample_rate, 48_000)[:48_000])


def test_the_prompt_comes_first_and_the_model_hears_it_and_itself() -> None:
    prompt, engine, alone = clip(0.1), Tones(), Tones()
    out = WaveSource(engine, SPEC.sample_rate, prompt).pull(3_000)
    count = len(prompt)
    drawn = np.stack([alone.sample() for _ in range(20 - count)])
    assert np.array_equal(out, frames_to_samples(np.concatenate([prompt, drawn]), SPEC))
    assert np.array_equal(np.stack(engine.heard[:20]), np.concatenate([prompt, drawn]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [SPEC.sample_rate, 48_000])
def test_what_is_no_number_becomes_silence_is_counted_and_the_model_begins_anew(value: float, rate: int) -> None:
    frame = np.zeros(SPEC.frame_samples, np.float32)
    frame[7] = value
    engine = Broken(frame)
    source = WaveSource(engine, rate)
    out = source.pull(rate)
    assert np.isfinite(out).all()
    assert (source.not_finite, engine.resets) == (1, 1)
    middle = slice(round(2.4 / 73.5 * rate), round(2.6 / 73.5 * rate))  # of the third frame
    assert np.abs(out[middle]).max() < 0.02
    assert np.abs(out[rate // 2 :]).max() > 0.15
    assert all(np.isfinite(heard).all() for heard in engine.heard)


def test_a_frame_beyond_float32_once_it_is_a_sound_is_loud_and_no_more() -> None:
    source = WaveSource(Broken(np.full(SPEC.frame_samples, 3e38, np.float32)), 48_000)
    out = source.pull(48_000)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= CEILING * (1 + 1e-6)
    assert source.limited > 0


def test_another_rate_goes_on_with_the_model_where_it_was() -> None:
    engine = Tones()
    source = WaveSource(engine, 44_100)
    source.pull(44_100)
    heard = len(engine.heard)
    source.set_rate(SPEC.sample_rate)
    out = source.pull(600)
    alone = Tones()
    frames = np.stack([alone.sample() for _ in range(heard + 4)])[heard:]
    assert np.array_equal(out, frames_to_samples(frames, SPEC))
    assert source.sample_rate == SPEC.sample_rate


def test_what_was_limited_before_a_change_of_rate_still_counts() -> None:
    source = WaveSource(Tones(level=3.0), 44_100)
    source.pull(44_100)
    before = source.limited
    source.set_rate(48_000)
    assert source.limited == before > 0


def test_nothing_pulled_is_nothing() -> None:
    assert WaveSource(Tones(), 48_000).pull(0).shape == (0,)
