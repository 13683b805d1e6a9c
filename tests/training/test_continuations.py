"""What follows a prompt: which clips are chosen, how systems go on from them, and how near that is to the sound."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cgrnn_bundle.waves import WaveSpec
from cgrnn_train import fit as fitting
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.continuations import (
    Likeness,
    compare,
    continuations,
    kept_seconds,
    level_db,
    nearer,
    prediction_alone,
    prompts_of,
    spectral_convergence,
)
from cgrnn_train.data.waves import Clip, Waves, write_waves
from cgrnn_train.run import load
from cgrnn_train.systems import SYSTEMS

RATE, FRAMES = 11_025, 147
SPEC = WaveSpec(order=128)
SECOND = 74 * 150 / RATE
"""What a continuation lasts."""

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)


def pluck(frequency, *, seconds=FRAMES * 150 / RATE, decay_seconds=1.5, seed=0):
    """A note that dies away over a little noise, of 0.3 at most at first."""
    random, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    partials = [np.sin(2 * np.pi * frequency * h * time + random.uniform(0, 6)) / h**1.5 for h in range(1, 6)]
    sound = np.sum(partials, axis=0) * np.exp(-time / decay_seconds)
    return (0.3 * sound / np.abs(sound).max() + 3e-4 * random.standard_normal(len(time))).astype(np.float32)


def clips():
    """Eight notes to train on and one to validate; of the test split, two to go on from, and what must be left out."""
    kept = {"effect": "none"}
    for index in range(9):
        yield Clip(f"note {index}", "valid" if index == 8 else "train", pluck(150 + 20 * index, seed=index), kept)
    yield Clip("a/low", "test", pluck(110, seed=20), kept | {"group": "low"})
    yield Clip("a/high", "test", pluck(440, seed=21), kept)
    yield Clip("chorus", "test", pluck(220), {"effect": "chorus"})
    yield Clip("faint", "test", pluck(220, decay_seconds=0.1), kept)
    yield Clip("short", "test", pluck(220)[: 150 * (FRAMES - 1)], kept)
    noise = 0.1 * np.random.default_rng(22).standard_normal(150 * FRAMES)
    yield Clip("noise", "test", noise.astype(np.float32), kept)
    slide = np.sin(np.cumsum(2 * np.pi * np.linspace(200, 300, 150 * FRAMES) / RATE))
    yield Clip("slide", "test", (0.2 * slide).astype(np.float32), kept)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Waves:
    folder = tmp_path_factory.mktemp("plucked") / "notes"
    write_waves(folder, clips(), SPEC, {"source": "plucked strings, made by the test", "licence": "CC0"})
    return Waves.open(folder)


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory) -> dict[str, Path]:
    """A run of an energy system, of an RNN and of an autoencoder, trained for an epoch."""
    folder = tmp_path_factory.mktemp("runs")
    for system in ("rnn-1", "vrnn", "cgrnn"):
        architecture = SYSTEMS[system]
        sizes = {"kind": "continuous", "visible": 150, "hidden": 4, "state": 6, "latent": 3, "width": 4, "mlp": (6,)}
        values = {key: value for key, value in sizes.items() if key in architecture.config.__dataclass_fields__}
        settings = FitConfig(epochs=1, batch_size=4, sweeps=1, validation_every=1, validation_frames=20)
        config = RunConfig(system, architecture.config(**(values | architecture.fixed)), settings)
        fitting.fit(config, data, folder / system, accelerator="cpu", show_progress=False)
    return {system: folder / system for system in ("rnn-1", "vrnn", "cgrnn")}


def test_the_clips_are_those_that_sound_on_at_a_steady_pitch(data):
    prompts = prompts_of(data)
    assert [prompt.piece.name for prompt in prompts] == ["a/low", "a/high"]
    for prompt, frequency in zip(prompts, (110, 440), strict=True):
        assert abs(1200 * np.log2(prompt.frequency / frequency)) < 3
        assert prompt.frames.shape == (73, 150)
        whole = data.samples(prompt.piece)
        assert np.array_equal(np.concatenate([prompt.samples, prompt.real]), whole)
        assert len(prompt.real) == 74 * 150
    assert [prompt.piece.name for prompt in prompts_of(data, effect="chorus")] == ["chorus"]
    assert [prompt.piece.name for prompt in prompts_of(data, splits=("valid", "test"))] == ["note 8", "a/low", "a/high"]
    assert not prompts_of(data, seconds=1.1)  # no clip is as long
    assert [len(prompt.real) // 150 for prompt in prompts_of(data, seconds=0.5)][:2] == [37, 37]


def test_the_real_frames_are_the_real_continuation(data):
    prompts = prompts_of(data)
    frames = np.stack([data.frames(prompt.piece)[73:] for prompt in prompts])
    played = continuations(lambda count, prompt: torch.from_numpy(frames), prompts)
    for sound, prompt in zip(played, prompts, strict=True):
        found = compare(sound, prompt)
        assert found.kept_seconds == pytest.approx(SECOND)
        assert found.convergence < 0.01  # frames are of samples with a random part of a step
        assert abs(found.level_db) < 0.01
    assert compare(prompts[0].real, prompts[0])[1:] == (0, 0)


def test_prediction_alone_keeps_a_string_s_pitch_and_says_nothing_without_order(data):
    prompts = prompts_of(data)
    for sound, prompt in zip(continuations(prediction_alone, prompts), prompts, strict=True):
        found = compare(sound, prompt)
        assert found.kept_seconds == pytest.approx(SECOND)
        assert found.convergence < 1
        assert found.level_db < 3
    data = Waves(data.folder, WaveSpec(std=SPEC.std), data.meta, data.pieces(), data._waves)
    prompt = prompts_of(data)[0]
    (sound,) = continuations(prediction_alone, [prompt])
    assert not sound.any()
    assert compare(sound, prompt)[:2] == (0, 1)
    assert compare(sound, prompt).level_db == pytest.approx(-96 - level_db(prompt.real[-1102:]), abs=0.1)


def test_the_same_coder_goes_on_from_every_prompt_again(data):
    prompts = prompts_of(data)
    first, second = continuations(prediction_alone, prompts), continuations(prediction_alone, prompts[::-1])[::-1]
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_second_is_kept_only_to_the_very_end():
    sound = pluck(110, seconds=SECOND)
    assert kept_seconds(sound, 110, SPEC) == pytest.approx(SECOND)
    assert kept_seconds(sound, 110 * 2 ** (45 / 1200), SPEC) == pytest.approx(SECOND)
    assert kept_seconds(sound, 110 * 2 ** (55 / 1200), SPEC) == 0
    sound[-150:] = 0
    assert SECOND - 0.2 < kept_seconds(sound, 110, SPEC) < 1


@pytest.mark.parametrize("after", ["octave", "silence", "noise"])
def test_a_pitch_is_lost_where_it_ends(after):
    sound = pluck(110, seconds=SECOND)
    half = len(sound) // 2
    rest = {"octave": pluck(220, seconds=SECOND), "silence": np.zeros_like(sound), "noise": 0.3 * noise(len(sound))}
    sound[half:] = rest[after][half:]
    assert kept_seconds(sound, 110, SPEC) == pytest.approx(SECOND / 2, abs=0.1)  # more than half a window


def test_a_continuation_that_begins_without_the_pitch_has_kept_nothing():
    sound = pluck(110, seconds=SECOND)
    sound[:1800] = 0.3 * noise(1800)
    assert kept_seconds(sound, 110, SPEC) == 0
    assert kept_seconds(1e-3 * pluck(110, seconds=SECOND), 110, SPEC) == 0  # as clear, but below -60 dB


def noise(count):
    return np.random.default_rng(3).standard_normal(count).astype(np.float32)


def test_spectral_convergence_is_of_magnitudes_alone():
    real = pluck(110, seconds=SECOND)
    assert spectral_convergence(real, real) == 0
    assert spectral_convergence(-real, real) == 0
    assert spectral_convergence(np.zeros_like(real), real) == 1
    assert spectral_convergence(np.float32(3) * real, real) == pytest.approx(2, rel=1e-6)  # float32 samples
    assert spectral_convergence(real, np.float32(3) * real) == pytest.approx(2 / 3, rel=1e-6)


def test_a_level_is_that_of_the_end_and_no_lower_than_a_step(data):
    prompt = prompts_of(data)[0]
    softer = prompt.real.copy()
    softer[-1200:] /= 2
    assert compare(softer, prompt).level_db == pytest.approx(-6.02, abs=0.01)
    assert level_db(np.sin(np.arange(110_250) * 0.1)) == pytest.approx(-3.01, abs=0.01)


def test_the_nearer_of_two_is_said_by_clip_and_in_the_mean(data):
    prompts = prompts_of(data) * 2  # as if each note had two takes
    ours = [Likeness(1, value, 0) for value in (0.2, 0.4, 0.3, 0.5)]
    theirs = [Likeness(1, value, 0) for value in (0.5, 0.5, 0.6, 0.4)]
    share, gain = nearer(ours, theirs, prompts)
    assert share == 0.75
    assert gain.value == pytest.approx(0.15)
    assert gain.interval == pytest.approx((0, 0.3))  # of two notes, one is as near, and one 0.3 nearer


@pytest.mark.parametrize("value", [1e3, 1e30, torch.nan, torch.inf])
def test_what_has_diverged_is_held_at_full_scale_and_leaves_the_others_alone(value, data):
    prompts = prompts_of(data)

    def diverge(count, prompt):
        frames = prediction_alone(count, prompt)
        frames[0, 40:] = value
        return frames

    first, second = continuations(diverge, prompts)
    alone = continuations(prediction_alone, prompts)
    assert np.array_equal(first[: 40 * 150], alone[0][: 40 * 150])
    assert (first[50 * 150 :] == 1).all()
    assert np.array_equal(second, alone[1])
    found = compare(first, prompts[0])
    assert 0.3 < found.kept_seconds < 0.8
    assert found.convergence > 1
    assert found.level_db > 0


@pytest.mark.parametrize("system", ["rnn-1", "vrnn", "cgrnn"])
def test_a_trained_run_goes_on_from_all_prompts_at_once(system, data, runs):
    prompts = prompts_of(data)
    _, model = load(runs[system])
    torch.manual_seed(0)
    first = continuations(model.generate, prompts)
    torch.manual_seed(0)
    second = continuations(model.generate, prompts)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert [len(sound) for sound in first] == [11_100, 11_100]
    assert all(np.isfinite(compare(sound, prompt)).all() for sound, prompt in zip(first, prompts, strict=True))


def test_the_benchmark_prints_a_row_a_run_and_writes_the_sounds(data, runs, tmp_path, capsys, monkeypatch):
    path = Path(__file__).parents[2] / "benchmarks" / "continuations.py"
    spec = importlib.util.spec_from_file_location("continuations_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.chdir(runs["cgrnn"].parent)
    arguments = [str(data.folder), "rnn-1", "cgrnn", "--clips", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["continuations.py", *arguments])
    script.main()
    heading, *rows = capsys.readouterr().out.splitlines()
    assert "cgrnn lower" in heading
    assert [row[:22].strip() for row in rows] == ["rnn-1", "cgrnn", "prediction alone", "the real continuation"]
    assert all(row[22:].split()[0] == "1" for row in rows)
    assert rows[-1].split()[-2:] == ["100%", "1.01"]
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav"))
    assert written == [
        f"{row}/000-a_low.wav" for row in ("cgrnn", "prediction_alone", "rnn-1", "the_real_continuation")
    ]
    sound, rate = soundfile.read(tmp_path / "the_real_continuation" / "000-a_low.wav", dtype="float32")
    assert rate == RATE
    assert np.abs(sound - data.samples(prompts_of(data)[0].piece)).max() < 1e-4  # a step of 16 bits is 3e-5
    monkeypatch.setattr(sys, "argv", ["continuations.py", str(data.folder), str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert stopped.value.code == 2
    assert "is not a run" in capsys.readouterr().err
