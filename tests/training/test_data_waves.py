"""Data sets of sound: what is written is read, normalised by the training samples, and what is damaged is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cgrnn_bundle.waves import WaveSpec, frames_to_samples
from cgrnn_train import run
from cgrnn_train.config import RunConfig
from cgrnn_train.data.batches import TrainingBatches
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.packed import PackedFrames, as_rolls
from cgrnn_train.data.sequences import frame_statistics, sequences
from cgrnn_train.data.store import Piece
from cgrnn_train.data.waves import FULL_SCALE, Clip, Waves, write_waves
from cgrnn_train.fit import fit

SPEC = WaveSpec(11_025, 150)
STEP = 1 / FULL_SCALE
"""Of the integers on the disk."""


def noise(samples: int, seed: int, level: float = 0.2, mean: float = 0.05) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(mean, level, samples), -1, 1).astype(np.float32)


def clips() -> list[Clip]:
    return [
        Clip("a", "train", noise(1000, 1), {"group": "E2", "effect": "none", "parameters": {}}),
        Clip("b é/ü", "test", noise(450, 2, level=0.5), {"group": "F2", "effect": "echo", "parameters": {"gain": 0.5}}),
        Clip("c", "train", noise(300, 3), {"group": "E2"}),
        Clip("too short for a frame", "train", noise(149, 4)),
        Clip("d", "valid", noise(900, 5)),
    ]


def whole(clip: Clip) -> np.ndarray:
    return clip.samples[: len(clip.samples) // 150 * 150]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_waves(tmp_path / "set", clips(), SPEC, {"source": "noise", "licence": "CC0", "seed": 5})
    return tmp_path / "set"


def test_a_set_is_read_as_it_was_written(folder: Path):
    data = open_data(folder)
    assert isinstance(data, Waves)
    assert (data.values, data.visible) == ("continuous", 150)
    assert data.meta["counts"] == {
        "train": {"pieces": 2, "frames": 8},
        "valid": {"pieces": 1, "frames": 6},
        "test": {"pieces": 1, "frames": 3},
    }
    assert data.meta["source"] == "noise"
    labels = {"group": "F2", "effect": "echo", "parameters": {"gain": 0.5}}
    assert data.pieces("test") == [Piece("b é/ü", "test", 6, 3, labels=labels)]
    for clip, piece in zip([clip for clip in clips() if len(whole(clip))], data.pieces(), strict=True):
        frames = data.frames(piece)
        assert (frames.dtype, frames.shape) == (np.float32, (piece.length, 150))
        assert np.allclose(frames_to_samples(frames, data.spec), whole(clip), rtol=0, atol=1.01 * STEP)  # dequantised
        assert np.allclose(data.samples(piece), whole(clip), rtol=0, atol=0.51 * STEP)


def test_training_samples_alone_have_mean_0_and_deviation_1(folder: Path):
    data = open_data(folder)
    train = np.concatenate([data.frames(piece).ravel() for piece in data.pieces("train")]).astype(np.float64)
    assert abs(train.mean()) < STEP / 0.2 / np.sqrt(1200)  # what the random part of a step adds
    assert abs(train.std() - 1) < STEP / 0.2
    test = np.concatenate([data.frames(piece).ravel() for piece in data.pieces("test")])
    assert test.std() > 2
    raw = np.concatenate([whole(clip) for clip in clips() if clip.split == "train"])
    assert isinstance(data.spec, WaveSpec)
    assert data.spec.mean == pytest.approx(raw.mean(), abs=STEP)
    assert data.spec.std == pytest.approx(raw.std(), rel=1e-4)


def test_the_spec_does_not_depend_on_how_many_clips_hold_the_samples(tmp_path: Path):
    samples = noise(600, 8)
    write_waves(tmp_path / "one", [Clip("a", "train", samples)], SPEC, {})
    write_waves(tmp_path / "two", [Clip("a", "train", samples[:150]), Clip("b", "train", samples[150:])], SPEC, {})
    assert open_data(tmp_path / "one").spec == open_data(tmp_path / "two").spec


def test_frames_are_the_integers_with_a_random_part_of_a_step_that_stays_the_same(tmp_path: Path):
    write_waves(
        tmp_path / "set",
        [Clip("a", "train", noise(600, 9)), Clip("b", "valid", np.zeros(60_000, np.float32))],
        SPEC,
        {},
    )
    data = open_data(tmp_path / "set")
    assert isinstance(data, Waves)
    silence = data.pieces("valid")[0]
    parts = (data.normalised(silence) * data.spec.std + data.spec.mean) / STEP
    assert -0.5 <= parts.min() < -0.499
    assert 0.499 < parts.max() <= 0.5
    assert abs(parts.mean()) < 3 / np.sqrt(12 * 60_000)
    assert np.corrcoef(parts[1:], parts[:-1])[0, 1] == pytest.approx(0, abs=3 / np.sqrt(60_000))
    assert np.array_equal(data.frames(silence), open_data(data.folder).frames(silence))


def test_samples_are_16_bit_integers_of_full_scale(tmp_path: Path):
    samples = np.resize(np.array([1, -1, 0], np.float32), 150)
    write_waves(tmp_path / "set", [Clip("a", "train", samples)], SPEC, {})
    waves = np.load(tmp_path / "set" / "waves.npy", mmap_mode="r")
    assert (waves.dtype, waves.shape) == (np.int16, (1, 150))
    assert waves[0, :3].tolist() == [32767, -32767, 0]


@pytest.mark.parametrize("value", [1.0001, -2.0, np.nan, np.inf])
def test_what_would_clip_is_refused(tmp_path: Path, value: float):
    samples = noise(300, 1)
    samples[200] = value
    with pytest.raises(ValueError, match="loud: found samples beyond ±1"):
        write_waves(tmp_path / "set", [Clip("loud", "train", samples)], SPEC, {})
    assert not list(tmp_path.iterdir())


def test_stereo_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"x: samples have the shape \(300, 2\)"):
        write_waves(tmp_path / "set", [Clip("x", "train", np.zeros((300, 2), np.float32))], SPEC, {})


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (Clip("a", "test", noise(300, 1)), "the training samples are none"),
        (Clip("a", "train", np.full(300, 0.25, np.float32)), "the training samples are all the same"),
        (Clip("a", "train", noise(149, 1)), "no piece has a frame"),
    ],
)
def test_a_set_that_cannot_be_normalised_is_refused(tmp_path: Path, clip: Clip, message: str):
    with pytest.raises(DataError, match=message):
        write_waves(tmp_path / "set", [clip], SPEC, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pieces.json", b"[]", "names 0 frames"),
        ("pieces.json", b'[{"name": "a", "split": "train", "offset": 0, "length": 17, "labels": 3}]', "damaged"),
        ("waves.npy", b"not an array", "damaged"),
        ("meta.json", b'{"version": 1}', "names no frame"),
        ("meta.json", b'{"version": 1, "frame": {"sample_rate": 0}}', "sample_rate is 0"),
        ("meta.json", b'{"version": 1, "frame": {"sample_rate": 11025, "frame_samples": 75}}', r"\(frames, 75\)"),
        ("meta.json", b'{"version": 1, "frame": {"sample_rate": 11025, "std": 0}}', "std is 0"),
        ("meta.json", b'{"version": 2, "frame": {"sample_rate": 11025}}', "version 2, expected 1"),
    ],
)
def test_a_damaged_set_is_refused(folder: Path, name: str, content: bytes, message: str):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_data(folder)


def test_an_array_of_other_numbers_is_refused(folder: Path):
    np.save(folder / "waves.npy", np.zeros((17, 150), np.float32))
    with pytest.raises(DataError, match=r"waves.npy is float32 \(17, 150\), expected int16 \(frames, 150\)"):
        open_data(folder)


def test_a_set_of_rolls_is_opened_as_one_and_replaced_by_sound(data: PackedFrames, tmp_path: Path):
    rolls = open_data(data.folder)
    assert isinstance(rolls, PackedFrames)
    assert (rolls.values, rolls.visible, rolls.digest) == ("binary", 128, data.digest)
    assert as_rolls(rolls, "this") is rolls
    out = tmp_path / "set"
    out.mkdir()
    for name in ("frames.npy", "pieces.json", "meta.json"):
        (out / name).write_bytes((data.folder / name).read_bytes())
    write_waves(out, clips(), SPEC, {})
    assert {path.name for path in out.iterdir()} == {"waves.npy", "pieces.json", "meta.json"}
    with pytest.raises(DataError, match="holds sound; expected piano rolls, which a figure needs"):
        as_rolls(open_data(out), "a figure")


def test_variants_of_one_note_are_one_song(folder: Path):
    assert sequences(open_data(folder), "train").songs.tolist() == [0, 0]
    assert Piece("a#03", "train", 0, 1).song == "a"


def test_batches_hold_the_normalised_frames_at_their_rows(folder: Path):
    data = open_data(folder)
    everything = np.concatenate([data.frames(piece) for piece in data.pieces()])
    batches = TrainingBatches(data, batch_size=2, longest=4)
    rows = []
    for batch in batches:
        assert batch.frames.dtype == torch.float32
        assert batch.frames.shape[2] == 150
        assert torch.equal(batch.frames[batch.mask], torch.from_numpy(everything)[batch.rows])
        assert not batch.frames[~batch.mask].any()
        assert not batch.shift.any()
        rows += batch.rows.tolist()
    expected = [range(piece.offset, piece.offset + piece.length) for piece in data.pieces("train")]
    assert sorted(rows) == sorted(row for rows in expected for row in rows)


def test_sound_is_not_transposed(folder: Path):
    with pytest.raises(DataError, match=r"fit.transpose = 2 with .*set, which holds sound; expected 0"):
        TrainingBatches(open_data(folder), batch_size=2, longest=4, transpose=2)


def test_statistics_are_the_mean_frame_and_the_covariance_of_frames_of_one_power(folder: Path, data: PackedFrames):
    train = torch.cat(list(sequences(open_data(folder), "train"))).double()
    found = frame_statistics(open_data(folder))
    assert found.covariance is not None
    centred = train - train.mean(0)
    power = centred.square().mean(1, keepdim=True)
    alike = centred / power.sqrt()
    median = np.median(power.numpy())
    assert torch.allclose(found.mean.double(), train.mean(0), atol=1e-6)
    assert torch.allclose(found.covariance.double(), median * alike.T @ alike / len(alike), atol=1e-5)
    assert frame_statistics(data).std is None


def test_a_few_loud_frames_do_not_make_the_covariance(tmp_path: Path):
    quiet = noise(150 * 400, 1, level=0.01, mean=0.0)
    loud = quiet.copy()
    loud[: 150 * 20] *= 15
    for name, sound in (("quiet", quiet), ("loud", loud)):
        write_waves(tmp_path / name, [Clip("a", "train", sound)], SPEC, {})
    one, other = (frame_statistics(open_data(tmp_path / name)) for name in ("quiet", "loud"))
    scale = Waves.open(tmp_path / "loud").spec.std / Waves.open(tmp_path / "quiet").spec.std
    assert one.std is not None
    assert other.std is not None
    assert float(other.std.mean()) * scale == pytest.approx(float(one.std.mean()), rel=0.05)


def test_a_model_of_other_frames_is_refused(folder: Path, small_run: RunConfig, tmp_path: Path):
    with pytest.raises(
        run.RunError, match=r"set has continuous frames of 150 values; the model sees binary ones of 128"
    ):
        fit(small_run, open_data(folder), tmp_path / "run", accelerator="cpu", show_progress=False)
    assert not (tmp_path / "run").exists()


def test_a_run_remembers_the_sound_it_was_trained_on(folder: Path, small_run: RunConfig, tmp_path: Path):
    data, trained = open_data(folder), tmp_path / "run"
    model = dataclasses.replace(small_run.model, kind="continuous", visible=150)
    settings = dataclasses.replace(small_run.fit, transpose=0)
    run.save_config(trained, dataclasses.replace(small_run, model=model, fit=settings), "fit")
    run.save_data(trained, data)
    record: Any = run.trained_on(trained)
    assert record["frame"] == data.spec
    assert run.open_data(trained).digest == data.digest
    other = tmp_path / "other"
    write_waves(other, clips()[:1], dataclasses.replace(SPEC, frame_samples=100), {"source": "other noise"})
    with pytest.raises(run.RunError, match=r"100 samples at 11025 Hz, of mean .*; expected 150 samples at 11025 Hz"):
        run.open_data(trained, other)
    assert json.loads((trained / "data.json").read_text(encoding="utf-8"))["source"] == "noise"
