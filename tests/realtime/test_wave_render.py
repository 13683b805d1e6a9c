"""Sound into a file: a WAV that others read, with exactly the stream's samples, and the same bytes each time."""

from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cgrnn_bundle.bundle import Bundle, save
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.waves import frames_to_samples
from cgrnn_live.pluck import PITCHES, pluck
from cgrnn_live.recording import FileError
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_live.wave_prompt import WavePromptError, read_wave_prompt
from cgrnn_live.wave_render import WaveLengthError, render
from cgrnn_live.wave_session import WaveSetup, play
from cgrnn_live.wave_source import WaveSource
from small_bundles import sound_bundle
from tones import Tones


@pytest.fixture(scope="module", params=[0, 8], ids=["samples", "a prediction's residuals"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """A small model of sound."""
    return sound_bundle(visible=60, order=request.param, level=0.2, gains=1)


@pytest.fixture(scope="module")
def model(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, on disk."""
    path = tmp_path_factory.mktemp("bundles") / "tiny-sound"
    save(bundle, path)
    return str(path)


@pytest.mark.parametrize("count", [1, 100, 40_000])
def test_the_file_holds_the_streams_samples(tmp_path: Path, count: int) -> None:
    render(WaveSource(Tones(), 44_100), count, tmp_path / "out.wav")
    samples, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert (rate, samples.shape) == (44_100, (count,))
    assert np.array_equal(samples, WaveSource(Tones(), 44_100).pull(count))
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.format, info.subtype, info.channels) == ("WAV", "FLOAT", 1)
    assert list(tmp_path.iterdir()) == [tmp_path / "out.wav"]


def test_one_seed_gives_the_same_bytes_and_another_others(tmp_path: Path, model: str) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        play(WaveSetup(seed=seed, model=model, render=tmp_path / name, duration=2.0))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert len(a) == len(c) == 58 + 4 * 2 * 8_000
    assert a != c


def test_a_render_reports_what_it_wrote(tmp_path: Path, model: str) -> None:
    out = tmp_path / "out.wav"
    summary = play(WaveSetup(seed=3, model=model, render=out, duration=1.5, rate=48_000))
    samples, rate = soundfile.read(out, dtype="float32")
    assert (rate, len(samples)) == (48_000, 72_000)
    assert 0 < summary["peak"] == pytest.approx(np.abs(samples).max())
    assert {key: summary[key] for key in summary if key != "peak"} == {
        "model": model,
        "seed": 3,
        "device": None,
        "file": str(out),
        "sample_rate": 48_000,
        "seconds": 1.5,
        "frames": 200,
        "begun_again": 0,
        "underruns": 0,
        "device_underflows": 0,
        "limited": 0,
        "not_finite": 0,
    }


def test_a_prompt_sounds_first_and_is_continued(tmp_path: Path, bundle: Bundle, model: str) -> None:
    prompt = (0.2 * np.sin(np.arange(6_000) / 4)).astype(np.float32)
    soundfile.write(tmp_path / "phrase.wav", prompt, 8_000, subtype="FLOAT")
    play(WaveSetup(seed=3, model=model, prompt=tmp_path / "phrase.wav", render=tmp_path / "out.wav"))
    samples, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert len(samples) == 6_000 + 30 * 8_000
    assert samples[:6_000] == pytest.approx(prompt, abs=1e-6)
    engine = WaveEngine(bundle, seed=3)
    frames = read_wave_prompt(tmp_path / "phrase.wav", engine.spec)
    again = repeat(frames) if engine.spec.order else None
    assert np.array_equal(samples, WaveSource(engine, 8_000, frames, again=again).pull(len(samples)))


def test_a_render_is_the_models_frames_decoded(tmp_path: Path, bundle: Bundle, model: str) -> None:
    summary = play(WaveSetup(seed=3, model=model, render=tmp_path / "out.wav", duration=0.6))
    samples, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    engine = WaveEngine(bundle, seed=3)
    frames = list(pluck(PITCHES[0], engine.spec)) if engine.spec.order else []  # a string is plucked first
    for frame in frames:
        engine.advance(frame)
    while len(frames) < 80:
        frames.append(engine.sample())
        engine.advance(frames[-1])
    assert summary["limited"] == 0  # so that nothing comes between
    assert np.array_equal(samples, frames_to_samples(np.array(frames[:80]), engine.spec))


def test_a_prompt_as_long_as_the_duration_is_refused(tmp_path: Path, model: str) -> None:
    soundfile.write(tmp_path / "phrase.wav", np.zeros(16_020), 8_000)
    setup = WaveSetup(seed=3, model=model, prompt=tmp_path / "phrase.wav", render=tmp_path / "out.wav", duration=1.9)
    with pytest.raises(WavePromptError, match=r"lasts 2\.00 s and --duration is 1\.9, the prompt included; give"):
        play(setup)
    assert not (tmp_path / "out.wav").exists()


def test_the_prompt_itself_is_never_written_over(tmp_path: Path, model: str) -> None:
    phrase = tmp_path / "phrase.wav"
    soundfile.write(phrase, np.zeros(16_000), 8_000)
    before = phrase.read_bytes()
    with pytest.raises(FileError, match="is the prompt itself"):
        play(WaveSetup(seed=3, model=model, prompt=phrase, render=tmp_path / "." / "phrase.wav"))
    assert phrase.read_bytes() == before


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        render(WaveSource(Tones(), 8_000), 100, tmp_path / "no" / "out.wav")
    with pytest.raises(FileError, match="is not a file"):
        render(WaveSource(Tones(), 8_000), 100, tmp_path)


class Failing(Tones):
    """Breaks down after a second."""

    def advance(self, heard: np.ndarray) -> None:
        super().advance(heard)
        if len(self.heard) == 74:
            raise BundleError("the transition gives what no model gives")


def test_a_model_that_fails_on_the_way_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.wav").write_bytes(b"before")
    with pytest.raises(BundleError):
        render(WaveSource(Failing(), 8_000), 80_000, tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.wav"]


def test_a_sound_beyond_what_wav_holds_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WaveLengthError, match="A WAV file of 96000 samples a second lasts at most 11184 s; give a sho"):
        render(WaveSource(Tones(), 96_000), 96_000 * 11_185, tmp_path / "out.wav")
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_midi_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="pop is a model of MIDI"):
        play(WaveSetup(seed=1, model="pop", render=tmp_path / "out.wav"))
    with pytest.raises(BundleError, match="nothing.* is missing"):
        play(WaveSetup(seed=1, model="nothing", render=tmp_path / "out.wav"))
