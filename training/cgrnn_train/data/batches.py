"""Training sequences: the pieces of a data set cut into chunks, batched by length, each frame with a place of its own.

That place (its row in the data set) is where the frame's persistent Gibbs chain is kept, so a chunk meets its own
chains again in every epoch, and in a run with several processes each chunk stays with one of them. Processes take the
same number of steps: one that has a chunk less than others takes its longest twice an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from cgrnn_bundle.frames import PITCHES
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.store import DataSet, Piece


class Batch(NamedTuple):
    """Sequences padded to the longest.

    Attributes:
        frames: (batch, time, visible) float32: 0 and 1, transposed by ``shift``; or samples, normalised.
        mask: (batch, time) bool, False on padding.
        rows: (real frames,) int64, the frame's place in the data set, in the order of ``frames[mask]``.
        shift: (real frames,) int64, semitones by which the frame was transposed; 0 for sound.
    """

    frames: Tensor
    mask: Tensor
    rows: Tensor
    shift: Tensor


@dataclass(frozen=True, slots=True)
class Chunk:
    """Frames ``start`` to ``start + length`` of ``piece``."""

    piece: Piece
    start: int
    length: int


def cut(pieces: list[Piece], longest: int) -> list[Chunk]:
    """Cut pieces into chunks of nearly equal length, none longer than ``longest`` frames."""
    chunks: list[Chunk] = []
    for piece in pieces:
        count = -(-piece.length // longest)
        edges = np.linspace(0, piece.length, count + 1).round().astype(int).tolist()
        chunks += [Chunk(piece, a, b - a) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return chunks


class TrainingBatches(IterableDataset[Batch]):
    """One epoch of batches; a function of (seed, epoch, process) alone.

    Args:
        data: the data set; its training split is used.
        batch_size: sequences a batch.
        longest: frames a sequence at most.
        transpose: each sequence is moved by a random −``transpose`` … ``transpose`` semitones, as far as its notes
            allow.
        seed: of the order and the transpositions.
        rank: this process among ``world`` of them.
        world: number of processes.

    Raises:
        DataError: there are fewer sequences than processes, or sound is to be transposed.
    """

    def __init__(
        self,
        data: DataSet,
        *,
        batch_size: int,
        longest: int,
        transpose: int = 0,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if transpose and data.values == "continuous":
            raise DataError(f"found fit.transpose = {transpose} with {data.folder}, which holds sound; expected 0")
        chunks = sorted(cut(data.pieces("train"), longest), key=lambda chunk: chunk.length)
        if len(chunks) < world:
            raise DataError(f"found {len(chunks)} training sequences for {world} processes; expected one each at least")
        mine = chunks[rank::world]
        if len(mine) * world < len(chunks):
            mine.append(mine[-1])
        self._data = data
        self._batches = [mine[i : i + batch_size] for i in range(0, len(mine), batch_size)]
        self._transpose = transpose
        self._seed = (seed, rank)
        self.epoch = 0

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._batches)

    def owned_rows(self) -> Tensor:
        """Places of all frames that this process trains on, (frames,) int64."""
        return torch.cat([_rows(chunk) for batch in self._batches for chunk in batch])

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of `epoch` in its own order."""
        random = np.random.default_rng((*self._seed, self.epoch))
        for index in random.permutation(len(self._batches)):
            yield self._collate(self._batches[index], random)

    def _collate(self, chunks: list[Chunk], random: np.random.Generator) -> Batch:
        longest = max(chunk.length for chunk in chunks)
        frames = torch.zeros(len(chunks), longest, self._data.visible)
        mask = torch.zeros(len(chunks), longest, dtype=torch.bool)
        shifts: list[Tensor] = []
        for row, chunk in enumerate(chunks):
            roll = self._data.frames(chunk.piece)[chunk.start : chunk.start + chunk.length]
            shift = _draw_shift(roll, self._transpose, random)
            frames[row, : chunk.length] = torch.from_numpy(np.roll(roll, shift, axis=1))
            mask[row, : chunk.length] = True
            shifts.append(torch.full((chunk.length,), shift))
        return Batch(frames, mask, torch.cat([_rows(chunk) for chunk in chunks]), torch.cat(shifts))


def _rows(chunk: Chunk) -> Tensor:
    first = chunk.piece.offset + chunk.start
    return torch.arange(first, first + chunk.length)


def _draw_shift(roll: np.ndarray, transpose: int, random: np.random.Generator) -> int:
    """Semitones by which to move ``roll`` without a note leaving MIDI's range."""
    pitches = np.flatnonzero(roll.any(axis=0))
    if transpose == 0 or len(pitches) == 0:
        return 0
    return int(random.integers(max(-transpose, -pitches[0]), min(transpose, PITCHES - 1 - pitches[-1]) + 1))
