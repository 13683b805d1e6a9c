"""The four polyphonic benchmark sets: JSB Chorales, MuseData, Nottingham, Piano-midi.de.

N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, "Modeling temporal dependencies in high-dimensional sequences:
application to polyphonic music generation and transcription", ICML 2012. The .mat files that later work shares hold
the standard splits as cell arrays traindata, validdata, testdata of (time, 88) uint8; column 0 is MIDI pitch 21 (A0).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import Roll, write_packed
from cgrnn_train.data.store import Split

LOWEST_PITCH, COLUMNS = 21, 88
CELLS: dict[str, Split] = {"traindata": "train", "validdata": "valid", "testdata": "test"}

SPECS = {"jsb_chorales": FrameSpec(frame_seconds=0.5, note_value="1/4")}
"""The frame where it is certain (seconds at 120 beats a minute); of the other sets neither paper nor file says it."""


def prepare_polyphonic(source: Path, out: Path) -> dict[str, Any]:
    """Write the .mat file `source` as data set `out` with its own splits; return the meta. Raises DataError."""
    if not source.is_file():
        raise DataError(f"there is no file {source}; expected one of the four polyphonic .mat files")
    try:
        cells = scipy.io.loadmat(source, variable_names=list(CELLS))
    except Exception as error:  # on a broken file scipy raises whatever its reader stumbles over
        raise DataError(f"{source} cannot be read as a MATLAB file ({error})") from error
    spec = SPECS.get(source.stem.lower(), FrameSpec())
    meta = {
        "source": f"{source.stem}, Boulanger-Lewandowski et al., ICML 2012",
        "licence": "public research benchmark",
        "seed": None,
        "split_rule": "the standard split of the file",
    }
    return write_packed(out, _rolls(source, cells), spec, meta)


def _rolls(source: Path, cells: dict[str, Any]) -> Iterator[Roll]:
    """Yield the pieces, named SPLIT/NUMBER, widened to 128 pitches; DataError on another layout."""
    for cell, split in CELLS.items():
        if cell not in cells:
            raise DataError(f"{source} has no variable {cell}; expected {', '.join(CELLS)}")
        for number, columns in enumerate(np.ravel(cells[cell])):
            if np.ndim(columns) != 2 or columns.shape[1] != COLUMNS or not np.isin(columns, (0, 1)).all():
                raise DataError(f"{source}: {cell} {number} is not a (time, {COLUMNS}) matrix of zeros and ones")
            frames = np.zeros((len(columns), PITCHES), np.bool_)
            frames[:, LOWEST_PITCH : LOWEST_PITCH + COLUMNS] = columns
            yield Roll(f"{split}/{number:03}", split, frames)
