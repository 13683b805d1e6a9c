"""How what a system says of frames is compared with the frames: the accuracy of a piano roll, the RMSE of sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.accuracy import SequenceCounts, accuracy, count
from cgrnn_train.models.kind import Kind
from cgrnn_train.rmse import SquaredError, rmse, squared_error
from cgrnn_train.scores import Accuracy, Rmse


class Measure(NamedTuple):
    """One comparison, in two parts: of each sequence, and over all of them.

    Attributes:
        name: in words.
        of_sequence: what a sequence counts, given the means of its units and its frames, both (time, visible).
        over: the score of many such counts, and of the song that each sequence is a part of, (sequences,).
    """

    name: str
    of_sequence: Callable[[Tensor, Tensor], tuple[float, ...]]
    over: Callable[[Sequence[Sequence[float]], NDArray[np.int64] | None], Accuracy | Rmse]


def _accuracy(counts: Sequence[Sequence[float]], songs: NDArray[np.int64] | None) -> Accuracy:
    return accuracy([SequenceCounts(int(a), b, int(c), int(d)) for a, b, c, d in counts], songs)


def _rmse(errors: Sequence[Sequence[float]], songs: NDArray[np.int64] | None) -> Rmse:
    return rmse([SquaredError(int(frames), total) for frames, total in errors], songs)


MEASURES: dict[Kind, Measure] = {
    "binary": Measure("accuracy", count, _accuracy),
    "continuous": Measure("RMSE", squared_error, _rmse),
}
"""By the kind of the frames."""
