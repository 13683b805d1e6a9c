"""The pieces of a split as tensors, and the statistics of all training frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.data.errors import DataError
from cgrnn_train.data.store import DataSet, Piece
from cgrnn_train.models.start import FrameStatistics


class Sequences(Sequence[Tensor]):
    """Pieces of a data set, each (time, visible) float32, read when it is asked for."""

    def __init__(self, data: DataSet, pieces: list[Piece], longest: int | None) -> None:
        self._data, self._pieces, self._longest = data, pieces, longest

    def __len__(self) -> int:
        """How many pieces."""
        return len(self._pieces)

    @property
    def songs(self) -> NDArray[np.int64]:
        """Which song each piece is of, (pieces,), counted from 0: segments of one song are alike."""
        names = [piece.song for piece in self._pieces]
        number = {name: index for index, name in enumerate(dict.fromkeys(names))}
        return np.array([number[name] for name in names])

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> Sequences: ...
    def __getitem__(self, index: int | slice) -> Tensor | Sequences:
        """One piece, or some."""
        if isinstance(index, slice):
            return Sequences(self._data, self._pieces[index], self._longest)
        return torch.from_numpy(self._data.frames(self._pieces[index])[: self._longest]).float()


def sequences(data: DataSet, split: str, longest: int | None = None) -> Sequences:
    """The pieces of ``split``, the first ``longest`` frames of each.

    Raises:
        DataError: the split has no piece.
    """
    return Sequences(data, pieces_of(data, split), longest)


def pieces_of(data: DataSet, split: str) -> list[Piece]:
    """The pieces of ``split``, at least one; raises `DataError` if there is none."""
    pieces = data.pieces(split)
    if not pieces:
        raise DataError(f"the data set has no piece in its {split} split; prepare it from more files")
    return pieces


def frame_statistics(data: DataSet) -> FrameStatistics:
    """The mean training frame, of bits smoothed: no pitch is never or always on; of sound the covariance too."""
    is_sound = data.values == "continuous"
    total, products, count = np.zeros(data.visible), np.zeros((data.visible, data.visible)), 0
    for piece in data.pieces("train"):
        frames = data.frames(piece).astype(np.float64)
        total += frames.sum(axis=0)
        count += piece.length
        if is_sound:
            products += frames.T @ frames
    if not is_sound:
        return FrameStatistics((torch.from_numpy(total).float() + 0.05) / (count + 0.1))
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    return FrameStatistics(torch.from_numpy(mean).float(), torch.from_numpy(covariance).float())
