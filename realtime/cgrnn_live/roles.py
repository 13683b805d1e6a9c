"""Who plays when: what the model's part is beside the player's, in each mode, and going from one to another.

Free            the model plays alone and hears itself
Turns           it hears the player's phrase and goes on where they stop ("continue")
Accompaniment   it plays along, around what the player holds ("accompany")
Modes           one of these at a time, and which one the player chooses
"""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES
from cgrnn_live.ledger import CONTROL, Message

Frame = NDArray[np.bool_]

Mode = Literal["free", "continue", "accompany"]

PATIENCE_SECONDS = 1.0
"""Silence after which the model takes over in "continue"."""


def no_notes() -> Frame:
    """Return the silent frame, (128,)."""
    return np.zeros(PITCHES, np.bool_)


class Role(Protocol):
    """The model's part."""

    @property
    def model_plays(self) -> bool:
        """Whether the model plays now."""
        ...

    @property
    def hears_player(self) -> bool:
        """Whether what the player does enters the next frame, so that it is chosen late."""
        ...

    @property
    def keeps_held(self) -> bool:
        """Whether the notes that the player holds are part of each frame of the model's, and not played by it."""
        ...

    def note_begun(self) -> bool:
        """The player has begun a note; return whether the model falls silent at once."""
        ...

    def control(self, message: Message) -> bool:
        """Take in a message that begins no note; return whether the model falls silent at once."""
        ...

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """Close an interval in which the two sounded these frames, (128,); return what the model now hears."""
        ...


class Uncontrolled:
    """What roles have in common that nothing but notes and time changes."""

    def control(self, message: Message) -> bool:
        """See `Role.control`: pass it over."""
        return False


class Free(Uncontrolled):
    """The model plays, whatever the player does."""

    model_plays = True
    hears_player = False
    keeps_held = False

    def note_begun(self) -> bool:
        """See `Role.note_begun`: it goes on."""
        return False

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """See `Role.close`: itself."""
        return [model]


class Turns(Uncontrolled):
    """The model yields at the player's first note and takes over after ``patience`` silent frames.

    The silence that the model waited through is not part of the phrase: it is fed only when the player goes on after
    it.
    """

    hears_player = True
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


class Accompaniment(Uncontrolled):
    """The model plays from the player's first note on, and hears both: what they sounded together."""

    hears_player = True
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


PROGRAM_CHANGE = 0xC0
PASS_TURN = 31
"""The controller that always passes the turn."""
PRESSED = 64
"""Least value of a controller that is a pedal or a button, and down."""


class Modes:
    """One role at a time. Program changes 0, 1, 2 choose free, continue, accompany; controllers pass the turn.

    Whoever plays goes on playing when the mode changes, but that in "free" the model always does.

    Attributes:
        mode: the present one.
    """

    def __init__(self, mode: Mode, *, begins: bool, patience: int, trigger: int | None = None) -> None:
        """Begin in ``mode``.

        Args:
            mode: the first.
            begins: whether the model plays before the player has, in the modes that listen.
            patience: silent frames of the player's after which the model takes over, in "continue".
            trigger: a controller that passes the turn to the model or back, in "continue", as `PASS_TURN` does.
        """
        self.mode: Mode = mode
        self._patience = patience
        self._trigger = trigger
        self._role = self._of(mode, plays=begins)

    def _of(self, mode: Mode, *, plays: bool) -> Role:
        if mode == "free":
            return Free()
        if mode == "continue":
            return Turns(model_plays=plays, patience=self._patience)
        return Accompaniment(model_plays=plays)

    @property
    def model_plays(self) -> bool:
        """See `Role.model_plays`."""
        return self._role.model_plays

    @property
    def hears_player(self) -> bool:
        """See `Role.hears_player`."""
        return self._role.hears_player

    @property
    def keeps_held(self) -> bool:
        """See `Role.keeps_held`."""
        return self._role.keeps_held

    def note_begun(self) -> bool:
        """See `Role.note_begun`."""
        return self._role.note_begun()

    def close(self, model: Frame, player: Frame) -> list[Frame]:
        """See `Role.close`."""
        return self._role.close(model, player)

    def control(self, message: Message) -> bool:
        """See `Role.control`: change the mode, or pass the turn."""
        status, number, value = (*message, 0, 0)[:3]
        kind = status & 0xF0
        modes: tuple[Mode, ...] = get_args(Mode)
        if kind == PROGRAM_CHANGE and number < len(modes) and modes[number] != self.mode:
            self.mode = modes[number]
            self._role = self._of(self.mode, plays=self._role.model_plays)
        elif kind == CONTROL and number in (PASS_TURN, self._trigger) and value >= PRESSED and self.mode == "continue":
            plays = not self._role.model_plays
            self._role = self._of(self.mode, plays=plays)
            return not plays
        return False
