"""The packed data set: what is written is read, and what is damaged is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import PackedFrames, Roll, write_packed
from cgrnn_train.data.splits import split_by_group
from cgrnn_train.data.store import Piece, Split, check_target

SPEC = FrameSpec(0.5, "cover", "1/4")


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, PITCHES)) < 0.1


def three_pieces() -> list[Roll]:
    return [
        Roll("a", "train", noise(30, 1)),
        Roll("b é/ü", "test", noise(7, 2), "1/16", 0.21),
        Roll("c", "train", noise(300, 3)),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_packed(tmp_path / "set", three_pieces(), SPEC, {"source": "noise", "seed": 5})
    return tmp_path / "set"


def test_a_set_is_read_as_it_was_written(folder: Path):
    data = PackedFrames.open(folder)
    assert data.spec == SPEC
    assert data.meta["source"] == "noise"
    assert data.meta["counts"]["train"] == {"pieces": 2, "frames": 330}
    assert data.meta["counts"]["valid"] == {"pieces": 0, "frames": 0}
    assert data.pieces("test") == [Piece("b é/ü", "test", 30, 7, "1/16", 0.21)]
    assert [piece.name for piece in data.pieces()] == ["a", "b é/ü", "c"]
    for roll, piece in zip(three_pieces(), data.pieces(), strict=True):
        frames = data.frames(piece)
        assert frames.dtype == np.bool_
        assert np.array_equal(frames, roll.frames)


@settings(deadline=None)  # it writes to a disk that others use
@given(st.lists(arrays(np.bool_, st.tuples(st.integers(0, 4), st.just(PITCHES))), min_size=1, max_size=5))
def test_any_rolls_survive(tmp_path_factory: pytest.TempPathFactory, rolls: list[np.ndarray]):
    out = tmp_path_factory.mktemp("any") / "set"
    pieces = [Roll(str(number), "valid", frames) for number, frames in enumerate(rolls)]
    if not any(len(frames) for frames in rolls):
        with pytest.raises(DataError, match="no piece has a frame"):
            write_packed(out, pieces, SPEC, {})
        return
    write_packed(out, pieces, SPEC, {})
    data = PackedFrames.open(out)
    read = {piece.name: data.frames(piece) for piece in data.pieces("valid")}
    assert set(read) == {roll.name for roll in pieces if len(roll.frames)}
    assert all(np.array_equal(read[roll.name], roll.frames) for roll in pieces if len(roll.frames))


def test_frames_are_bits_in_a_memory_map(folder: Path):
    packed = np.load(folder / "frames.npy")
    assert packed.shape == (337, 16)
    assert np.array_equal(np.unpackbits(packed[:30], axis=1), noise(30, 1))


def test_a_set_is_replaced_by_a_new_one(folder: Path):
    write_packed(folder, [Roll("d", "valid", noise(3))], SPEC, {})
    assert [piece.name for piece in PackedFrames.open(folder).pieces()] == ["d"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failure_leaves_the_old_set(folder: Path):
    def broken() -> Iterator[Roll]:
        yield Roll("d", "valid", noise(3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_packed(folder, broken(), SPEC, {})
    assert [piece.name for piece in PackedFrames.open(folder).pieces()] == ["a", "b é/ü", "c"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failure_to_take_its_place_leaves_the_old_set(folder: Path, monkeypatch: pytest.MonkeyPatch):
    rename = Path.rename

    def full_disk(self: Path, target: Path) -> Path:
        if self.name == "set" and target == folder and self.parent != folder.parent:
            raise OSError("no space")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_packed(folder, [Roll("d", "valid", noise(3))], SPEC, {})
    assert [piece.name for piece in PackedFrames.open(folder).pieces()] == ["a", "b é/ü", "c"]


def test_other_peoples_files_are_not_overwritten(tmp_path: Path, folder: Path):
    (folder / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    for out, stranger in ((folder, "thesis.tex"), (tmp_path / "file", "file"), (tmp_path, "file")):
        with pytest.raises(DataError, match=f"holds {stranger}.*name a new folder"):
            write_packed(out, three_pieces(), SPEC, {})
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_a_new_or_empty_folder_is_free(tmp_path: Path):
    check_target(tmp_path / "new")
    check_target(tmp_path)


def test_frames_of_another_shape_are_refused(tmp_path: Path):
    frames: Any = np.zeros((3, 88), np.uint8)
    with pytest.raises(ValueError, match=r"x: frames are uint8 \(3, 88\)"):
        write_packed(tmp_path / "set", [Roll("x", "train", frames)], SPEC, {})
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_set_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="not a prepared data set.*cgrnn-train prepare"):
        PackedFrames.open(tmp_path)


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("meta.json", b"{", "cannot be read as JSON"),
        ("pieces.json", b"\xff", "cannot be read as JSON"),
        ("pieces.json", b"[]", "names 0 frames"),
        ("pieces.json", b'[{"name": "a"}]', "damaged"),
        ("pieces.json", b'[{"name": "a", "split": "train", "offset": 5, "length": 337}]', "expected offset 0"),
        ("pieces.json", b'[{"name": "a", "split": "dev", "offset": 0, "length": 337}]', "dev"),
        ("frames.npy", b"not an array", "damaged"),
    ],
)
def test_a_damaged_set_is_refused(folder: Path, name: str, content: bytes, message: str):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        PackedFrames.open(folder)


def test_a_cut_array_is_refused(folder: Path):
    content = (folder / "frames.npy").read_bytes()
    (folder / "frames.npy").write_bytes(content[:-16])
    with pytest.raises(DataError, match="damaged"):
        PackedFrames.open(folder)


def test_an_array_of_another_shape_is_refused(folder: Path):
    np.save(folder / "frames.npy", np.zeros((337, 11), np.uint8))
    with pytest.raises(DataError, match=r"expected uint8 \(frames, 16\)"):
        PackedFrames.open(folder)


def test_a_future_version_and_a_bad_spec_are_refused(folder: Path):
    edit(folder / "meta.json", frame={"frame_seconds": -1})
    with pytest.raises(DataError, match="frame_seconds is -1"):
        PackedFrames.open(folder)
    edit(folder / "meta.json", version=99)
    with pytest.raises(DataError, match="version 99, expected 1"):
        PackedFrames.open(folder)


def test_an_unknown_split_is_refused(folder: Path):
    split: Any = "dev"
    with pytest.raises(DataError, match="no split 'dev'; expected one of train, valid, test"):
        PackedFrames.open(folder).pieces(split)


@given(st.integers(0, 5), st.integers(40, 400))
def test_split_shares(seed: int, count: int):
    split_of = split_by_group([f"{number:03}" for number in range(count)], seed)
    expected: dict[Split, float] = {"train": 0.9, "valid": 0.05, "test": 0.05}
    for split, share in expected.items():
        assert list(split_of.values()).count(split) / count == pytest.approx(share, abs=1 / count)


def test_a_split_depends_on_the_seed_and_on_nothing_else():
    names = [f"{number:03}" for number in range(200)]
    assert split_by_group(names, 1) == split_by_group(names[::-1], 1)
    assert split_by_group(names, 1) != split_by_group(names, 2)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(0, 3))
def test_a_group_lies_on_one_side(groups: list[int], seed: int):
    names = [f"{group}/{number}" for number, group in enumerate(groups)]
    split_of = split_by_group(names, seed, lambda name: name[0])
    for group in {name[0] for name in names}:
        assert len({split_of[name] for name in names if name[0] == group}) == 1
