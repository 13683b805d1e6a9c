"""What every data set is: a folder of frames on the disk, whatever a frame holds.

A folder of files:

    ARRAY.npy     (frames, columns): all pieces end to end; each kind of set has its own file, dtype and columns, and
                  may have others that are computed from it
    pieces.json   one object a piece, in the order of their frames: name, split, offset, length (both in frames);
                  what else a piece has of its own (see `Piece`)
    meta.json     version, frame spec, counts, and what the source says of itself: source, licence, seed, split rule

    DataSet       folder, spec, meta, pieces, frames, digest
    ├── PackedFrames    piano rolls, a bit per pitch      packed.py
    └── Waves           sound, an integer per sample      waves.py

`cgrnn_train.data.opened.open_data` opens either.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.waves import WaveSpec
from cgrnn_train.data.errors import DataError

VERSION = 1
ROLLS_FILE, WAVES_FILE = "frames.npy", "waves.npy"
RESIDUALS_FILE, SCALES_FILE = "residuals.npy", "scales.npy"
PIECES_FILE, META_FILE = "pieces.json", "meta.json"
REPORT_FILES = ("report.json", "report.md")
OWN_FILES = {ROLLS_FILE, WAVES_FILE, RESIDUALS_FILE, SCALES_FILE, PIECES_FILE, META_FILE, *REPORT_FILES}

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Values = Literal["binary", "continuous"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece on the disk.

    Attributes:
        name: its own.
        split: where it belongs.
        offset: its first frame in the set.
        length: its frames.
        note_value: what a frame of it is, where it lies on a beat grid of its own.
        frame_seconds: how long that is at its own tempo.
        labels: what is known of a sound: its instrument, its effect and the effect's parameters.
    """

    name: str
    split: Split
    offset: int
    length: int
    note_value: str | None = None
    frame_seconds: float | None = None
    labels: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def song(self) -> str:
        """The name of what this piece is a part of: its label "group", NAME of NAME#NUMBER, or its own."""
        return self.labels.get("group") or re.sub(r"#\d+$", "", self.name)


