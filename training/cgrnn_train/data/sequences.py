"""The pieces of a split as tensors, and the mean of all training frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_bundle.frames import PITCHES
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import PackedFrames, Piece


class Sequences(Sequence[Tensor]):
    """Pieces of a data set, each (time, 128) float32, unpacked when it is asked for."""

    def __init__(self, data: PackedFrames, pieces: list[Piece], longest: int | None) -> None:
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


def sequences(data: PackedFrames, split: str, longest: int | None = None) -> Sequences:
    """The pieces of ``split``, the first ``longest`` frames of each.

    Raises:
        DataError: the split has no piece.
    """
    return Sequences(data, pieces_of(data, split), longest)


def pieces_of(data: PackedFrames, split: str) -> list[Piece]:
    """The pieces of ``split``, at least one; raises `DataError` if there is none."""
    pieces = data.pieces(split)
    if not pieces:
        raise DataError(f"the data set has no piece in its {split} split; prepare it from more files")
    return pieces


def mean_frame(data: PackedFrames) -> Tensor:
    """The mean training frame, smoothed so that no pitch is never or always on: (128,) float32."""
    counts, frames = np.zeros(PITCHES), 0
    for piece in data.pieces("train"):
        counts += data.frames(piece).sum(axis=0)
        frames += piece.length
    return (torch.from_numpy(counts).float() + 0.05) / (frames + 0.1)
