"""A model's sound as a stream: the same samples for any pulls, at any rate, whatever the model does."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.waves import WaveCoder, WaveSpec, frames_to_samples, samples_to_frames
from cgrnn_live.limiter import CEILING
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_live.wave_source import LOUDEST_MODEL_SAMPLE, WaveSource
from small_bundles import sound_bundle
from tones import PREDICTED, SPEC, Tones

BOTH = pytest.mark.parametrize("spec", [SPEC, PREDICTED], ids=["samples", "a prediction's residuals"])
ORDERS = pytest.mark.parametrize("order", [0, 8])


class Broken(Tones):
    """Gives, as its third frame, what it is told to."""

    def __init__(self, frame: np.ndarray, spec: WaveSpec = SPEC) -> None:
        super().__init__(spec=spec)
        self.frame = frame

    def sample(self) -> np.ndarray:
        drawn = super().sample()
        return self.frame if self._drawn == 3 else drawn


class Noise(Tones):
    """Frames of noise, 0.7 standard deviations high, but for the first: whatever they follow, they fade."""

    def __init__(self, spec: WaveSpec, first: float = 0.7) -> None:
        super().__init__(spec=spec)
        self.first = first

    def sample(self) -> np.ndarray:
        self._drawn += 1
        level = self.first if self._drawn == 1 else 0.7
        return (level * self._random.standard_normal(self.spec.frame_samples)).astype(np.float32)


def tone(seconds: float, frequency: float = 300.0) -> np.ndarray:
    time = np.arange(round(seconds * SPEC.sample_rate)) / SPEC.sample_rate
    return (0.3 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@BOTH
@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=12), st.sampled_from([8_000, 11_025, 44_100, 48_000]))
@settings(max_examples=25, deadline=None)
def test_any_division_of_the_pulls_gives_the_same_samples(spec: WaveSpec, sizes: list[int], rate: int) -> None:
    at_once = WaveSource(Tones(level=1.5, spec=spec), rate).pull(sum(sizes))  # loud: the limiter works
    source = WaveSource(Tones(level=1.5, spec=spec), rate)
    assert np.array_equal(np.concatenate([source.pull(size) for size in sizes]), at_once)


@ORDERS
def test_so_does_a_real_engine(order: int) -> None:
    def source() -> WaveSource:
        return WaveSource(WaveEngine(sound_bundle(order=order, gains=1), seed=5), 44_100)

    at_once, divided = source().pull(20_000), source()
    assert np.array_equal(np.concatenate([divided.pull(size) for size in (1, 7_000, 12_998, 1)]), at_once)
    assert 0.01 < np.abs(at_once).max() < CEILING


@BOTH
def test_at_the_models_own_rate_a_soft_sound_is_its_frames(spec: WaveSpec) -> None:
    source, engine = WaveSource(Tones(spec=spec), spec.sample_rate), Tones(spec=spec)
    expected = frames_to_samples(np.stack([engine.sample() for _ in range(20)]), spec)
    assert np.array_equal(source.pull(3_000), expected)
    assert (source.limited, source.not_finite) == (0, 0)
    assert source.peak == np.abs(expected).max()


@BOTH
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_keeps_its_pitch_height_and_time_at_the_rate_of_any_device(rate: int, spec: WaveSpec) -> None:
    out = WaveSource(Tones(spec=spec), rate, samples_to_frames(tone(2.0), spec)).pull(rate)
    time = np.arange(rate) / rate
    inner = slice(rate // 10, -rate // 10)  # the tone begins and ends within what the filter sees of the rest
    assert np.abs(out - 0.3 * np.sin(2 * np.pi * 300 * time))[inner].max() < 1e-4  # of HQ, and of the frames' float32


@BOTH
def test_the_stream_is_what_soxr_makes_of_the_whole(spec: WaveSpec) -> None:
    source, engine = WaveSource(Tones(spec=spec), 48_000), Tones(spec=spec)
    whole = frames_to_samples(np.stack([engine.sample() for _ in range(100)]), spec)
    assert np.array_equal(source.pull(48_000), soxr.resample(whole, spec.sample_rate, 48_000)[:48_000])


@BOTH
def test_the_prompt_comes_first_and_the_model_hears_it_and_itself(spec: WaveSpec) -> None:
    prompt, engine, alone = samples_to_frames(tone(0.1), spec), Noise(spec), Noise(spec)
    out = WaveSource(engine, spec.sample_rate, prompt).pull(3_000)
    count = len(prompt)
    drawn = np.stack([alone.sample() for _ in range(20 - count)])
    assert np.array_equal(out, frames_to_samples(np.concatenate([prompt, drawn]), spec))
    assert np.array_equal(np.stack(engine.heard[:20]), np.concatenate([prompt, drawn]))


@BOTH
def test_a_prompt_comes_out_as_it_went_in(spec: WaveSpec) -> None:
    samples = tone(1.0) + np.random.default_rng(0).normal(0, 0.01, 11_025).astype(np.float32)
    out = WaveSource(Tones(spec=spec), spec.sample_rate, samples_to_frames(samples, spec)).pull(10_950)
    assert np.abs(out - samples[:10_950]).max() < 1e-6


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [SPEC.sample_rate, 48_000])
def test_what_is_no_number_becomes_silence_is_counted_and_the_model_begins_anew(
    value: float, rate: int, spec: WaveSpec
) -> None:
    frame = np.zeros(spec.frame_samples, np.float32)
    frame[7] = value
    engine = Broken(frame, spec)
    source = WaveSource(engine, rate)
    out = source.pull(rate)
    assert np.isfinite(out).all()
    assert (source.not_finite, engine.resets) == (1, 1)
    middle = slice(round(2.4 / 73.5 * rate), round(2.6 / 73.5 * rate))  # of the third frame
    assert np.abs(out[middle]).max() < 0.02
    assert np.abs(out[rate // 2 :]).max() > 0.15
    assert all(np.isfinite(heard).all() for heard in engine.heard)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_after_that_there_is_no_history(value: float) -> None:
    """The frames that follow, which another coder makes from its own beginning, are its samples again."""
    frame = np.full(PREDICTED.frame_samples, value, np.float32)
    engine, alone = Broken(frame, PREDICTED), Broken(frame, PREDICTED)
    frames = []
    for _ in range(40):
        frames.append(alone.sample())
        if not np.isfinite(frames[-1]).all():
            alone.reset()
    out = WaveSource(engine, PREDICTED.sample_rate).pull(6_000)
    assert np.array_equal(out[:300], frames_to_samples(np.array(frames[:2]), PREDICTED))
    assert not out[300:450].any()
    assert np.array_equal(out[450:], frames_to_samples(np.array(frames[3:]), PREDICTED))


@BOTH
def test_a_frame_beyond_float32_once_it_is_a_sound_is_loud_and_no_more(spec: WaveSpec) -> None:
    source = WaveSource(Broken(np.full(spec.frame_samples, 3e38, np.float32), spec), 48_000)
    out = source.pull(48_000)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= CEILING * (1 + 1e-6)
    assert source.limited > 0


def test_a_sound_beyond_bounds_is_gone_on_from_as_it_was_heard() -> None:
    source, alone = WaveSource(Noise(PREDICTED, 1e3), PREDICTED.sample_rate), Noise(PREDICTED, 1e3)
    coder = WaveCoder(PREDICTED, loudest=LOUDEST_MODEL_SAMPLE)
    expected = np.concatenate([coder.decode(alone.sample()) for _ in range(200)])
    out = source.pull(30_000)
    assert source.limited > 0
    assert np.abs(expected[:150]).max() == LOUDEST_MODEL_SAMPLE
    end = slice(-3_000, None)  # when the limiter has let go
    assert np.abs(expected[end] - PREDICTED.mean).max() > 1e-4
    assert np.array_equal(out[end], expected[end])


@BOTH
def test_another_rate_goes_on_with_the_model_where_it_was(spec: WaveSpec) -> None:
    engine = Tones(spec=spec)
    source = WaveSource(engine, 44_100)
    source.pull(44_100)
    heard = len(engine.heard)
    source.set_rate(spec.sample_rate)
    out = source.pull(600)
    alone = Tones(spec=spec)
    frames = np.stack([alone.sample() for _ in range(heard + 4)])
    assert np.array_equal(out, frames_to_samples(frames, spec)[heard * spec.frame_samples :])
    assert source.sample_rate == spec.sample_rate


def test_what_was_limited_before_a_change_of_rate_still_counts() -> None:
    source = WaveSource(Tones(level=3.0), 44_100)
    source.pull(44_100)
    before = source.limited
    source.set_rate(48_000)
    assert source.limited == before > 0


def test_nothing_pulled_is_nothing() -> None:
    assert WaveSource(Tones(), 48_000).pull(0).shape == (0,)
