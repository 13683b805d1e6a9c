"""Figures of trained runs, as files of PNG and SVG, and their numbers as JSON.

What is drawn depends on what the runs' frames are: `roll_figures`, `sound_figures`. The same runs, data and seed make
the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import as_rolls
from cgrnn_train.data.sequences import pieces_of
from cgrnn_train.data.store import DataSet, Piece
from cgrnn_train.data.waves import Waves
from cgrnn_train.drawing import Drawing, TitledRuns
from cgrnn_train.files import write_json
from cgrnn_train.models.kind import Kind
from cgrnn_train.results import run_name, system_title
from cgrnn_train.roll_figures import draw_rolls
from cgrnn_train.run import CONFIG, RunError, is_unfinished, open_data, read_config
from cgrnn_train.sound_figures import draw_sound

RECORD = "figures.json"
STYLE: dict[Any, Any] = {"font.size": 9, "axes.titlesize": 9, "svg.hashsalt": "cgrnn", "svg.fonttype": "path"}
PIXELS_AN_INCH = 160

FRAMES: dict[Kind, int] = {"binary": 128, "continuous": 147}
"""Of a piece, unless told otherwise: 32 s of pitches, 2 s of sound (the paper's clips)."""


def write_figures(
    runs: Sequence[Path],
    data: DataSet,
    out: Path,
    piece: int | str = 0,
    split: str = "test",
    seed: int = 0,
    frames: int | None = None,
) -> list[Path]:
    """Draw ``runs`` on one piece into folder ``out``; returns the files written, figures.json last.

    Args:
        runs: run folders, in the order of the panels.
        data: the data set the piece is of.
        out: a folder, made if it is not there; no run.
        piece: which piece of the split: its name, or its place from 0.
        split: train, valid or test.
        seed: of what is drawn at random.
        frames: the first so many frames of the piece are used, and as many generated; None: as many as `FRAMES` says.

    Raises:
        RunError: no run is given, they are of pitches and of sound, one cannot be loaded or was trained on other frames
            than ``data`` has, or ``out`` is a run.
        DataError: there is no such piece.
    """
    if not runs:
        raise RunError("found no run to draw; name one run folder at least")
    if (out / CONFIG).exists():
        raise RunError(f"{out}: found a run folder ({CONFIG} in it); expected one for the figures, after the runs")
    runs = list(dict.fromkeys(runs))
    check_kinds(runs)
    for run in runs:
        open_data(run, data.folder)  # says so if its frames are others
    chosen = find_piece(data, split, piece)
    count = min(frames or FRAMES[data.values], chosen.length)
    with matplotlib.rc_context(rc=STYLE):
        figures, numbers = _draw(list(zip(_titles(runs), runs, strict=True)), data, chosen, count, seed)
        out.mkdir(parents=True, exist_ok=True)
        written = [path for name, figure in figures.items() if figure for path in _save(figure, out / name)]
    record = {
        "arguments": {
            "runs": [run_name(run) for run in runs],
            "data": data.meta.get("source"),
            "piece": chosen.name,
            "split": split,
            "seed": seed,
            "frames": count,
        },
        "runs": {
            run_name(run): {**own, "unfinished": is_unfinished(run)} for run, own in zip(runs, numbers, strict=True)
        },
    }
    write_json(out / RECORD, record)
    return [*written, out / RECORD]


def check_kinds(runs: Sequence[Path]) -> None:
    """Raise `RunError` unless all runs are of pitches, or all of sound."""
    first: dict[Kind, str] = {}
    for run in runs:
        first.setdefault(read_config(run).kind, run_name(run))
    if len(first) > 1:
        raise RunError(
            f"found runs of pitches ({first['binary']}) and of sound ({first['continuous']}); expected one kind: draw "
            f"each by a command of its own"
        )


def find_piece(data: DataSet, split: str, piece: int | str) -> Piece:
    """The piece of a split of that name, or else at that place, from 0; raises `DataError` with what there is."""
    pieces = pieces_of(data, split)
    by_place = {str(place): one for place, one in enumerate(pieces)}
    if found := {one.name: one for one in pieces}.get(str(piece)) or by_place.get(str(piece)):
        return found
    names = ", ".join(repr(one.name) for one in pieces[:3])
    raise DataError(
        f"there is no piece {piece!r} in the {split} split; expected 0 to {len(pieces) - 1} or a name such as {names}"
    )


def _draw(runs: TitledRuns, data: DataSet, piece: Piece, frames: int, seed: int) -> Drawing:
    """Draw what the kind of the data set's frames asks for."""
    if isinstance(data, Waves):
        return draw_sound(runs, data, piece, frames, seed)
    return draw_rolls(runs, as_rolls(data, "a figure of pitches"), piece, frames, seed)


def _titles(runs: list[Path]) -> list[str]:
    """The paper's names, with the run's own where they are not enough to tell runs apart; raises `RunError`."""
    titles = [system_title(read_config(run)) for run in runs]
    return [
        title if titles.count(title) == 1 else f"{title} ({run_name(run)})"
        for title, run in zip(titles, runs, strict=True)
    ]


def _save(figure: Figure, stem: Path) -> list[Path]:
    """Write STEM.png and STEM.svg without dates and versions, so that the same figure makes the same bytes."""
    _settle(figure)
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, dpi=PIXELS_AN_INCH, metadata={"Software": None})
    figure.savefig(svg, dpi=PIXELS_AN_INCH, metadata={"Date": None, "Creator": None})
    return [png, svg]


def _settle(figure: Figure) -> None:
    """Lay ``figure`` out and leave it so, in millionths: where the solver puts a panel varies in the last bit with the
    addresses of objects, and SVG's names are hashes of such numbers.
    """
    figure.set_dpi(PIXELS_AN_INCH)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position(original=True).get_points(), 6)))
