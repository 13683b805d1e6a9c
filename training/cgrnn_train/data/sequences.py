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

    def log_scale(self, index: int) -> Tensor | None:
        """`DataSet.log_scale` of a piece, (time,) float64."""
        scale = self._data.log_scale(self._pieces[index])
        return None if scale is None else torch.from_numpy(scale[: self._longest])

    def compare(self, index: int, means: Tensor) -> tuple[Tensor, Tensor]:
        """`DataSet.compare` of a whole piece, both (time, visible)."""
        expected, truth = self._data.compare(self._pieces[index], means.cpu().numpy())
        return torch.from_numpy(expected), torch.from_numpy(truth)

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
    """The mean training frame, of bits smoothed: no pitch is never or always on; of sound the spread too."""
    total, count = np.zeros(data.visible), 0
    for piece in data.pieces("train"):
        total += data.frames(piece).sum(axis=0, dtype=np.float64)
        count += piece.length
    if data.values == "continuous":
        mean = total / count
        return FrameStatistics(torch.from_numpy(mean).float(), torch.from_numpy(_spread(data, mean)).float())
    return FrameStatistics((torch.from_numpy(total).float() + 0.05) / (count + 0.1))


def _spread(data: DataSet, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance (visible, visible) of frames of one power each, the median of theirs.

    The spatial sign covariance (Visuri, Koivunen and Oja, J. Statist. Plann. Inference 91, 2000).
    """
    products, powers = np.zeros((data.visible, data.visible)), list[NDArray[np.float64]]()
    for piece in data.pieces("train"):
        frames = data.frames(piece) - mean
        power = np.square(frames).mean(axis=1, keepdims=True)
        kept = power[:, 0] > 0
        products += frames[kept].T @ (frames[kept] / power[kept])
        powers.append(power[kept, 0])
    whole = np.concatenate(powers)
    return products / max(1, len(whole)) * (np.median(whole) if len(whole) else 1.0)
