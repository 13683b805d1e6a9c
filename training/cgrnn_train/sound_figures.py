"""Figures of runs over sound, after Figs. 3 and 4 and section 5.3 of the paper.

activations     the mean of each run's latent variables over one clip, and how sparse they are (`sparsity`)
precision       how each C-ssRBM has the samples of a frame, or its residuals, go together over the clip (`precisions`)
reconstruction  that clip as each run reconstructs it, each frame after the true ones; waveform and spectrogram
generated       free play of each run, the same

Where frames are residuals of linear prediction (docs/decisions/0013), all but the activations and the precisions are of
the samples that these stand for.

A run without latent variables is left out of the first and the third, one without a C-ssRBM of the second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cgrnn_bundle.waves import Samples, WaveCoder, WaveSpec
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
        reconstruction: samples, full scale at 1, (time,).
        rmse: of that reconstruction in normalised samples (`cgrnn_train.rmse`).
        precisions: of the clip's frames, residuals times their σ; None where there is no C-ssRBM.
        generated: samples, full scale at 1, (time,).
    """

    title: str
    activations: NDArray[np.float32] | None
    reconstruction: Samples | None
    rmse: float | None
    precisions: Precisions | None
    generated: Samples


def draw_sound(runs: TitledRuns, waves: Waves, piece: Piece, frames: int, seed: int) -> Drawing:
    """Draw ``runs`` on the first ``frames`` of ``piece``; raises `RunError` on one that cannot be loaded."""
    piece = replace(piece, length=min(frames, piece.length))
    drawn = [_draw(title, run, waves, piece, seed) for title, run in runs]
    places = moments(waves.normalised(piece).reshape(-1, waves.visible))
    return Drawing(_figures(drawn, waves, piece, places), [_numbers(one, places) for one in drawn])


def _draw(title: str, run: Path, waves: Waves, piece: Piece, seed: int) -> Drawn:
    """Ask a run for everything that is drawn of it; each answer starts from the same seed."""
    spec = waves.spec
    frames = torch.from_numpy(waves.frames(piece))[None]  # (1, time, sample)
    _, model = ask(lambda: load(run), seed)
    answers = [ask(lambda one=one: one(frames), seed) for one in (model.activations, model.reconstruct)]
    activations, means = (None if answer is None else answer[0].float().numpy() for answer in answers)
    precisions = ask(lambda: precisions_of(model, frames), seed)
    generated = ask(lambda: model.generate(piece.length), seed).float().numpy()
    reconstruction = error = None
    if means is not None:
        expected, truth = waves.compare(piece, means)
        error = frame_rmse([expected], [truth], resamples=1).value
        reconstruction = (expected.astype(np.float64) * spec.std + spec.mean).astype(np.float32).reshape(-1)
    return Drawn(
        title, activations, reconstruction, error, _rescaled(precisions, waves, piece), _played(generated, spec)
    )


def _rescaled(found: Precisions | None, waves: Waves, piece: Piece) -> Precisions | None:
    """Precisions of residuals as those of residuals times their σ: in normalised samples."""
    log_scale = waves.log_scale(piece)
    if found is None or log_scale is None:
        return found
    scale = np.exp(log_scale / waves.visible)  # σ, (time,)
    return found._replace(matrices=found.matrices / np.square(scale)[:, None, None], level=found.level * scale)


def _played(frames: Samples, spec: WaveSpec) -> Samples:
    """The samples (time,) of a model's own ``frames``; where each goes on from the last they are held at full scale."""
    coder = WaveCoder(spec, loudest=1.0 if spec.order else math.inf)
    return np.concatenate([coder.decode(frame) for frame in frames])


def _figures(drawn: list[Drawn], waves: Waves, piece: Piece, places: list[int]) -> dict[str, Figure | None]:
    """The figures by name; None where there is nothing to show."""
    spec, clock = waves.spec, Clock(waves.spec.frame_seconds, SECONDS)
    active = [
        (activation_title(one.title, one.activations), one.activations) for one in drawn if one.activations is not None
    ]
    precisions = [(one.title, one.precisions) for one in drawn if one.precisions is not None]
    entry = "residual" if spec.order else "sample"
    sound = waves.samples(piece)
    rms = np.sqrt(np.square(sound).reshape(-1, waves.visible).mean(axis=1))
    again: list[tuple[str, Samples]] = [
        (f"{one.title}, reconstructed: RMSE {one.rmse:.2f}", one.reconstruction)
        for one in drawn
        if one.reconstruction is not None
    ]
    generated = [(f"{one.title}, generated", one.generated) for one in drawn]
    return {
        "activations": activation_panels(active, clock),
        "precision": precision_panels(precisions, places, rms, clock, spec.std, entry),
        "reconstruction": wave_panels([("The sound", sound), *again], spec.sample_rate, sound) if again else None,
        "generated": wave_panels(generated, spec.sample_rate),
    }


def _numbers(one: Drawn, places: list[int]) -> dict[str, Any]:
    """What figures.json says of a run; of its precisions at ``places``, in normalised samples.

    correlation: root mean square of the partial correlations off the diagonal; neighbours: mean of those of samples, or
    residuals, that follow one another.
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
