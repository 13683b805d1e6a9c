"""Any folder or zip of MIDI files: each file is one piece, on the clock or on the beat grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import FrameSpec, notes_to_frames
from cgrnn_train.data.convert import Converted, Report, convert
from cgrnn_train.data.errors import UnusableFileError
from cgrnn_train.data.grid import DEFAULT_BPM, MIN_AGREEMENT, Grid, estimate_grid, grid_frames, nearest_note_value
from cgrnn_train.data.packed import Roll, write_packed
from cgrnn_train.data.score import Score, read_score
from cgrnn_train.data.source import list_midi, read_file
from cgrnn_train.data.splits import SHARES, split_by_group
from cgrnn_train.data.store import check_target


@dataclass(frozen=True, slots=True)
class FileEncoder:
    """From the name of a MIDI file in `source` to its frames; on its beat grid if `on_grid`."""

    source: Path
    spec: FrameSpec
    on_grid: bool = False

    def __call__(self, name: str) -> Converted:
        """Return the file's frames, from its first note on; UnusableFileError if it gives none."""
        score = read_score(read_file(self.source, name))
        grid = estimate_grid(score, self.spec.frame_seconds) if self.on_grid else None
        if grid and grid.agreement < MIN_AGREEMENT:
            raise UnusableFileError(f"has no steady sixteenths: onsets agree {grid.agreement:.2f} of {MIN_AGREEMENT}")
        frames = score_frames(score, self.spec, grid)
        return Converted(frames[np.argmax(frames.any(axis=1)) :], grid)


def score_frames(score: Score, spec: FrameSpec, grid: Grid | None = None) -> NDArray[np.bool_]:
    """Return the (time, 128) frames of a score, on its grid if that is given; UnusableFileError if it cannot be."""
    try:
        if grid:
            return grid_frames(score, grid, spec.rule)
        return notes_to_frames(score.pitch, score.start, score.end, spec)
    except ValueError as error:
        raise UnusableFileError(f"has impossible notes: {error}") from error


def prepare_midi(
    source: Path,
    out: Path,
    spec: FrameSpec,
    *,
    on_grid: bool = False,
    seed: int = 0,
    workers: int = 1,
    licence: str = "unknown",
    description: str = "",
) -> dict[str, Any]:
    """Write every MIDI file of a folder or zip as a piece of data set `out`; return the meta.

    spec: the frame. on_grid: a frame is the note value nearest to spec.frame_seconds at each file's own tempo (see
    `grid`), and the set's spec names the one that is nearest at 120 beats a minute, as the instrument will. Each piece
    begins with its first note. The split is by file. Raises DataError.
    """
    check_target(out)
    names = list_midi(source)
    split_of = split_by_group(names, seed)
    report = Report(source.resolve().name, len(names))
    encode = FileEncoder(source, spec, on_grid)
    grids: list[Grid] = []
    meta: dict[str, Any] = {
        "source": description or source.resolve().name,
        "licence": licence,
        "seed": seed,
        "split_rule": f"{SHARES} by file",
    }

    def rolls() -> Iterator[Roll]:
        for name, (frames, grid) in convert(encode, names, workers, report):
            if grid is None:
                yield Roll(name, split_of[name], frames)
            else:
                grids.append(grid)
                yield Roll(name, split_of[name], frames, grid.note_value, grid.frame_seconds)
        meta["files"] = report.counts
        if on_grid:
            meta["grid"] = _summary(grids)

    if on_grid:
        note_value, frame_seconds = nearest_note_value(spec.frame_seconds, DEFAULT_BPM)
        spec = FrameSpec(frame_seconds, spec.rule, note_value)
    written = write_packed(out, rolls(), spec, meta)
    report.write(out)
    return written


def _summary(grids: list[Grid]) -> dict[str, Any]:
    """Describe the grids of a set: how many pieces have which note value, and how well their onsets fit."""
    return {
        "min_agreement": MIN_AGREEMENT,
        "note_values": dict(Counter(grid.note_value for grid in grids)),
        "mean_share_near_beats": float(np.mean([grid.near_beats for grid in grids])),
        "mean_share_near_grid": float(np.mean([grid.near_grid for grid in grids])),
    }
