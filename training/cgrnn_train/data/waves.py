"""Sound on disk: samples as 16-bit integers, and the frames that models see, read by memory map.

The array is waves.npy, (frames, frame_samples) int16, 32,767 for full scale. The spec in meta.json has the mean and the
standard deviation of the training samples, both at full scale 1. An hour at 11,025 Hz takes 80 MB.

Models see samples with a random part of a step of those integers added, uniform between −½ and ½ (*dequantised*: Theis,
van den Oord and Bethge, "A note on the evaluation of generative models", ICLR 2016). A density of integers has no
bound, and digital silence would win any comparison; that of dequantised ones is at most that of the step. The random
part of a piece is always the same.

Where the spec has a linear prediction (`cgrnn_bundle.prediction`), its residuals, which are the frames then, are beside
the samples: residuals.npy (frames, frame_samples) and scales.npy (frames, 1), σ, both float32; 160 MB an hour.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.prediction import respond
from cgrnn_bundle.waves import Samples, WaveSpec, predictions, residuals
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.store import (
    PIECES_FILE,
    RESIDUALS_FILE,
    SCALES_FILE,
    WAVES_FILE,
    DataSet,
    Piece,
    Rows,
    Split,
    damaged,
    read_meta,
    read_rows,
    write_set,
)

FULL_SCALE = np.iinfo(np.int16).max

PIECES_TOGETHER = 64
"""Whose residuals are computed at a time: bounds the memory."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One sound on its way to the disk.

    Attributes:
        name: its own.
        split: where it belongs.
        samples: (time,) float32 within ±1, at the set's rate; a last partial frame is left out.
        labels: what is known of it, for pieces.json; "group" names what it is a variant of.
    """

    name: str
    split: Split
    samples: Samples
    labels: Mapping[str, Any] = field(default_factory=dict, hash=False)


class Waves(DataSet):
    """A data set of sound opened for reading; samples stay on the disk until asked for."""

    values = "continuous"

    def __init__(
        self, folder: Path, spec: WaveSpec, meta: dict[str, Any], pieces: list[Piece], waves: NDArray[np.int16]
    ) -> None:
        """Hold what `open` read: folder, spec, meta and pieces, and the (frames, frame_samples) samples."""
        super().__init__(folder, meta, pieces)
        self._spec = spec
        self._waves = waves
        self._residuals = self._scales = None

    def _read_residuals(self) -> None:
        """Open what `_write_residuals` wrote; OSError or ValueError if it is damaged."""
        self._residuals = np.load(self.folder / RESIDUALS_FILE, mmap_mode="r", allow_pickle=False)
        self._scales = np.load(self.folder / SCALES_FILE, mmap_mode="r", allow_pickle=False)
        for array, columns in ((self._residuals, self.visible), (self._scales, 1)):
            if array.dtype != np.float32 or array.shape != (len(self._waves), columns):
                raise ValueError(f"found {array.dtype} {array.shape} beside {len(self._waves)} frames of samples")

    @classmethod
    def open(cls, path: Path | str) -> Waves:
        """Open the data set in folder `path`; DataError if it is not one, or is damaged."""
        path = Path(path)
        meta = read_meta(path)
        try:
            spec = WaveSpec(**meta["frame"])
            found = cls(path, spec, meta, *read_rows(path, _rows(spec)))
            if spec.order:
                found._read_residuals()
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error
        return found

    @property
    def spec(self) -> WaveSpec:
        """What one frame means; its mean and standard deviation are the training samples'."""
        return self._spec

    @property
    def visible(self) -> int:
        """Samples in a frame."""
        return self._spec.frame_samples

    def samples(self, piece: Piece) -> Samples:
        """Return the (time,) samples of a piece, within ±1."""
        rows = self._waves[piece.offset : piece.offset + piece.length]  # (frames, frame_samples)
        return (rows.astype(np.float32) / np.float32(FULL_SCALE)).reshape(-1)

    def normalised(self, piece: Piece) -> NDArray[np.float64]:
        """Return the (time,) samples of a piece in standard deviations, dequantised."""
        rows = self._waves[piece.offset : piece.offset + piece.length]
        noise = np.random.default_rng(piece.offset).random(rows.shape) - 0.5
        return (((rows + noise) / FULL_SCALE - self._spec.mean) / self._spec.std).reshape(-1)

    def frames(self, piece: Piece) -> Samples:
        """Return the frames of a piece: (time, frame_samples) float32."""
        if self._residuals is None:
            return self.normalised(piece).reshape(-1, self.visible).astype(np.float32)
        return np.array(self._residuals[piece.offset : piece.offset + piece.length])

    def log_scale(self, piece: Piece) -> NDArray[np.float64] | None:
        """See `DataSet.log_scale`: frame_samples · log σ."""
        if self._scales is None:
            return None
        return self.visible * np.log(self._scales[piece.offset : piece.offset + piece.length, 0].astype(np.float64))

    def compare(self, piece: Piece, means: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `DataSet.compare`: prediction is linear, so that a mean of residuals is one of samples."""
        truth = self.normalised(piece).reshape(-1, self.visible)
        if self._residuals is None:
            return means, truth
        silence = np.zeros(self._spec.order)
        wrong = zip(
            means.astype(np.float64) - self.frames(piece), predictions(truth.reshape(-1), self._spec), strict=True
        )
        return truth + np.stack([respond(silence, row, said) for row, said in wrong]), truth


def write_waves(out: Path | str, clips: Iterable[Clip], spec: WaveSpec, meta: dict[str, Any]) -> dict[str, Any]:
    """Write the clips as data set `out`, in their order, and return the whole meta as written.

    spec: rate, frame and prediction; mean and standard deviation are replaced by those of the training samples. meta:
    what the source says of itself; version, frame spec and counts are added. See `write_set` for what becomes of a
    folder that is there. Raises DataError where no clip has a frame, and where the training clips are none or all one
    value.
    """
    moments = _Moments()

    def entries() -> Iterator[tuple[Piece, NDArray[np.int16]]]:
        for clip in clips:
            rows = _quantised(clip, spec.frame_samples)
            if clip.split == "train":
                moments.add(rows)
            yield Piece(clip.name, clip.split, 0, len(rows), labels=dict(clip.labels)), rows

    def finish(folder: Path) -> None:
        whole = moments.normalise(spec)
        if whole.order:
            listed = [Piece(**row) for row in json.loads((folder / PIECES_FILE).read_text(encoding="utf-8"))]
            waves = np.load(folder / WAVES_FILE, mmap_mode="r", allow_pickle=False)
            _write_residuals(Waves(folder, whole, {}, listed, waves))

    return write_set(
        Path(out), _rows(spec), entries(), lambda: {"frame": asdict(moments.normalise(spec)), **meta}, finish
    )


def _write_residuals(data: Waves) -> None:
    """Write residuals and scales into the folder of ``data``, some pieces at a time."""
    spec, pieces = data.spec, data.pieces()
    count = sum(piece.length for piece in pieces)
    found = np.lib.format.open_memmap(
        data.folder / RESIDUALS_FILE, "w+", np.dtype("<f4"), (count, spec.frame_samples), version=(1, 0)
    )
    scales = np.lib.format.open_memmap(data.folder / SCALES_FILE, "w+", np.dtype("<f4"), (count, 1), version=(1, 0))
    pieces = sorted(pieces, key=lambda piece: piece.length)
    for start in range(0, len(pieces), PIECES_TOGETHER):
        _code(data, pieces[start : start + PIECES_TOGETHER], found, scales)
    found.flush()
    scales.flush()


def _code(data: Waves, pieces: Sequence[Piece], found: NDArray[np.float32], scales: NDArray[np.float32]) -> None:
    """Compute the residuals of ``pieces``, of which the last is the longest, and put them in their places."""
    samples = np.zeros((len(pieces), pieces[-1].length * data.visible))
    for row, piece in zip(samples, pieces, strict=True):
        row[: piece.length * data.visible] = data.normalised(piece)
    frames, sigma = residuals(samples, data.spec)
    for row, piece in enumerate(pieces):
        place = slice(piece.offset, piece.offset + piece.length)
        found[place], scales[place, 0] = frames[row, : piece.length], sigma[row, : piece.length]


def _rows(spec: WaveSpec) -> Rows:
    return Rows(WAVES_FILE, np.dtype("<i2"), spec.frame_samples)


def _quantised(clip: Clip, frame_samples: int) -> NDArray[np.int16]:
    """Return a clip's whole frames, (frames, frame_samples) int16; ValueError if they do not fit into those."""
    if clip.samples.ndim != 1:
        raise ValueError(f"{clip.name}: samples have the shape {clip.samples.shape}, expected one row")
    if not (np.abs(clip.samples) <= 1).all():  # true of what is no number, too
        raise ValueError(f"{clip.name}: found samples beyond ±1, which would clip; scale it before it is written")
    count = len(clip.samples) // frame_samples
    samples = clip.samples[: count * frame_samples].reshape(count, frame_samples)
    return np.rint(samples * FULL_SCALE).astype(np.int16)


class _Moments:
    """Sums over the training samples, in whole numbers: exact however many."""

    def __init__(self) -> None:
        self.count = self.total = self.squares = 0

    def add(self, rows: NDArray[np.int16]) -> None:
        """Count in some samples, of any shape."""
        wide = rows.astype(np.int64)
        self.count += wide.size
        self.total += int(wide.sum())
        self.squares += int((wide * wide).sum())

    def normalise(self, spec: WaveSpec) -> WaveSpec:
        """Return `spec` with the mean and standard deviation of what was added; DataError if there are none."""
        spread = self.count * self.squares - self.total**2  # count² times the variance
        if spread <= 0:
            found = "are all the same" if self.count else "are none"
            raise DataError(f"the training samples {found}; expected sound to normalise by: give more of it")
        scale = self.count * FULL_SCALE
        return replace(spec, mean=self.total / scale, std=math.sqrt(spread) / scale)
