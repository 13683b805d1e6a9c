"""Figures of trained runs, after Fig. 3 and section 5.3 of the paper: files of PNG and SVG, and their numbers as JSON.

activations     the mean of each run's latent variables over one piece, and how sparse they are (`sparsity`)
reconstruction  that piece as each run reconstructs it: what it gets right, what it misses, what it adds
generated       free play of each run

A run without latent variables is left out of the first two. The same runs, data and seed make the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cgrnn_train.accuracy import THRESHOLD, frame_accuracy
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import as_rolls
from cgrnn_train.data.sequences import pieces_of
from cgrnn_train.data.store import DataSet, Piece
from cgrnn_train.files import write_json
from cgrnn_train.panels import Clock, activation_panels, roll_panels
from cgrnn_train.results import run_name, system_title
from cgrnn_train.run import CONFIG, RunError, is_unfinished, load, open_data, read_config
from cgrnn_train.sparsity import hoyer, near_zero

RECORD = "figures.json"
STYLE: dict[Any, Any] = {"font.size": 9, "axes.titlesize": 9, "svg.hashsalt": "cgrnn", "svg.fonttype": "path"}
PIXELS_AN_INCH = 160


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one run makes of the piece; None where it has no latent variables.

    Attributes:
        title: of its panels.
        activations: (time, latent).
        reconstruction: (time, pitch), probabilities.
        accuracy: pooled frame accuracy of that reconstruction, 0 to 1.
        generated: (time, pitch).
    """

    title: str
    activations: NDArray[np.float32] | None
    reconstruction: NDArray[np.float32] | None
    accuracy: float | None
    generated: NDArray[np.bool_]


def write_figures(
    runs: Sequence[Path],
    data: DataSet,
    out: Path,
    piece: int | str = 0,
    split: str = "test",
    seed: int = 0,
    frames: int = 128,
) -> list[Path]:
    """Draw ``runs`` on one piece into folder ``out``; returns the files written, figures.json last.

    Args:
        runs: run folders, in the order of the panels.
        data: the data set the piece is of.
        out: a folder, made if it is not there; no run.
        piece: which piece of the split: its name, or its place from 0.
        split: train, valid or test.
        seed: of what is drawn at random.
        frames: the first so many frames of the piece are used, and as many generated.

    Raises:
        RunError: no run is given, one cannot be loaded or was trained on other frames than ``data`` has, or ``out`` is
            a run.
        DataError: there is no such piece, or the data set is none of piano rolls.
    """
    if not runs:
        raise RunError("found no run to draw; name one run folder at least")
    if (out / CONFIG).exists():
        raise RunError(f"{out}: found a run folder ({CONFIG} in it); expected one for the figures, after the runs")
    runs = list(dict.fromkeys(runs))
    for run in runs:
        open_data(run, data.folder)  # says so if its frames are others
    chosen = find_piece(data, split, piece)
    rolls = as_rolls(data, "a figure of pitches")
    truth = rolls.frames(chosen)[:frames]
    drawn = [_draw(run, truth, seed, title) for run, title in zip(runs, _titles(runs), strict=True)]
    out.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(rc=STYLE):
        figures = _figures(drawn, truth, Clock.of(rolls.spec, chosen))
        written = [path for name, figure in figures.items() if figure for path in _save(figure, out / name)]
    record = {
        "arguments": {
            "runs": [run_name(run) for run in runs],
            "data": data.meta.get("source"),
            "piece": chosen.name,
            "split": split,
            "seed": seed,
            "frames": len(truth),
        },
        "runs": {
            run_name(run): {**_numbers(one), "unfinished": is_unfinished(run)}
            for run, one in zip(runs, drawn, strict=True)
        },
    }
    write_json(out / RECORD, record)
    return [*written, out / RECORD]


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


def _titles(runs: list[Path]) -> list[str]:
    """The paper's names, with the run's own where they are not enough to tell runs apart; raises `RunError`."""
    titles = [system_title(read_config(run)) for run in runs]
    return [
        title if titles.count(title) == 1 else f"{title} ({run_name(run)})"
        for title, run in zip(titles, runs, strict=True)
    ]


@torch.no_grad()
def _draw(run: Path, truth: NDArray[np.bool_], seed: int, title: str) -> Drawn:
    """Ask a run for everything that is drawn of it; each answer starts from the same seed."""
    frames = torch.from_numpy(truth).float()[None]  # (1, time, pitch)
    answers: list[NDArray[np.float32] | None] = []
    with torch.random.fork_rng(devices=[]):
        _, model = load(run)
        for ask in (model.activations, model.reconstruct):
            torch.manual_seed(seed)
            answer = ask(frames)
            answers.append(None if answer is None else answer[0].float().numpy())
        torch.manual_seed(seed)
        generated = model.generate(len(truth)).numpy() > THRESHOLD
    activations, reconstruction = answers
    accuracy = None if reconstruction is None else frame_accuracy([reconstruction], [truth], resamples=1).pooled.value
    return Drawn(title, activations, reconstruction, accuracy, generated)


def _figures(drawn: list[Drawn], truth: NDArray[np.bool_], clock: Clock) -> dict[str, Figure | None]:
    """The figures by name; None where there is nothing to show."""
    active = [
        (
            f"{one.title}\n{100 * near_zero(one.activations):.0f} % near zero, Hoyer {hoyer(one.activations):.2f}",
            one.activations,
        )
        for one in drawn
        if one.activations is not None
    ]
    rolls = [
        (f"{one.title}, reconstructed: accuracy {100 * one.accuracy:.1f} %", one.reconstruction > THRESHOLD)
        for one in drawn
        if one.reconstruction is not None and one.accuracy is not None
    ]
    return {
        "activations": activation_panels(active, clock),
        "reconstruction": roll_panels([("The piece", truth), *rolls], clock, truth) if rolls else None,
        "generated": roll_panels([(f"{one.title}, generated", one.generated) for one in drawn], clock),
    }


def _numbers(one: Drawn) -> dict[str, Any]:
    """What figures.json says of a run; null where there is nothing to measure."""
    numbers: dict[str, Any] = {"title": one.title, "latent": None, "near_zero": None, "hoyer": None}
    if one.activations is not None:
        sparsity = hoyer(one.activations)
        numbers |= {
            "latent": one.activations.shape[1],
            "near_zero": round(near_zero(one.activations), 4),
            "hoyer": None if math.isnan(sparsity) else round(sparsity, 4),
        }
    return numbers | {"reconstruction_accuracy": None if one.accuracy is None else round(one.accuracy, 4)}


def _save(figure: Figure, stem: Path) -> list[Path]:
    """Write STEM.png and STEM.svg without dates and versions, so that the same figure makes the same bytes."""
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, dpi=PIXELS_AN_INCH, metadata={"Software": None})
    figure.savefig(svg, dpi=PIXELS_AN_INCH, metadata={"Date": None, "Creator": None})
    return [png, svg]
