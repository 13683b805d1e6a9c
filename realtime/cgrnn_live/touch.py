"""How hard the model strikes: by the metre, or as the player does."""

from __future__ import annotations

import math
from typing import Protocol

SMOOTHING = 0.25
"""How much of the way to the player's last velocity one note of theirs moves the model's."""

BAR = 4
"""Quarter notes."""

STRENGTHS = (1.0, 1 / 3, 2 / 3, 1 / 3)
"""Of the four beats of a bar, above what lies between beats: 0 is the softest velocity, 1 the loudest."""


class Touch(Protocol):
    """Chooses a velocity for the notes that begin in a frame."""

    def hear(self, velocity: int) -> None:
        """Take in how hard the player has struck a note, 1..127."""
        ...

    def velocity(self, frame: int) -> int:
        """Return the velocity, 1..127, of the notes that begin in frame number ``frame`` of the clock."""
        ...


class Accents:
    """By the metre: 4/4 from frame 0 on, loudest on the first beat of a bar, then on the third, the others, between.

    A frame has the accent of the strongest beat since the frame before began: each beat is one frame's.
    """

    def __init__(self, low: int, high: int, quarters: float) -> None:
        """Strike with ``low`` between beats and with ``high`` on the first; a frame lasts so many ``quarters``."""
        self._low = low
        self._high = high
        self._quarters = quarters

    def hear(self, velocity: int) -> None:
        """See `Touch.hear`: pass it over."""

    def velocity(self, frame: int) -> int:
        """See `Touch.velocity`."""
        first = math.floor((frame - 1) * self._quarters + 1e-6) + 1  # the first beat after the frame before began
        last = math.floor(frame * self._quarters + 1e-6)
        strength = max((STRENGTHS[beat % BAR] for beat in range(max(first, last - BAR), last + 1)), default=0.0)
        return round(self._low + strength * (self._high - self._low))


class Following:
    """As hard as the player has struck lately."""

    def __init__(self, velocity: int) -> None:
        """Begin with ``velocity``, 1..127."""
        self._velocity = float(velocity)

    def hear(self, velocity: int) -> None:
        """See `Touch.hear`."""
        self._velocity += SMOOTHING * (velocity - self._velocity)

    def velocity(self, frame: int) -> int:
        """See `Touch.velocity`."""
        return round(self._velocity)
