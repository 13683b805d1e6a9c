"""The messages that change the settings while the model plays: controllers 20 to 26, and keys that hold a chord."""

from __future__ import annotations

from collections.abc import Callable

from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON, Message
from cgrnn_live.listener import is_panic, is_pedal
from cgrnn_live.settings import CONTROLLERS, DENSEST, FARTHEST, Settings

DENSITY, LOWEST, HIGHEST, VOICES, TRANSPOSE, TEMPERATURE, AVOID = CONTROLLERS

MIDDLE = 64
"""The value of a controller that changes nothing."""

HOTTEST = 4.0
"""At its ends the controller of the temperature multiplies or divides the model's own by this."""


class Controls:
    """Takes in what is meant for the settings and not for the music."""

    def __init__(self, settings: Settings, own_temperature: float, channel: int | None = None) -> None:
        """Change ``settings``.

        Args:
            settings: what is changed.
            own_temperature: the model's, T > 0.
            channel: 1..16, the one whose keys hold the chord; None for none.
        """
        self._settings = settings
        self._channel = None if channel is None else channel - 1
        self._keys: set[int] = set()
        self._change: dict[int, Callable[[int], None]] = {
            DENSITY: lambda value: self._set(density=DENSEST ** turned(value)),
            LOWEST: lambda value: settings.set_range(value, settings.high),
            HIGHEST: lambda value: settings.set_range(settings.low, value),
            VOICES: lambda value: self._set(voices=value),
            TRANSPOSE: lambda value: self._set(transpose=max(-FARTHEST, min(value - MIDDLE, FARTHEST))),
            TEMPERATURE: lambda value: self._set(temperature=own_temperature * HOTTEST ** turned(value)),
            AVOID: lambda value: self._set(avoid=min(value, FARTHEST)),
        }

    def hear(self, message: Message) -> bool:
        """Take a message in; return whether it was for the settings alone."""
        if is_panic(message):
            self._keys.clear()
            self._settings.chord = None
            return False
        if self.is_chord(message):
            self._hold(message)
            return True
        kind, number, value = message[0] & 0xF0, *(*message[1:], 0, 0)[:2]
        if kind == CONTROL and number in self._change:
            self._change[number](value)
            return True
        return False

    def is_chord(self, message: Message) -> bool:
        """Whether ``message`` is of the keys or the pedal on the channel that holds the chord."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        return channel == self._channel and (kind in (NOTE_OFF, NOTE_ON) or is_pedal(message))

    def _hold(self, message: Message) -> None:
        """The chord is of the keys that are down; without any the settings' classes hold again."""
        status, number, value = message
        if status & 0xF0 == NOTE_ON and value > 0:
            self._keys.add(number)
        elif status & 0xF0 in (NOTE_ON, NOTE_OFF):
            self._keys.discard(number)
        else:
            return
        self._settings.chord = frozenset(pitch % 12 for pitch in self._keys) or None

    def _set(self, **changes: float) -> None:
        for name, value in changes.items():
            setattr(self._settings, name, value)


def turned(value: int) -> float:
    """Return how far a controller is turned from its middle: −1 at 0, 0 at `MIDDLE`, 1 at 127."""
    return (value - MIDDLE) / (MIDDLE if value < MIDDLE else 127 - MIDDLE)
