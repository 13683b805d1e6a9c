"""Figures of runs over piano rolls, after Fig. 3 and section 5.3 of the paper.

activations     the mean of each run's latent variables over one piece, and how sparse they are (`sparsity`)
reconstruction  that piece as each run reconstructs it: what it gets right, what it misses, what it adds
generated       free play of each run

A run without latent variables is left out of the first two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cgrnn_train.accuracy import THRESHOLD, frame_accuracy
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.data.store import Piece
from cgrnn_train.drawing import Drawing, TitledRuns, activation_numbers, activation_title, ask
from cgrnn_train.panels import Clock, activation_panels, roll_panels
from cgrnn_train.run import load


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


def draw_rolls(runs: TitledRuns, rolls: PackedFrames, piece: Piece, frames: int, seed: int) -> Drawing:
    """Draw ``runs`` on the first ``frames`` of ``piece``; raises `RunError` on one that cannot be loaded."""
    truth = rolls.frames(piece)[:frames]
    drawn = [_draw(title, run, truth, seed) for title, run in runs]
    return Drawing(_figures(drawn, truth, Clock.of(rolls.spec, piece)), [_numbers(one) for one in drawn])


def _draw(title: str, run: Path, truth: NDArray[np.bool_], seed: int) -> Drawn:
    """Ask a run for everything that is drawn of it; each answer starts from the same seed."""
    frames = torch.from_numpy(truth).float()[None]  # (1, time, pitch)
    _, model = ask(lambda: load(run), seed)
    answers = [ask(lambda one=one: one(frames), seed) for one in (model.activations, model.reconstruct)]
    activations, reconstruction = (None if answer is None else answer[0].float().numpy() for answer in answers)
    generated = ask(lambda: model.generate(len(truth)), seed).numpy() > THRESHOLD
    accuracy = None if reconstruction is None else frame_accuracy([reconstruction], [truth], resamples=1).pooled.value
    return Drawn(title, activations, reconstruction, accuracy, generated)


def _figures(drawn: list[Drawn], truth: NDArray[np.bool_], clock: Clock) -> dict[str, Figure | None]:
    """The figures by name; None where there is nothing to show."""
    active = [
        (activation_title(one.title, one.activations), one.activations) for one in drawn if one.activations is not None
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
    accuracy = None if one.accuracy is None else round(one.accuracy, 4)
    return {"title": one.title, **activation_numbers(one.activations), "reconstruction_accuracy": accuracy}
