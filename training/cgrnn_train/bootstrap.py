"""Intervals by sequence: frames of one piece are alike, so whole sequences are drawn again, not frames.

Where a data set holds songs in segments, those of one song are alike too, and whole songs are drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cgrnn_train.scores import Estimate, Likelihood

RESAMPLES = 1000


def bootstrap_ratio(
    above: ArrayLike, below: ArrayLike, owner: ArrayLike | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Σ above / Σ below over rows, with its 95 % percentile bootstrap interval.

    Args:
        above: one number a row (a frame, a sequence), (rows,).
        below: what it is a share of, (rows,): the frames of the row, say. Where a sum is 0 the ratio is 0.
        owner: what each row is a part of and is drawn with, (rows,) whole numbers; by default each row is its own.
        resamples: each of as many owners as there are.
        seed: of the resamples; the same for any two ratios of as many owners, so that they can be compared.
    """
    rows = np.stack([np.asarray(above, np.float64), np.asarray(below, np.float64)])  # (2, row)
    _, place = np.unique(np.arange(rows.shape[1]) if owner is None else np.asarray(owner), return_inverse=True)
    sums = np.stack([np.bincount(place, row) for row in rows])  # (2, owner)
    pick = np.random.default_rng(seed).integers(0, sums.shape[1], (resamples, sums.shape[1]))
    value = _ratio(*sums.sum(axis=1, keepdims=True))
    low, high = np.percentile(_ratio(*sums[:, pick].sum(axis=2)), [2.5, 97.5])
    return Estimate(float(value[0]), (float(low), float(high)))


def bootstrap_difference(ours: Likelihood, theirs: Likelihood) -> Estimate | None:
    """How much higher ``ours`` is, with its 95 % interval: of the same sequences (or songs) drawn for both.

    Frames that are hard for one system are hard for all, so this interval is narrower than those of the two means.
    None where a record is older than its sums, or where the two are not of the same sequences.
    """
    if not ours.sums or ours.lengths != theirs.lengths:
        return None
    return bootstrap_ratio(np.subtract(ours.sums, theirs.sums), ours.lengths)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
