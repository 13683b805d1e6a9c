"""Root mean square error of sound: how far predicted frames are from the real ones, in normalised samples.

RMSE = √( mean over frames of Σ over the samples of a frame of (predicted − real)² ), the CGRNN paper's measure. The sum
is over a frame's samples, so it grows with the frame: whatever predicts 0, the mean sample, has about √150 = 12.2 for
frames of 150 samples.

Intervals are 95 % percentile bootstraps that draw whole sequences (or songs), since the frames of one are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.bootstrap import RESAMPLES, bootstrap_ratio
from cgrnn_train.scores import Estimate, Rmse

Array = Tensor | NDArray[Any]
"""(time, sample)."""


class SquaredError(NamedTuple):
    """What the RMSE needs of one sequence.

    Attributes:
        frames: its length.
        total: Σ over its frames and their samples of (predicted − real)².
    """

    frames: int
    total: float


def squared_error(prediction: Array, truth: Array) -> SquaredError:
    """Compare one sequence with what was really there.

    Args:
        prediction: the mean that was predicted of each normalised sample, (time, sample).
        truth: the same shape.

    Raises:
        ValueError: the shapes are not the same (time, sample), or a number is not finite.
    """
    shapes = tuple(prediction.shape), tuple(truth.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise ValueError(f"predictions have shape {shapes[0]} and truth {shapes[1]}; expected one (time, sample)")
    total = float(np.square(_array(prediction) - _array(truth)).sum())
    if not math.isfinite(total):
        raise ValueError(f"the squared errors add up to {total}; expected finite predictions")
    return SquaredError(shapes[0][0], total)


def rmse(
    errors: Sequence[SquaredError],
    songs: NDArray[np.int64] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Rmse:
    """The RMSE over sequences with its 95 % bootstrap interval by sequence.

    Args:
        errors: of each sequence.
        songs: the song that each is a part of, (sequences,): the interval is then by song.
        resamples: bootstrap samples, each of as many sequences (or songs) as there are.
        seed: of the bootstrap.

    Raises:
        ValueError: there is no frame.
    """
    rows = [index for index, row in enumerate(errors) if row.frames]
    if not rows:
        raise ValueError("found no frame to compare; expected one sequence at least")
    owner = np.arange(len(rows)) if songs is None else songs[rows]
    _, place = np.unique(owner, return_inverse=True)
    sums = np.bincount(place, [errors[index].total for index in rows])
    lengths = np.bincount(place, [errors[index].frames for index in rows]).astype(np.int64)
    root = _root(bootstrap_ratio(sums, lengths, resamples=resamples, seed=seed))
    return Rmse(root.value, root.interval, tuple(sums.tolist()), tuple(lengths.tolist()))


def frame_rmse(
    predictions: Sequence[Array],
    truths: Sequence[Array],
    songs: NDArray[np.int64] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Rmse:
    """`rmse` of the `squared_error` of each pair of sequences, each (time, sample); ValueError if one has no other."""
    errors = [squared_error(ours, real) for ours, real in zip(predictions, truths, strict=True)]
    return rmse(errors, songs, resamples=resamples, seed=seed)


def rmse_ratio(ours: Rmse, theirs: Rmse) -> Estimate | None:
    """``ours`` as a share of ``theirs``, with its 95 % interval: of the same sequences (or songs) drawn for both.

    None where the two are not of the same sequences, or where theirs is 0.
    """
    if ours.lengths != theirs.lengths or not theirs.value:
        return None
    return _root(bootstrap_ratio(ours.sums, theirs.sums))


def _root(square: Estimate) -> Estimate:
    """Of a mean square, or of a ratio of two: a root keeps the order, and so the percentiles."""
    low, high = square.interval
    return Estimate(math.sqrt(square.value), (math.sqrt(low), math.sqrt(high)))


def _array(values: Array) -> NDArray[np.float64]:
    return (values.detach().cpu().numpy() if isinstance(values, Tensor) else values).astype(np.float64)
