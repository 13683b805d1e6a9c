"""Piano rolls on disk: frames packed to bits, read by memory map.

The array is frames.npy, (frames, 16) uint8: the 128 booleans of each frame, `np.packbits` order. A million frames take
16 MB. `write_packed` streams and pieces are unpacked one at a time; in memory, training keeps 16 bytes a frame (its
chains) and validation its own split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.store import ROLLS_FILE, DataSet, Piece, Rows, Split, damaged, read_meta, read_rows, write_set

BYTES = PITCHES // 8
ROWS = Rows(ROLLS_FILE, np.dtype(np.uint8), BYTES)


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


class PackedFrames(DataSet):
    """A data set of piano rolls opened for reading; frames stay on the disk until asked for."""

    values = "binary"

    def __init__(
        self, folder: Path, spec: FrameSpec, meta: dict[str, Any], pieces: list[Piece], packed: NDArray[np.uint8]
    ) -> None:
        """Hold what `open` read: the set's folder, spec, meta and pieces, and the (frames, 16) packed frames."""
        super().__init__(folder, meta, pieces)
        self._spec = spec
        self._packed = packed

    @classmethod
    def open(cls, path: Path | str) -> PackedFrames:
        """Open the data set in folder `path`; DataError if it is not one, or is damaged."""
        path = Path(path)
        meta = read_meta(path)
        try:
            spec = FrameSpec(**meta["frame"])
            pieces, packed = read_rows(path, ROWS)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error
        return cls(path, spec, meta, pieces, packed)

    @property
    def spec(self) -> FrameSpec:
        """What one frame means."""
        return self._spec

    @property
    def visible(self) -> int:
        """Pitches in a frame."""
        return PITCHES

    @property
    def packed(self) -> NDArray[np.uint8]:
        """Every frame of the set in the order of its pieces, packed: (frames, 16), a read-only memory map."""
        return self._packed

    def frames(self, piece: Piece) -> NDArray[np.bool_]:
        """Return the (time, 128) frames of a piece: a copy of its own, unpacked."""
        rows = self._packed[piece.offset : piece.offset + piece.length]  # (time, 16)
        return np.unpackbits(rows, axis=1).view(np.bool_)  # (time, 128)


def as_rolls(data: DataSet, purpose: str) -> PackedFrames:
    """Return the data set as one of piano rolls; DataError if it is none, with the `purpose` that asks for them."""
    if not isinstance(data, PackedFrames):
        raise DataError(f"{data.folder} holds sound; expected piano rolls, which {purpose} needs")
    return data


def write_packed(out: Path | str, rolls: Iterable[Roll], spec: FrameSpec, meta: dict[str, Any]) -> dict[str, Any]:
    """Write the rolls as data set `out`, in their order, and return the whole meta as written.

    meta: what the source says of itself; version, frame spec and counts are added. See `write_set` for what becomes of
    a folder that is there, and for the errors.
    """
    return write_set(Path(out), ROWS, _packed(rolls), lambda: {"frame": asdict(spec), **meta})


def _packed(rolls: Iterable[Roll]) -> Iterator[tuple[Piece, NDArray[np.uint8]]]:
    """Yield each roll as a piece and its (length, 16) rows; ValueError on frames of another shape."""
    for roll in rolls:
        if roll.frames.ndim != 2 or roll.frames.shape[1] != PITCHES or roll.frames.dtype != np.bool_:
            raise ValueError(
                f"{roll.name}: frames are {roll.frames.dtype} {roll.frames.shape}, expected bool (time, {PITCHES})"
            )
        piece = Piece(roll.name, roll.split, 0, len(roll.frames), roll.note_value, roll.frame_seconds)
        yield piece, np.packbits(roll.frames, axis=1)
