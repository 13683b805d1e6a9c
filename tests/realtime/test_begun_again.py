"""A sound that is over begins again: one that has died away, and one that is suddenly much louder."""

import dataclasses
from itertools import cycle

import numpy as np
import pytest

from cgrnn_bundle.waves import WaveSpec, frames_to_samples, samples_to_frames
from cgrnn_live.pluck import PITCHES, SECONDS, pluck
from cgrnn_live.wave_source import LOUDER, OVER_LEVEL, OVER_SECONDS, WaveSource
from cgrnn_train.pitch import pitches
from tones import PREDICTED, SPEC, Tones

OVER_FRAMES = -(-OVER_SECONDS // SPEC.frame_seconds)


class Levels(Tones):
    """Noise whose frames have the root mean squares that it is given, full scale being 1, one after another."""

    def __init__(self, levels: list[float]) -> None:
        super().__init__(spec=WaveSpec())
        self.levels = levels

    def sample(self) -> np.ndarray:
        level = self.levels[min(self._drawn, len(self.levels) - 1)]
        self._drawn += 1
        noise = self._random.standard_normal(self.spec.frame_samples)
        return (level * noise / np.sqrt(np.square(noise).mean())).astype(np.float32)


def prompt(level: float = 0.1, frames: int = 4) -> np.ndarray:
    return np.full((frames, 150), level, np.float32)


def source_of(levels: list[float], again: list[np.ndarray]) -> tuple[Levels, WaveSource]:
    engine = Levels(levels)
    return engine, WaveSource(engine, engine.spec.sample_rate, prompt(), again=cycle(again))


def test_a_sound_that_has_died_away_begins_again_with_the_next_prompt() -> None:
    quiet = 0.5 * OVER_LEVEL
    engine, source = source_of([0.05] * 10 + [quiet] * 1000, [prompt(0.2), prompt(0.3)])
    first = int(4 + 10 + OVER_FRAMES - 1)  # the frame that would have made it long enough is the next prompt's
    out = source.pull(150 * (first + 8)).reshape(-1, 150)
    assert np.allclose(out[:4], 0.1)
    assert np.allclose(out[first : first + 4], 0.2)
    assert (source.begun_again, engine.resets) == (1, 1)
    assert np.array_equal(engine.heard[first], prompt(0.2)[0])
    source.pull(150 * int(OVER_FRAMES))
    assert source.begun_again == 2
    assert any(np.array_equal(frame, prompt(0.3)[0]) for frame in engine.heard)


def test_a_sound_that_is_quiet_for_a_moment_goes_on() -> None:
    quiet = 0.5 * OVER_LEVEL
    levels = [0.05] * 5 + [quiet] * int(OVER_FRAMES - 1) + [2 * OVER_LEVEL]
    _, source = source_of(levels * 3, [prompt()])
    source.pull(150 * (4 + 3 * len(levels)))
    assert source.begun_again == 0


def test_a_frame_much_louder_than_the_sound_is_not_heard() -> None:
    engine, source = source_of([0.05, 0.05, 1.05 * LOUDER * 0.1, 0.9], [prompt(0.2)])
    out = source.pull(150 * 9).reshape(-1, 150)
    assert np.allclose(out[6:9], 0.2)
    assert source.begun_again == 1
    assert max(np.abs(frame).max() for frame in engine.heard) < 1.05 * LOUDER * 0.1


def test_a_sound_that_swells_slowly_goes_on() -> None:
    _, source = source_of((0.05 * 1.02 ** np.arange(100)).tolist(), [prompt()])
    source.pull(150 * 100)
    assert source.begun_again == 0


def test_a_frame_that_is_no_number_is_counted_and_the_sound_begins_again() -> None:
    engine, source = source_of([0.05, np.nan, 0.05], [prompt(0.2)])
    out = source.pull(150 * 8).reshape(-1, 150)
    assert np.allclose(out[5:8], 0.2)
    assert (source.not_finite, source.begun_again, engine.resets) == (1, 1, 1)


def test_without_anything_to_begin_again_from_it_never_does() -> None:
    engine = Levels([1e-6])
    source = WaveSource(engine, 11_025, prompt())
    source.pull(150 * 100)
    assert (source.begun_again, engine.resets) == (0, 0)


def test_what_begins_again_is_decoded_without_what_was_before() -> None:
    tone = (0.3 * np.sin(0.2 * np.arange(3_000))).astype(np.float32)
    spec = dataclasses.replace(PREDICTED, mean=0.0)
    frames = samples_to_frames(tone, spec)

    class Silent(Tones):
        def sample(self) -> np.ndarray:
            return np.zeros(150, np.float32)

    source = WaveSource(Silent(spec=spec), spec.sample_rate, frames, again=cycle([frames]))
    out = source.pull(30_000)
    assert source.begun_again >= 1
    whole = frames_to_samples(frames, spec)
    starts = [at for at in range(150, 27_000, 150) if np.allclose(out[at : at + 3_000], whole, atol=1e-6)]
    assert len(starts) >= 1


@pytest.mark.parametrize("pitch", PITCHES)
@pytest.mark.parametrize("order", [0, 128])
def test_a_pluck_is_a_string_in_tune(pitch: int, order: int) -> None:
    spec = WaveSpec(std=0.17, order=order)
    frames = pluck(pitch, spec)
    assert frames.shape == (round(SECONDS * 11_025 / 150), 150)
    assert np.array_equal(frames, pluck(pitch, spec))
    sound = frames_to_samples(frames, spec)
    assert 0.45 < np.abs(sound).max() < 0.55
    heard = pitches(sound, 11_025, window=1_800, hop=600)
    cents = 1200 * np.abs(np.log2(heard.frequencies / (440 * 2 ** ((pitch - 69) / 12))))
    assert cents.max() < 15
    assert np.sqrt(np.square(sound[-600:]).mean()) < 0.7 * np.sqrt(np.square(sound[:600]).mean())