class DataSet(ABC):
    """A data set opened for reading; frames stay on the disk until asked for."""

    values: ClassVar[Values]
    """Whether a frame is of bits or of real numbers."""

    def __init__(self, folder: Path, meta: dict[str, Any], pieces: list[Piece]) -> None:
        """Hold what was read: the set's folder, meta and pieces."""
        self.folder = folder
        self.meta = meta
        self._pieces = pieces

    @property
    @abstractmethod
    def spec(self) -> FrameSpec | WaveSpec:
        """What one frame means."""

    @property
    @abstractmethod
    def visible(self) -> int:
        """Values in a frame."""

    @abstractmethod
    def frames(self, piece: Piece) -> NDArray[np.bool_] | NDArray[np.float32]:
        """Return the (time, visible) frames of a piece: a copy of its own."""

    def log_scale(self, piece: Piece) -> NDArray[np.float64] | None:
        """log |∂(normalised values) / ∂(the frame)| of each frame (time,): a density of a frame is one of those, less
        this. None: it is 0.
        """
        return None

    def compare(self, piece: Piece, means: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the normalised values that ``means`` of the frames (time, visible) stand for, and the real ones.

        Both are (time, visible); a frame's are those given what was really there before it.
        """
        return means, self.frames(piece)

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


class Rows(NamedTuple):
    """How a kind of set keeps its frames: the name of the array's file, its dtype, its columns."""

    file: str
    dtype: np.dtype[Any]
    columns: int


def is_data_set(path: Path) -> bool:
    """Say whether the folder looks like a prepared data set."""
    has_listing = all((path / name).is_file() for name in (PIECES_FILE, META_FILE))
    return has_listing and any((path / name).is_file() for name in (ROLLS_FILE, WAVES_FILE))


def read_meta(path: Path) -> dict[str, Any]:
    """Read the meta of the data set in folder `path`; DataError if it is not one, or is of another version."""
    if not is_data_set(path):
        raise DataError(f"{path} is not a prepared data set (no {META_FILE}); make one with 'cgrnn-train prepare'")
    meta: Any = _read_json(path / META_FILE)
    if not isinstance(meta, dict) or not isinstance(meta.get("frame"), dict):
        raise damaged(path, f"{META_FILE} names no frame")
    if meta.get("version") != VERSION:
        raise DataError(f"{path} has data version {meta.get('version')}, expected {VERSION}; prepare it again")
    return meta


def read_rows(path: Path, rows: Rows) -> tuple[list[Piece], NDArray[Any]]:
    """Read the pieces of a set and the (frames, columns) array, a read-only memory map.

    Raises OSError, KeyError, TypeError or ValueError if they are damaged: see `damaged`.
    """
    pieces = [Piece(**row) for row in _read_json(path / PIECES_FILE)]
    array = np.load(path / rows.file, mmap_mode="r", allow_pickle=False)
    _check(pieces, array, rows)
    return pieces, array


def damaged(path: Path, reason: object) -> DataError:
    """Return the error for a set that cannot be read."""
    return DataError(f"{path} is damaged ({reason}); prepare it again")


def write_set(
    out: Path,
    rows: Rows,
    entries: Iterable[tuple[Piece, NDArray[Any]]],
    describe: Callable[[], dict[str, Any]],
    finish: Callable[[Path], None] = lambda folder: None,
) -> dict[str, Any]:
    """Write the entries as data set `out`, in their order, and return the whole meta as written.

    entries: pieces with their (length, columns) rows; offset and length are set here, and a piece without rows is left
    out. describe: gives the meta with its "frame", once all is written; version and counts are added here. finish: may
    add files that are computed from these to the folder. All goes to a temporary folder beside `out`, which takes its
    place at the end: a failure leaves what was there. A prepared data set is replaced; DataError on any other file or
    folder that is not empty, and where no piece has a frame.
    """
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        folder = Path(scratch) / "set"
        folder.mkdir()
        with (folder / rows.file).open("wb") as file:
            pieces = list(_append(file, rows, entries))
        if not pieces:
            raise DataError(f"nothing to write to {out}: no piece has a frame")
        whole = {"version": VERSION, **describe(), "counts": _counts(pieces)}
        text = ",\n".join(json.dumps(_row(piece), ensure_ascii=False) for piece in pieces)
        (folder / PIECES_FILE).write_text(f"[\n{text}\n]\n", encoding="utf-8")
        (folder / META_FILE).write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        finish(folder)
        _replace(out, folder)
    return whole


def check_target(out: Path) -> None:
    """Raise DataError unless `out` is free, empty, or a prepared data set and nothing else: call before long work."""
    if not out.exists():
        return
    strangers = {path.name for path in out.iterdir()} - OWN_FILES if out.is_dir() else {out.name}
    if strangers:
        raise DataError(f"{out} holds {sorted(strangers)[0]}, which is no part of a data set; name a new folder")


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


def _append(file: BinaryIO, rows: Rows, entries: Iterable[tuple[Piece, NDArray[Any]]]) -> Iterator[Piece]:
    """Write the .npy file piece by piece, its header last, and yield the pieces."""
    total = 0
    _write_header(file, rows, total)
    for piece, array in entries:
        if len(array):
            file.write(np.ascontiguousarray(array, rows.dtype).tobytes())
            yield replace(piece, offset=total, length=len(array))
            total += len(array)
    file.seek(0)
    _write_header(file, rows, total)


def _write_header(file: BinaryIO, rows: Rows, frames: int) -> None:
    """Write the header of a (frames, columns) array; numpy pads it so that a larger count still fits."""
    header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (frames, rows.columns)}
    np.lib.format.write_array_header_1_0(file, header)


def _row(piece: Piece) -> dict[str, Any]:
    """Return what pieces.json says of a piece: nothing that it does not have."""
    return {key: value for key, value in asdict(piece).items() if value is not None and value != {}}


def _counts(pieces: list[Piece]) -> dict[str, dict[str, int]]:
    """Count pieces and frames by split."""
    by_split = {split: [piece.length for piece in pieces if piece.split == split] for split in SPLITS}
    return {split: {"pieces": len(lengths), "frames": sum(lengths)} for split, lengths in by_split.items()}


def _check(pieces: list[Piece], array: NDArray[Any], rows: Rows) -> None:
    """Raise ValueError unless the pieces lie end to end in an array of such rows."""
    if array.dtype != rows.dtype or array.ndim != 2 or array.shape[1] != rows.columns:
        raise ValueError(
            f"{rows.file} is {array.dtype} {array.shape}, expected {rows.dtype.name} (frames, {rows.columns})"
        )
    end = 0
    for piece in pieces:
        if piece.split not in SPLITS or piece.offset != end or piece.length < 1 or not isinstance(piece.labels, dict):
            raise ValueError(f"{PIECES_FILE}: piece {piece.name!r} is {piece}, expected offset {end}")
        end += piece.length
    if end != len(array):
        raise ValueError(f"{PIECES_FILE} names {end} frames, {rows.file} holds {len(array)}")


def _read_json(path: Path) -> Any:
    """Read one JSON file; DataError if it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}); prepare the data set again") from error
