"""Frames as a picture: time runs to the right, a column a frame; pitches run up, two to a row, by half blocks.

A row's cell says which of its two pitches is the model's and which the player's. With colours both are half blocks;
without, the player's are half as wide, so that a held note is a line of the model's and a dashed one of theirs:

    model ▀▀▀▀ ▄▄▄▄     player ▘▘▘▘ ▖▖▖▖     both ▛▛▛▛ ▙▙▙▙
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES

Frame = NDArray[np.bool_]
Cells = NDArray[np.uint8]

EMPTY, MODEL, PLAYER = range(3)
"""Whose a pitch is; one that both sound is the player's."""

GLYPHS = " ▄▖▀█▛▘▙▌"
"""Without colours, by 3 · upper pitch + lower pitch."""

OCTAVE, MIDDLE_C = 12, 60
GUTTER = 4
"""Columns of the names of the octaves."""
LONGEST = 512
"""Columns that are kept: hardly a terminal is wider."""


class Roll:
    """The last frames, and the range of pitches that is shown of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._columns = np.zeros((LONGEST, PITCHES), np.uint8)  # the latest last
        self._lowest = PITCHES  # above all: to be chosen

    def add(self, model: Frame, player: Frame) -> None:
        """Add the frame of an interval: what the model sounded and what the player did, (128,) booleans each."""
        self._columns[:-1] = self._columns[1:]
        self._columns[-1] = owners(model, player)

    def picture(self, width: int, height: int, now: Cells | None = None) -> tuple[list[str], Cells]:
        """Return what stands before each row, and the rows of the newest columns, the highest pitches first.

        Before a row stands the name of the C that is in it, or in the corners an arrow where notes lie beyond.

        Args:
            width: characters in a row; the columns are `GUTTER` fewer, and at most `LONGEST`.
            height: rows, at most 64.
            now: of an interval that is not over, (128,), for the last column.

        Returns:
            ``height`` texts, and an index of `GLYPHS` for each cell, (``height``, columns).
        """
        count = min(width - GUTTER, LONGEST)
        columns = self._columns[LONGEST - count :] if now is None else np.vstack((self._columns[1:], now))[-count:]
        used = np.flatnonzero(columns.any(axis=0))
        span = 2 * height
        self._follow(used, span)
        shown = columns[:, self._lowest : self._lowest + span]
        return self._gutter(used, height), (3 * shown[:, 1::2] + shown[:, ::2]).T[::-1]

    def _follow(self, used: NDArray[np.intp], span: int) -> None:
        """Leave the range until a note falls out of it; then have all of them in its middle."""
        lowest, highest = (int(used[0]), int(used[-1])) if len(used) else (MIDDLE_C, MIDDLE_C)
        if not self._lowest <= lowest <= highest < self._lowest + span:
            self._lowest = (lowest + highest + 1 - span) // 2
        even = -(-self._lowest // 2) * 2  # so that a C has the lower half of its row
        self._lowest = max(0, min(even, PITCHES - span))

    def _gutter(self, used: NDArray[np.intp], height: int) -> list[str]:
        names = []
        for row in range(height):
            pitch = self._lowest + 2 * (height - 1 - row)
            names.append("" if pitch % OCTAVE else f"C{pitch // OCTAVE - 1}")
        if len(used) and used[-1] >= self._lowest + 2 * height:
            names[0] = "▲"
        if len(used) and used[0] < self._lowest:
            names[-1] = "▼"
        return [name.ljust(GUTTER) for name in names]


def owners(model: Frame, player: Frame) -> Cells:
    """Return whose each pitch is, (128,): `EMPTY`, `MODEL` or `PLAYER`."""
    column = model.astype(np.uint8)
    column[player] = PLAYER
    return column


def owners_of(model: Iterable[int], player: Iterable[int]) -> Cells:
    """Return the same of pitches that sound."""
    column = np.zeros(PITCHES, np.uint8)
    column[list(model)] = MODEL
    column[list(player)] = PLAYER
    return column


def glyphs(cells: Cells) -> list[str]:
    """Return each row as text that needs no colours."""
    return ["".join(GLYPHS[cell] for cell in row) for row in cells.tolist()]
