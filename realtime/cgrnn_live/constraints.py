"""From the settings of now and the player's notes to what the next frame may hold; and the model moved in pitch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES
from cgrnn_live.engine import Evidence
from cgrnn_live.sampler import OFF, ON
from cgrnn_live.settings import Settings

if TYPE_CHECKING:
    from cgrnn_live.listener import Listener
    from cgrnn_live.player import Frame, Improviser

Value = TypeVar("Value", bound=np.generic)


class Constraints:
    """The evidence that the settings ask for, whenever it is asked for."""

    def __init__(self, settings: Settings, listener: Listener | None = None) -> None:
        """Follow ``settings``, and the notes of ``listener`` for what is to be avoided."""
        self._settings = settings
        self._listener = listener

    def holding(self, held: Iterable[int]) -> Evidence:
        """Return what the settings allow, and that the pitches ``held`` are on, wherever they lie."""
        now = self._settings
        evidence = Evidence.build(now.low, now.high, now.classes if now.chord is None else now.chord)
        if now.avoid and self._listener is not None:
            for pitch in {*self._listener.held, *self._listener.recent}:
                evidence.clamp[max(0, pitch - now.avoid) : pitch + now.avoid + 1] = OFF
        return replace(evidence.holding(held), voices=now.voices, density=now.density, temperature=now.temperature)


class Transposed:
    """An improviser that hears everything lower by the settings' transposition, and sounds higher by it.

    Pitches that it would have to play or hear beyond its own range are off.
    """

    def __init__(self, improviser: Improviser, settings: Settings) -> None:
        """Move ``improviser`` by ``settings.transpose`` semitones, whatever they are by then."""
        self._improviser = improviser
        self._settings = settings
        self._sampled: int | None = None  # the transposition of the frame that sounds now

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        """See `Improviser.sample`; pitches are those that sound."""
        up = self._sampled = self._settings.transpose
        frame = self._improviser.sample(replace(evidence, clamp=_shifted(evidence.clamp, -up, OFF)), sweeps)
        return _shifted(frame, up, 0) | (evidence.clamp == ON)

    def advance(self, heard: Frame) -> None:
        """See `Improviser.advance`; a frame that it has sampled itself is heard as it was meant."""
        up = self._settings.transpose if self._sampled is None else self._sampled
        self._sampled = None
        self._improviser.advance(_shifted(heard, -up, 0))


def _shifted(values: NDArray[Value], up: int, fill: int) -> NDArray[Value]:
    """Return values by pitch, (128,), moved ``up`` by so many semitones; ``fill`` comes in at the edge."""
    moved = np.full_like(values, fill)
    moved[max(0, up) : PITCHES + min(0, up)] = values[max(0, -up) : PITCHES - max(0, up)]
    return moved
