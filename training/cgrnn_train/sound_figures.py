"""Figures of runs over sound, after Figs. 3 and 4 and section 5.3 of the paper.

activations     the mean of each run's latent variables over one clip, and how sparse they are (`sparsity`)
precision       how each C-ssRBM has the samples of a frame go together, over the clip (`precisions`)
reconstruction  that clip as each run reconstructs it, waveform and spectrogram
generated       free play of each run, the same

A run without latent variables is left out of the first and the third, one without a C-ssRBM of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cgrnn_bundle.waves import Samples, frames_to_samples
from cgrnn_train.data.store import Piece
from cgrnn_train.data.waves import Waves
from cgrnn_train.drawing import Drawing, TitledRuns, activation_numbers, activation_title, ask
from cgrnn_train.panels import SECONDS, Clock, activation_panels
from cgrnn_train.precision_panels import precision_panels
from cgrnn_train.precisions import Precisions, moments, partial_correlations, precisions_of
from cgrnn_train.rmse import frame_rmse
from cgrnn_train.run import load
from cgrnn_train.sound_panels import wave_panels


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one run makes of the clip; None where it has no latent variables.

    Attributes:
        title: of its panels.
        activations: (time, latent).
        reconstruction: normalised frames, (time, sample).
        rmse: of that reconstruction (`cgrnn_train.rmse`).
        precisions: of the clip's frames; None where there is no C-ssRBM.
        generated: normalised frames, (time, sample).
    """

    title: str
    activations: NDArray[np.float32] | None
    reconstruction: NDArray[np.float32] | None
    rmse: float | None
    precisions: Precisions | None
    generated: NDArray[np.float32]


def draw_sound(runs: TitledRuns, waves: Waves, piece: Piece, frames: int, seed: int) -> Drawing:
    """Draw ``runs`` on the first ``frames`` of ``piece``; raises `RunError` on one that cannot be loaded."""
    truth = waves.frames(piece)[:frames]
    drawn = [_draw(title, run, truth, seed) for title, run in runs]
    return Drawing(_figures(drawn, truth, waves), [_numbers(one, moments(truth)) for one in drawn])


def _draw(title: str, run: Path, truth: NDArray[np.float32], seed: int) -> Drawn:
    """Ask a run for everything that is drawn of it; each answer starts from the same seed."""
    frames = torch.from_numpy(truth)[None]  # (1, time, sample)
    _, model = ask(lambda: load(run), seed)
    answers = [ask(lambda one=one: one(frames), seed) for one in (model.activations, model.reconstruct)]
    activations, reconstruction = (None if answer is None else answer[0].float().numpy() for answer in answers)
    precisions = ask(lambda: precisions_of(model, frames), seed)
    generated = ask(lambda: model.generate(len(truth)), seed).float().numpy()
    error = None if reconstruction is None else frame_rmse([reconstruction], [truth], resamples=1).value
    return Drawn(title, activations, reconstruction, error, precisions, generated)


def _figures(drawn: list[Drawn], truth: NDArray[np.float32], waves: Waves) -> dict[str, Figure | None]:
    """The figures by name; None where there is nothing to show."""
    spec, clock = waves.spec, Clock(waves.spec.frame_seconds, SECONDS)
    active = [
        (activation_title(one.title, one.activations), one.activations) for one in drawn if one.activations is not None
    ]
    precisions = [(one.title, one.precisions) for one in drawn if one.precisions is not None]
    sound = frames_to_samples(truth, spec)
    rms = np.sqrt(np.square(sound).reshape(truth.shape).mean(axis=1))
    again: list[tuple[str, Samples]] = [
        (f"{one.title}, reconstructed: RMSE {one.rmse:.2f}", frames_to_samples(one.reconstruction, spec))
        for one in drawn
        if one.reconstruction is not None
    ]
    generated = [(f"{one.title}, generated", frames_to_samples(one.generated, spec)) for one in drawn]
    return {
        "activations": activation_panels(active, clock),
        "precision": precision_panels(precisions, moments(truth), rms, clock, spec.std),
        "reconstruction": wave_panels([("The sound", sound), *again], spec.sample_rate, sound) if again else None,
        "generated": wave_panels(generated, spec.sample_rate),
    }


def _numbers(one: Drawn, places: list[int]) -> dict[str, Any]:
    """What figures.json says of a run; of its precisions at ``places``, in normalised samples.

    correlation: root mean square of the partial correlations off the diagonal; neighbours: mean of those of samples
    that follow one another.
    """
    precision = None
    if one.precisions is not None:
        precision = [
            {
                "frame": place,
                "active": int(one.precisions.active[place]),
                "level": float(f"{one.precisions.level[place]:.4g}"),
                **_strengths(partial_correlations(one.precisions.matrices[place])),
            }
            for place in places
        ]
    rmse = None if one.rmse is None else round(one.rmse, 4)
    return {
        "title": one.title,
        **activation_numbers(one.activations),
        "precision": precision,
        "reconstruction_rmse": rmse,
    }


def _strengths(correlations: NDArray[np.float64]) -> dict[str, float]:
    others = correlations[~np.eye(len(correlations), dtype=bool)]
    return {
        "correlation": round(float(np.sqrt(np.square(others).mean())), 4),
        "neighbours": round(float(correlations.diagonal(1).mean()), 4),
    }
