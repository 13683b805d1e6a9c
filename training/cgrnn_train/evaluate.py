"""`cgrnn-train evaluate`: a run's likelihood, and its accuracy or RMSE under both protocols, on a whole split.

Everything random is seeded by the part it belongs to, and finished parts are kept in the run folder: an evaluation
that is stopped, however, and called again gives the figures of one that was never stopped.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from cgrnn_train.check import check_annealing
from cgrnn_train.data.sequences import Sequences, sequences
from cgrnn_train.data.store import DataSet
from cgrnn_train.frame_scores import FrameScores, Settings
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.log_likelihood import estimator, log_likelihoods
from cgrnn_train.measures import MEASURES, Measure
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.system import BoundSystem, System
from cgrnn_train.run import RunError, load, weights_digest
from cgrnn_train.scores import Accuracy, Likelihood, Rmse, Scores, write_scores

ESTIMATES = "estimates"
"""Folder of a run where parts of unfinished evaluations are kept."""


def evaluate_run(
    run: Path,
    data: DataSet,
    split: str,
    settings: Settings,
    *,
    check: int = 0,
    command: str = "",
    device: str = "cpu",
    stage: Callable[[str, int], Callable[[int], None]] = lambda name, total: lambda done: None,
) -> Scores:
    """Score ``run`` on every frame of ``split`` and write RUN/scores/SPLIT.json.

    Args:
        run: the run folder.
        data: the data set.
        split: train, valid or test.
        settings: of the likelihood's estimate.
        check: frames on which an AIS figure is looked at from every side (`check_annealing`).
        command: the command line, kept in the scores.
        device: where to compute, "cpu" or "cuda".
        stage: called with the name and the frames of each stage; returns what is told of the frames done.

    Raises:
        RunError: the run cannot be used.
        DataError: the split has no piece.
    """
    started = time.perf_counter()
    config, model = load(run)
    if check and isinstance(model, EnergySystem) and model.has_sampled_feed and settings.samples > 1:
        raise RunError("found --check with particles, whose estimate is another than AIS; leave out one of the two")
    model.to(device)
    pieces = sequences(data, split)
    frames = sum(len(piece) for piece in pieces)
    weights = weights_digest(run)
    key: dict[str, object] = {
        "weights": weights,
        "config": config.to_dict()["model"],
        "data": data.digest,
        "split": split,
        "device": device,
    }
    store = run / ESTIMATES / split

    def likelihood(settings: Settings, name: str) -> tuple[FrameScores, Likelihood]:
        done = stage(f"log-likelihood, {estimator(model, settings)}", frames)
        scores = log_likelihoods(model, pieces, settings, store=store / name, key=key, progress=done)
        return scores, scores.summary(estimator(model, settings), pieces.songs)

    frame_scores, headline = likelihood(settings, "likelihood")
    trained = None
    if isinstance(model, BoundSystem) and not model.is_exact and settings.samples > 1:
        _, trained = likelihood(Settings(seed=settings.seed), "trained_bound")
    checked = None
    if check and isinstance(model, EnergySystem):
        done = stage("AIS from other sides", min(check, frames))
        checked = check_annealing(model, pieces, settings, check, store=store / "check", key=key, progress=done)
    measure = MEASURES[config.kind]
    scored = functools.partial(_score, measure, model, pieces, settings.seed, store, key, stage)
    if frame_scores.means is None:
        prediction = scored("prediction", model.predict)
        assert prediction is not None  # every system predicts
    else:
        means = frame_scores.means.split([len(piece) for piece in pieces])
        rows = [_compare(measure, pieces, index, mean) for index, mean in enumerate(means)]
        prediction = measure.over(rows, pieces.songs)
    reconstruction = scored("reconstruction", model.reconstruct)
    scores = Scores(
        system=config.system,
        source=str(data.meta.get("source", data.folder.name)),
        split=split,
        frames=frames,
        weights=weights,
        data=data.digest,
        log_likelihood=headline,
        trained_bound=trained,
        check=checked,
        prediction=prediction,
        reconstruction=reconstruction,
        command=command,
        seconds=round(time.perf_counter() - started, 1),
    )
    write_scores(run, scores)
    shutil.rmtree(store, ignore_errors=True)  # another process may be about the same
    return scores


def compute_device(accelerator: str) -> str:
    """The device that "auto", "cpu" or "gpu" means here; raises `RunError` if there is none."""
    if accelerator not in ("auto", "cpu", "gpu"):
        raise RunError(f"found --accelerator {accelerator!r}; expected auto, cpu or gpu")
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise RunError("found no GPU that PyTorch can use; leave out --accelerator gpu")
    return "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"


def _score(
    measure: Measure,
    model: System,
    pieces: Sequences,
    seed: int,
    store: Path,
    key: dict[str, object],
    stage: Callable[[str, int], Callable[[int], None]],
    name: str,
    protocol: Callable[[Tensor], Tensor | None],
) -> Accuracy | Rmse | None:
    """Score ``protocol`` (frames (1, time, visible) to the means of their units), a piece a chunk; None if it gives
    None.
    """
    device = next(model.parameters()).device
    with torch.no_grad():
        if protocol(pieces[0][None, :1].to(device)) is None:
            return None
    done = stage(f"{measure.name}, {name}", sum(len(piece) for piece in pieces))
    lengths = iter([len(piece) for piece in pieces])

    def estimate(part: slice) -> dict[str, Tensor]:
        rows: list[tuple[float, ...]] = []
        for index in range(len(pieces))[part]:
            found = protocol(pieces[index][None].to(device))
            assert found is not None
            rows.append(_compare(measure, pieces, index, found[0]))
        return {"counts": torch.tensor(rows, dtype=torch.float64)}  # (piece, numbers of a sequence)

    with torch.no_grad():
        counts = in_chunks(
            len(pieces),
            1,
            estimate,
            seed=seed,
            store=store / name,
            key=key,
            progress=lambda finished: done(sum(islice(lengths, finished))),
        )["counts"]
    return measure.over(counts.tolist(), pieces.songs)


def _compare(measure: Measure, pieces: Sequences, index: int, means: Tensor) -> tuple[float, ...]:
    """What piece ``index`` counts, whose frames have ``means`` (time, visible)."""
    return measure.of_sequence(*pieces.compare(index, means))
