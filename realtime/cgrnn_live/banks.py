"""Banks of the model's state: saved and recalled while it plays, by controllers 27 and 28, whose value is the bank.

A bank holds all that the next frames depend on: what the model remembers, its random stream, and its live settings. It
is recalled between two frames; what sounds by then ends or goes on with the next.
"""

from __future__ import annotations

from typing import Any, Protocol

from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import CONTROL

SAVE, RECALL = 27, 28
"""Controllers that MIDI leaves undefined."""


class Restorable(Protocol):
    """What can be taken back to how it was."""

    def snapshot(self) -> dict[str, Any]:
        """Return how it is."""
        ...

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Be as it was."""
        ...


class Banks:
    """Up to 128 banks of some parts of the instrument, each empty at first."""

    def __init__(self, *parts: Restorable) -> None:
        """Save and recall all of ``parts``."""
        self._parts = parts
        self._banks: dict[int, list[dict[str, Any]]] = {}

    def hear(self, arrival: Arrival) -> None:
        """Save or recall a bank, if the message says so; a bank that is empty is not recalled."""
        message = arrival.message
        if len(message) != 3 or message[0] & 0xF0 != CONTROL:
            return
        _, number, bank = message
        if number == SAVE:
            self._banks[bank] = [part.snapshot() for part in self._parts]
        elif number == RECALL and bank in self._banks:
            for part, snapshot in zip(self._parts, self._banks[bank], strict=True):
                part.restore(snapshot)
