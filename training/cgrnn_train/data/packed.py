"""A data set on disk: piano-roll frames packed to bits, read by memory map.

A folder of three files:

    frames.npy    (frames, 16) uint8: the 128 booleans of each frame, `np.packbits` order, all pieces end to end
    pieces.json   one object a piece, in the order of their frames: name, split, offset, length (both in frames);
                  note_value and frame_seconds where the piece has its own (see `Piece`)
    meta.json     version, frame spec, counts, and what the source says of itself: source, licence, seed, split rule

A million frames take 16 MB. `write_packed` streams and pieces are unpacked one at a time; in memory, training keeps 16
bytes a frame (its chains) and validation its own split.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_train.data.errors import DataError

VERSION = 1
BYTES = PITCHES // 8
FRAMES_FILE, PIECES_FILE, META_FILE = "frames.npy", "pieces.json", "meta.json"
REPORT_FILES = ("report.json", "report.md")
OWN_FILES = {FRAMES_FILE, PIECES_FILE, META_FILE, *REPORT_FILES}

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class Roll(NamedTuple):
    """One piece on its way to the disk: its name, its split, its (time, 128) bool frames.

    On a beat grid each piece has its own note value and length of a frame (seconds at the piece's tempo); otherwise
    both are None, and the set's spec holds.
    """

    name: str
    split: Split
    frames: NDArray[np.bool_]
    note_value: str | None = None
    frame_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece on the disk: frames offset to offset + length of the set. The last two fields are `Roll`'s."""

    name: str
    split: Split
    offset: int
    length: int
    note_value: str | None = None
    frame_seconds: float | None = None

    @property
    def song(self) -> str:
        """The name of the piece that this one is a segment of (NAME of NAME#NUMBER), or its own."""
        return re.sub(r"#\d+$", "", self.name)


class PackedFrames:
    """A data set opened for reading; frames stay on the disk until asked for."""

    def __init__(
        self, folder: Path, spec: FrameSpec, meta: dict[str, Any], pieces: list[Piece], packed: NDArray[np.uint8]
    ) -> None:
        """Hold what `open` read: the set's folder, spec, meta and pieces, and the (frames, 16) packed frames."""
        self.folder = folder
        self.spec = spec
        self.meta = meta
        self._pieces = pieces
        self._packed = packed

    @classmethod
    def open(cls, path: Path | str) -> PackedFrames:
        """Open the data set in folder `path`; DataError if it is not one, or is damaged."""
        path = Path(path)
        if not is_data_set(path):
            raise DataError(f"{path} is not a prepared data set (no {META_FILE}); make one with 'cgrnn-train prepare'")
        meta: dict[str, Any] = _read_json(path / META_FILE)
        if meta.get("version") != VERSION:
            raise DataError(f"{path} has data version {meta.get('version')}, expected {VERSION}; prepare it again")
        try:
            spec = FrameSpec(**meta["frame"])
            pieces = [Piece(**row) for row in _read_json(path / PIECES_FILE)]
            packed = np.load(path / FRAMES_FILE, mmap_mode="r", allow_pickle=False)
            _check(pieces, packed)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); prepare it again") from error
        return cls(path, spec, meta, pieces, packed)

    def pieces(self, split: str | None = None) -> list[Piece]:
        """Return the pieces of one split, or of all, in the set's order; DataError on a split that is none."""
        if split is not None and split not in SPLITS:
            raise DataError(f"there is no split {split!r}; expected one of {', '.join(SPLITS)}")
        return [piece for piece in self._pieces if split in (None, piece.split)]

    @property
    def digest(self) -> str:
        """SHA-256 of the set's meta and pieces: sets that differ in source, frame, split or length differ in it."""
        return hashlib.sha256(
            b"".join((self.folder / name).read_bytes() for name in (META_FILE, PIECES_FILE))
        ).hexdigest()

    @property
    def packed(self) -> NDArray[np.uint8]:
        """Every frame of the set in the order of its pieces, packed: (frames, 16), a read-only memory map."""
        return self._packed

    def frames(self, piece: Piece) -> NDArray[np.bool_]:
        """Return the (time, 128) frames of a piece: a copy of its own, unpacked."""
        rows = self._packed[piece.offset : piece.offset + piece.length]  # (time, 16)
        return np.unpackbits(rows, axis=1).view(np.bool_)  # (time, 128)


