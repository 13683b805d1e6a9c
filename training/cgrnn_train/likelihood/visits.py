"""The distinct frames that chains have been in, and which chains have been there."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BITS = 24
"""Pitches in a half of a word of a frame's key: their bits, summed in float32, are exact."""

SEVERAL = -1
"""In the place of a chain, where more than one has been."""

MERGE_ROWS = 2**18
"""Visits that are held before they are merged: bounds the memory."""


class Visited(NamedTuple):
    """Distinct frames (v of row u), in the order of their keys.

    Attributes:
        keys: (distinct, 1 + words) int64: the row, then v's pitches as bits, twice `BITS` in a word.
        chain: the one that has been there or `SEVERAL`, (distinct,) int64.
        counted: visits that were to be counted, (distinct,) int64.
    """

    keys: Tensor
    chain: Tensor
    counted: Tensor

    @property
    def rows(self) -> Tensor:
        """The row of each, (distinct,) int64."""
        return self.keys[:, 0]

    def frames(self, visible: int) -> Tensor:
        """v of each, (distinct, visible) bool."""
        bits = torch.arange(2 * BITS, device=self.keys.device)
        return ((self.keys[:, 1:, None] >> bits) & 1).bool().flatten(1)[:, :visible]

    def parts(self, size: int) -> list[Visited]:
        """These, ``size`` at a time."""
        return [Visited(*part) for part in zip(*(tensor.split(size) for tensor in self), strict=True)]

    def are_in(self, other: Visited) -> Tensor:
        """Whether each is in ``other`` too, (distinct,) bool."""
        keys = torch.cat([other.keys, self.keys])
        order = _order(keys)  # stable: of two alike, other's comes first
        again = torch.zeros(len(keys), dtype=torch.bool, device=keys.device)
        again[order[1:]] = (keys[order[1:]] == keys[order[:-1]]).all(1)
        return again[len(other.keys) :]


class Visits:
    """Collects where chains go.

    Args:
        visible: pitches in a frame.
        device: where the chains are.
    """

    def __init__(self, visible: int, device: torch.device) -> None:
        words = -(-visible // (2 * BITS))
        pitch = torch.arange(visible, device=device)
        self._bits = torch.zeros(visible, 2 * words, device=device)  # of each pitch in each half
        self._bits[pitch, pitch // BITS] = 2.0 ** (pitch % BITS)
        nothing = torch.zeros(0, dtype=torch.int64, device=device)
        self._merged = Visited(nothing.new_zeros(0, 1 + words), nothing, nothing)
        self._held: list[Visited] = []

    def add(self, frame: Tensor, first_row: int = 0, *, is_counted: bool = False) -> None:
        """Chains are in ``frame`` (chains, rows, visible) of 0 and 1, of which the first row is ``first_row``."""
        chains, rows, _ = frame.shape
        halves = (frame @ self._bits.to(frame.dtype)).long()
        words = halves[..., ::2] + (halves[..., 1::2] << BITS)  # (chains, rows, words)
        row = torch.arange(first_row, first_row + rows, device=frame.device).expand(chains, rows)
        chain = torch.arange(chains, device=frame.device)[:, None].expand(chains, rows)
        keys = torch.cat([row[..., None], words], -1).flatten(0, 1)
        chain = chain.flatten()
        self._held.append(Visited(keys, chain, torch.full_like(chain, int(is_counted))))
        if sum(len(held.chain) for held in self._held) >= max(MERGE_ROWS, len(self._merged.chain)):
            self.visited()

    def visited(self) -> Visited:
        """All until now."""
        if self._held:
            self._merged = _merge([self._merged, *self._held])
            self._held.clear()
        return self._merged


def _merge(parts: list[Visited]) -> Visited:
    keys, chain, counted = map(torch.cat, zip(*parts, strict=True))
    order = _order(keys)
    keys, chain, counted = keys[order], chain[order], counted[order]
    is_first = torch.ones(len(keys), dtype=torch.bool, device=keys.device)
    is_first[1:] = (keys[1:] != keys[:-1]).any(1)
    place = is_first.cumsum(0) - 1
    distinct = chain.new_zeros(int(place[-1]) + 1)
    low = distinct.scatter_reduce(0, place, chain, "amin", include_self=False)
    high = distinct.scatter_reduce(0, place, chain, "amax", include_self=False)
    return Visited(keys[is_first], torch.where(low == high, low, SEVERAL), distinct.index_add(0, place, counted))


def _order(keys: Tensor) -> Tensor:
    """The stable order of ``keys`` (n, columns), the first column first."""
    order = torch.arange(len(keys), device=keys.device)
    for column in reversed(range(keys.shape[1])):
        order = order[torch.argsort(keys[order, column], stable=True)]
    return order
