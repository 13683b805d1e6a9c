"""Who plays when: what the model's part is beside the player's, in each mode.

Free            the model plays alone and hears itself
Turns           it hears the player's phrase and goes on where they stop ("continue")
Accompaniment   it plays along, around what the player holds ("accompany")
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES

Frame = NDArray[np.bool_]

Mode = Literal["free", "continue", "accompany"]

PATIENCE_SECONDS = 1.0
"""Silence after which the model takes over in "continue"."""


def no_notes() -> Frame:
    """Return the silent frame, (128,)."""
    return np.zeros(PITCHES, np.bool_)


class Role(Protocol):
    """The model's part."""

    model_plays: bool
    """Whether the model plays now."""
    keeps_held: bool
    """Whether the notes that the player holds are part of each frame of the model's, which it does not play itself."""

    def note_begun(self) -> bool:
        """The player has begun a note; return whether the model falls silent at once."""
        ...

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """Close an interval in which the two sounded these frames, (128,); return what the model now hears."""
        ...


class Free:
    """The model plays, whatever the player does."""

    model_plays = True
    keeps_held = False

    def note_begun(self) -> bool:
        """See `Role.note_begun`: it goes on."""
        return False

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """See `Role.close`: itself."""
        return [model]


class Turns:
    """The model yields at the player's first note and takes over after ``patience`` silent frames.

    The silence that the model waited through is not part of the phrase: it is fed only when the player goes on after
    it.
    """

    keeps_held = False

    def __init__(self, *, model_plays: bool, patience: int) -> None:
        """Begin with the model's turn or the player's."""
        self.model_plays = model_plays
        self._patience = patience
        self._phrase_began = False
        self._silent = 0

    def note_begun(self) -> bool:
        """See `Role.note_begun`: it is the player's turn."""
        self.model_plays = False
        self._phrase_began = True
        return True

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """See `Role.close`: in its turn itself, else the player and what still sounded of its own."""
        if self.model_plays:
            return [model]
        if player.any():
            heard = [no_notes() for _ in range(self._silent)] + [model | player]
            self._silent = 0
            return heard
        if self._phrase_began:
            self._silent += 1
            if self._silent >= self._patience:
                self.model_plays = True
                self._silent = 0
        return []


class Accompaniment:
    """The model plays from the player's first note on, and hears both: what they sounded together."""

    keeps_held = True

    def __init__(self, *, model_plays: bool) -> None:
        """Begin at once, or wait for the player."""
        self.model_plays = model_plays

    def note_begun(self) -> bool:
        """See `Role.note_begun`: it begins, or goes on."""
        self.model_plays = True
        return False

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """See `Role.close`."""
        return [model | player] if self.model_plays else []
