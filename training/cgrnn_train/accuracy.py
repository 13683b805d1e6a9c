"""Frame accuracy of a piano roll: TP / (TP + FP + FN), pitches taken as on above probability ½.

Bay, Ehmann and Downie, "Evaluation of multiple-F0 estimation and tracking systems", ISMIR 2009, after Dixon 2000.

Two means, which differ by several points on one and the same prediction:

per_frame  mean over frames; a frame that is silent and predicted silent counts as 0. The CGRNN paper's.
pooled     ΣTP / Σ(TP + FP + FN) over all frames, as `mir_eval.multipitch` has it; silence that is predicted counts
           neither way.

Intervals are 95 % percentile bootstraps that draw whole sequences (or songs), since the frames of one are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.bootstrap import RESAMPLES, bootstrap_ratio
from cgrnn_train.scores import Accuracy

THRESHOLD = 0.5

Array = Tensor | NDArray[Any]
"""(time, pitch): probabilities, booleans, or 0 and 1."""


class SequenceCounts(NamedTuple):
    """What the accuracies need of one sequence.

    Attributes:
        frames: its length.
        accuracy_sum: sum over frames of TP / (TP + FP + FN), 0 for a frame where nothing is on.
        hits: ΣTP.
        union: Σ(TP + FP + FN).
    """

    frames: int
    accuracy_sum: float
    hits: int
    union: int


def count(probability: Array, truth: Array) -> SequenceCounts:
    """Compare one sequence with what was really there.

    Args:
        probability: of each pitch, (time, pitch); a roll of 0 and 1 or of booleans is taken as it is.
        truth: the same shape, of 0 and 1 or booleans.

    Raises:
        ValueError: the shapes are not the same (time, pitch), or a probability is no number.
    """
    shapes = tuple(probability.shape), tuple(truth.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise ValueError(f"probabilities have shape {shapes[0]} and truth {shapes[1]}; expected one (time, pitch)")
    values = _array(probability).astype(np.float64)
    if np.isnan(values).any():
        raise ValueError("a probability is not a number; expected 0 to 1")
    played, real = values > THRESHOLD, _array(truth) > THRESHOLD
    hits = (played & real).sum(axis=1)  # (time,)
    union = (played | real).sum(axis=1)  # (time,) TP + FP + FN
    return SequenceCounts(len(values), float((hits / np.maximum(union, 1)).sum()), int(hits.sum()), int(union.sum()))


def accuracy(
    counts: Sequence[SequenceCounts],
    songs: NDArray[np.int64] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Accuracy:
    """Both means over sequences, each with its 95 % bootstrap interval by sequence.

    Args:
        counts: of each sequence.
        songs: the song that each is a segment of, (sequences,): intervals are then by song.
        resamples: bootstrap samples, each of as many sequences (or songs) as there are.
        seed: of the bootstrap.

    Returns:
        Shares of 1. Where no pitch is on anywhere both means are 0: there was nothing to get right.

    Raises:
        ValueError: there is no frame.
    """
    rows = [index for index, row in enumerate(counts) if row.frames]
    if not rows:
        raise ValueError("found no frame to compare; expected one sequence at least")
    frames, accuracy_sums, hits, unions = zip(*(counts[index] for index in rows), strict=True)
    owner = None if songs is None else songs[rows]
    return Accuracy(
        per_frame=bootstrap_ratio(accuracy_sums, frames, owner, resamples=resamples, seed=seed),
        pooled=bootstrap_ratio(hits, unions, owner, resamples=resamples, seed=seed),
    )


def frame_accuracy(
    probabilities: Sequence[Array],
    truths: Sequence[Array],
    songs: NDArray[np.int64] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Accuracy:
    """`accuracy` of the `count` of each pair of sequences, each (time, pitch); ValueError if their numbers differ."""
    counts = [count(ours, real) for ours, real in zip(probabilities, truths, strict=True)]
    return accuracy(counts, songs, resamples=resamples, seed=seed)


def _array(values: Array) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values
