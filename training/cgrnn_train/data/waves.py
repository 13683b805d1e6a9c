"""Sound on disk: samples as 16-bit integers, read by memory map.

The array is waves.npy, (frames, frame_samples) int16, 32,767 for full scale. The spec in meta.json has the mean and the
standard deviation of the training samples, both at full scale 1; frames are normalised by them when they are read. An
hour at 11,025 Hz takes 80 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.waves import Samples, WaveSpec, samples_to_frames
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.store import WAVES_FILE, DataSet, Piece, Rows, Split, damaged, read_meta, read_rows, write_set

FULL_SCALE = np.iinfo(np.int16).max


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

    @classmethod
    def open(cls, path: Path | str) -> Waves:
        """Open the data set in folder `path`; DataError if it is not one, or is damaged."""
        path = Path(path)
        meta = read_meta(path)
        try:
            spec = WaveSpec(**meta["frame"])
            pieces, waves = read_rows(path, _rows(spec))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error
        return cls(path, spec, meta, pieces, waves)

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

    def frames(self, piece: Piece) -> Samples:
        """Return the normalised frames of a piece: (time, frame_samples) float32."""
        return samples_to_frames(self.samples(piece), self._spec)


def write_waves(out: Path | str, clips: Iterable[Clip], spec: WaveSpec, meta: dict[str, Any]) -> dict[str, Any]:
    """Write the clips as data set `out`, in their order, and return the whole meta as written.

    spec: rate and frame; its mean and standard deviation are replaced by those of the training samples. meta: what the
    source says of itself; version, frame spec and counts are added. See `write_set` for what becomes of a folder that
    is there. Raises DataError where no clip has a frame, and where the training clips are none or all one value.
    """
    moments = _Moments()

    def entries() -> Iterator[tuple[Piece, NDArray[np.int16]]]:
        for clip in clips:
            rows = _quantised(clip, spec.frame_samples)
            if clip.split == "train":
                moments.add(rows)
            yield Piece(clip.name, clip.split, 0, len(rows), labels=dict(clip.labels)), rows

    return write_set(Path(out), _rows(spec), entries(), lambda: {"frame": asdict(moments.normalise(spec)), **meta})


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
