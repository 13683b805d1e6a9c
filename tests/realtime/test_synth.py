import wave
from pathlib import Path

import numpy as np
import pytest

from cgrnn_bundle.frames import Note
from cgrnn_live.synth import BLOCK, SAMPLE_RATE, Synth, synthesise, write_wav


def sound(*notes: Note) -> np.ndarray:
    return np.concatenate(list(synthesise(notes)))


def dominant_frequency(samples: np.ndarray) -> float:
    mono = samples.sum(axis=1) * np.hanning(len(samples))
    return float(np.argmax(np.abs(np.fft.rfft(mono))) * SAMPLE_RATE / len(mono))


@pytest.mark.parametrize(("pitch", "hertz"), [(45, 110.0), (69, 440.0), (81, 880.0)])
def test_a_note_has_its_pitch(pitch: int, hertz: float) -> None:
    synth = Synth()
    synth.note_on(pitch)
    assert dominant_frequency(synth.render(SAMPLE_RATE)) == pytest.approx(hertz, abs=1.5)  # a bin is 1 Hz


def test_no_notes_are_exact_silence() -> None:
    assert not sound().any()
    assert not Synth().render(5000).any()


@pytest.mark.parametrize("block", [1, 64, 441, 5000])
def test_blocks_of_any_size_give_what_one_block_gives(block: int) -> None:
    def play(sizes: list[int]) -> np.ndarray:
        synth = Synth()
        synth.note_on(60)
        before = [synth.render(size) for size in sizes]
        synth.note_on(64, 127)
        synth.note_off(60)
        return np.concatenate(before + [synth.render(size) for size in sizes])

    whole = 10_000 if block > 1 else 300
    blocks = [block] * (whole // block) + [whole % block]
    # float32 of values below 1, through sin of angles below 2 pi: a few units in the last place
    np.testing.assert_allclose(play(blocks), play([whole]), atol=2e-6)


def test_a_released_note_fades_away() -> None:
    synth = Synth()
    synth.note_on(60)
    loud = np.abs(synth.render(SAMPLE_RATE // 4)).max()
    synth.note_off(60)
    synth.render(3 * SAMPLE_RATE)
    assert np.abs(synth.render(SAMPLE_RATE // 4)).max() < 1e-3 < 0.1 < loud


def test_a_note_swells_within_milliseconds() -> None:
    loudness = np.abs(sound(Note(84, 0.0, 0.5))).max(axis=1)
    assert loudness[: SAMPLE_RATE // 4000].max() < 0.3 * loudness.max()
    assert loudness[: SAMPLE_RATE // 50].max() > 0.8 * loudness.max()


def test_starts_and_ends_do_not_click() -> None:
    steps = np.abs(np.diff(sound(Note(60, 0.0, 0.5))[:, 0]))
    # 262 Hz with a tine at 1,831 Hz at this loudness moves by less than 0.03 from sample to sample
    assert steps.max() < 0.05


def test_many_loud_notes_stay_between_minus_1_and_1() -> None:
    synth = Synth()
    for pitch in range(128):
        synth.note_on(pitch, 127)
    samples = synth.render(SAMPLE_RATE)
    assert np.isfinite(samples).all()
    assert 0.5 < np.abs(samples).max() <= 1


def test_louder_is_louder() -> None:
    peaks: list[float] = []
    for velocity in (1, 40, 127):
        synth = Synth()
        synth.note_on(60, velocity)
        peaks.append(float(np.abs(synth.render(4410)).max()))
    assert peaks == sorted(peaks)
    assert peaks[2] > 4 * peaks[0]


def test_a_note_begins_and_ends_at_its_seconds() -> None:
    samples = np.abs(sound(Note(60, 0.5, 1.0))).max(axis=1)
    assert not samples[: SAMPLE_RATE // 2].any()
    assert samples[SAMPLE_RATE // 2 :][:1000].max() > 0.05
    assert samples.shape == (3 * SAMPLE_RATE,)  # with two seconds of tail


def test_a_long_piece_comes_in_short_blocks() -> None:
    blocks = list(synthesise([Note(60, 1.0, 1.1)]))
    assert max(len(block) for block in blocks) <= BLOCK
    assert sum(len(block) for block in blocks) == round(3.1 * SAMPLE_RATE)


def test_wav_holds_the_samples(tmp_path: Path) -> None:
    samples = np.array([[0, 0.5], [-1, 1]], np.float32)
    write_wav(tmp_path / "x.wav", [samples[:1], samples[1:]])
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, SAMPLE_RATE)
        assert np.frombuffer(file.readframes(2), "<i2").tolist() == [0, 16384, -32767, 32767]
