"""What can be changed while the model plays: plain values in one place, to save and to go back to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CONTROLLERS = range(20, 27)
"""The controllers that change them; `controls` has their meanings."""

TAKEN = range(20, 32)
"""All controllers that mean something here, or will: MIDI leaves them undefined."""

SPARSEST, DENSEST = 0.1, 10.0
FARTHEST = 24
"""The most semitones of `Settings.transpose`, up or down, and of `Settings.avoid`."""


@dataclass
class Settings:
    """How the model is to choose its notes. All pitches are those that sound.

    Attributes:
        low: the lowest pitch.
        high: the highest.
        classes: pitch classes, 0 (C) to 11, of the scale or chord that it keeps to; None for all.
        chord: those of the chord that is held for it, which takes the place of ``classes``; None while none is.
        density: factor on the odds of each pitch, `SPARSEST` to `DENSEST`.
        voices: the most notes of its own in a frame; 0 for no limit.
        transpose: semitones by which what it plays sounds higher than it thinks.
        temperature: T > 0; None for the engine's.
        avoid: semitones around the player's notes that are left to the player; 0 for none.
    """

    low: int = 0
    high: int = 127
    classes: frozenset[int] | None = None
    chord: frozenset[int] | None = None
    density: float = 1.0
    voices: int = 0
    transpose: int = 0
    temperature: float | None = None
    avoid: int = 0

    def set_range(self, low: int, high: int) -> None:
        """Set ``low`` and ``high``; a range without a pitch of ``classes`` changes nothing."""
        if any(self.classes is None or pitch % 12 in self.classes for pitch in range(low, high + 1)):
            self.low, self.high = low, high

    def snapshot(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self).items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a `snapshot`; the object stays the same."""
        for name, value in snapshot.items():
            setattr(self, name, frozenset(value) if isinstance(value, list) else value)