def is_data_set(path: Path) -> bool:
    """Say whether the folder looks like a prepared data set."""
    return all((path / name).is_file() for name in (FRAMES_FILE, PIECES_FILE, META_FILE))


def write_packed(out: Path | str, rolls: Iterable[Roll], spec: FrameSpec, meta: dict[str, Any]) -> dict[str, Any]:
    """Write the rolls as data set `out`, in their order, and return the whole meta as written.

    meta: what the source says of itself; version, frame spec and counts are added here. The rolls go to a temporary
    folder beside `out`, which takes its place when all is written: a failure leaves what was there. A prepared data
    set is replaced; DataError on any other file or folder that is not empty, and where no roll has a frame.
    """
    out = Path(out)
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        folder = Path(scratch) / "set"
        folder.mkdir()
        with (folder / FRAMES_FILE).open("wb") as file:
            pieces = list(_append(file, rolls))
        if not pieces:
            raise DataError(f"nothing to write to {out}: no piece has a frame")
        whole = {"version": VERSION, "frame": asdict(spec), **meta, "counts": _counts(pieces)}
        rows = ({key: value for key, value in asdict(piece).items() if value is not None} for piece in pieces)
        text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / PIECES_FILE).write_text(f"[\n{text}\n]\n", encoding="utf-8")
        (folder / META_FILE).write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        _replace(out, folder)
    return whole


def _replace(out: Path, folder: Path) -> None:
    """Put `folder` in the place of `out`; if that fails, what was there is there again."""
    old = folder.with_name("old")
    if out.exists():
        out.rename(old)
    try:
        folder.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise


def check_target(out: Path) -> None:
    """Raise DataError unless `out` is free, empty, or a prepared data set and nothing else: call before long work."""
    if not out.exists():
        return
    strangers = {path.name for path in out.iterdir()} - OWN_FILES if out.is_dir() else {out.name}
    if strangers:
        raise DataError(f"{out} holds {sorted(strangers)[0]}, which is no part of a data set; name a new folder")


def _append(file: BinaryIO, rolls: Iterable[Roll]) -> Iterator[Piece]:
    """Write the .npy file roll by roll, its header last, and yield the pieces."""
    total = 0
    _write_header(file, total)
    for roll in rolls:
        if roll.frames.ndim != 2 or roll.frames.shape[1] != PITCHES or roll.frames.dtype != np.bool_:
            raise ValueError(
                f"{roll.name}: frames are {roll.frames.dtype} {roll.frames.shape}, expected bool (time, {PITCHES})"
            )
        if len(roll.frames):
            file.write(np.packbits(roll.frames, axis=1).tobytes())
            yield Piece(roll.name, roll.split, total, len(roll.frames), roll.note_value, roll.frame_seconds)
            total += len(roll.frames)
    file.seek(0)
    _write_header(file, total)


def _write_header(file: BinaryIO, frames: int) -> None:
    """Write the header of a (frames, 16) uint8 array; numpy pads it so that a larger count still fits."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (frames, BYTES)}
    np.lib.format.write_array_header_1_0(file, header)


def _counts(pieces: list[Piece]) -> dict[str, dict[str, int]]:
    """Count pieces and frames by split."""
    by_split = {split: [piece.length for piece in pieces if piece.split == split] for split in SPLITS}
    return {split: {"pieces": len(lengths), "frames": sum(lengths)} for split, lengths in by_split.items()}


def _check(pieces: list[Piece], packed: NDArray[np.uint8]) -> None:
    """Raise ValueError unless the pieces lie end to end in an array of packed frames."""
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != BYTES:
        raise ValueError(f"{FRAMES_FILE} is {packed.dtype} {packed.shape}, expected uint8 (frames, {BYTES})")
    end = 0
    for piece in pieces:
        if piece.split not in SPLITS or piece.offset != end or piece.length < 1:
            raise ValueError(f"{PIECES_FILE}: piece {piece.name!r} is {piece}, expected offset {end}")
        end += piece.length
    if end != len(packed):
        raise ValueError(f"{PIECES_FILE} names {end} frames, {FRAMES_FILE} holds {len(packed)}")


def _read_json(path: Path) -> Any:
    """Read one JSON file; DataError if it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}); prepare the data set again") from error
