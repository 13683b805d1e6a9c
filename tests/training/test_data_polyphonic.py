"""The four benchmark sets, and the chorales of music21."""

import os
from pathlib import Path
from typing import Any

import music21
import numpy as np
import pytest
import scipy.io
from typer.testing import CliRunner

from cgrnn_bundle.frames import FrameSpec
from cgrnn_train.data.chorales import ChoraleEncoder, prepare_chorales
from cgrnn_train.data.command import app
from cgrnn_train.data.errors import DataError, UnusableFileError
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.data.polyphonic import CELLS, prepare_polyphonic


def cells(*lengths: int, columns: int = 88) -> np.ndarray:
    """Return a MATLAB cell array of noise pieces."""
    random = np.random.default_rng(sum(lengths))
    array = np.empty((1, len(lengths)), object)
    for number, length in enumerate(lengths):
        array[0, number] = random.integers(0, 2, (length, columns)).astype(np.uint8)
    return array


def mat(path: Path, **variables: np.ndarray) -> Path:
    scipy.io.savemat(path, variables)
    return path


def test_a_mat_file_keeps_its_splits_and_pitches(tmp_path: Path):
    source = {"traindata": cells(5, 3), "validdata": cells(4), "testdata": cells(6, 2, 1)}
    meta = prepare_polyphonic(mat(tmp_path / "Nottingham.mat", **source), tmp_path / "set")
    data = PackedFrames.open(tmp_path / "set")
    for variable, split in CELLS.items():
        pieces = data.pieces(split)
        assert [piece.name for piece in pieces] == [f"{split}/{number:03}" for number in range(len(pieces))]
        for piece, expected in zip(pieces, source[variable][0], strict=True):
            frames = data.frames(piece)
            assert np.array_equal(frames[:, 21:109], expected)
            assert not frames[:, :21].any()
            assert not frames[:, 109:].any()
    assert data.spec == FrameSpec()
    assert "standard split" in meta["split_rule"]


def test_jsb_chorales_are_quarter_notes(tmp_path: Path):
    source = mat(tmp_path / "JSB_Chorales.mat", traindata=cells(5), validdata=cells(4), testdata=cells(6))
    prepare_polyphonic(source, tmp_path / "set")
    assert PackedFrames.open(tmp_path / "set").spec == FrameSpec(0.5, "half", "1/4")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"traindata": cells(5), "validdata": cells(4)}, "no variable testdata"),
        ({"traindata": cells(5, columns=90), "validdata": cells(4), "testdata": cells(4)}, r"not a \(time, 88\)"),
        ({"traindata": cells(5) * 2, "validdata": cells(4), "testdata": cells(4)}, "zeros and ones"),
        ({"traindata": np.zeros(4), "validdata": cells(4), "testdata": cells(4)}, "traindata 0 is not"),
    ],
)
def test_another_layout_is_refused(tmp_path: Path, variables: dict[str, np.ndarray], message: str):
    with pytest.raises(DataError, match=message):
        prepare_polyphonic(mat(tmp_path / "a.mat", **variables), tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("content", [b"", b"no matrix" * 40])
def test_no_mat_file_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a MATLAB file"):
        prepare_polyphonic(tmp_path / "a.mat", tmp_path / "set")
    with pytest.raises(DataError, match="there is no file"):
        prepare_polyphonic(tmp_path / "b.mat", tmp_path / "set")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "frames"), [("JSB_Chorales", (13807, 4602, 4725)), ("Piano_midi", (75911, 8540, 19036))]
)
def test_the_real_sets_have_the_known_sizes(tmp_path: Path, name: str, frames: tuple[int, int, int]):
    source = Path(os.environ.get("CGRNN_DATA", "")) / "polyphonic" / f"{name}.mat"
    if "CGRNN_DATA" not in os.environ or not source.is_file():
        pytest.skip(f"set CGRNN_DATA to a folder that holds polyphonic/{name}.mat")
    counts = prepare_polyphonic(source, tmp_path / "set")["counts"]
    assert tuple(counts[split]["frames"] for split in ("train", "valid", "test")) == frames


@pytest.mark.parametrize(
    ("name", "quarters"),
    [("bwv66.6", 1.0), ("bwv66.6", 0.5), ("bwv276", 1.0), ("bwv299", 0.5)],  # the third has ties, the last grace notes
)
def test_a_chorale_is_its_four_voices(name: str, quarters: float):
    frames = ChoraleEncoder(quarters, "half")(f"bach/{name}.mxl").frames
    score: Any = music21.corpus.parse(f"bach/{name}.mxl")
    notes = [note for note in score.stripTies().flatten().notes if not note.duration.isGrace]
    for number, frame in enumerate(frames):
        opens, closes = number * quarters, (number + 1) * quarters
        expected = {
            pitch.midi
            for note in notes
            for pitch in note.pitches
            if opens <= note.offset < closes
            or min(note.offset + note.quarterLength, closes) - max(note.offset, opens) >= quarters / 2
        }
        assert set(np.flatnonzero(frame).tolist()) == expected
    assert len(frames) == score.highestTime / quarters


def test_what_is_not_in_four_parts_is_skipped():
    with pytest.raises(UnusableFileError, match="has 2 parts, not 4 voices"):
        ChoraleEncoder(1.0, "half")("bach/bwv846.mxl")


@pytest.mark.slow
def test_the_corpus_gives_hundreds_of_chorales(tmp_path: Path):
    meta = prepare_chorales(tmp_path / "set", note_value="1/4", workers=2)
    assert meta["frame"] == {"frame_seconds": 0.5, "rule": "half", "note_value": "1/4"}
    assert meta["files"]["used"] > 340
    data = PackedFrames.open(tmp_path / "set")
    works = {split: {piece.name.split("-")[0] for piece in data.pieces(split)} for split in ("train", "valid", "test")}
    assert not works["train"] & (works["valid"] | works["test"])


def test_the_commands(tmp_path: Path):
    source = mat(tmp_path / "Nottingham.mat", traindata=cells(5), validdata=cells(4), testdata=cells(6))
    result = CliRunner().invoke(app, ["polyphonic", str(source), str(tmp_path / "set")])
    assert result.exit_code == 0, result.output
    assert "pieces/frames: train 1/5, valid 1/4, test 1/6" in result.stderr
    assert not result.stdout
    refused = CliRunner().invoke(app, ["chorales", str(tmp_path / "chorales"), "--note-value", "1/3"])
    assert isinstance(refused.exception, DataError)
    assert "expected 1/4 or 1/8" in str(refused.exception)
