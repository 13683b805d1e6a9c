"""Listening in on a clock and on what is played to it, at JACK ports: who sent what, and when."""

import time
from typing import Any, NamedTuple

import numpy as np

from cgrnn_live.ports import rtmidi

CLOCK, START, CONTINUE, STOP = 0xF8, 0xFA, 0xFB, 0xFC
NOTE_OFF, NOTE_ON = 0x80, 0x90


class Stretch(NamedTuple):
    """While the song ran, from a Start or Continue on: when its clocks came, when notes began, and when it stopped."""

    clocks: list[float]
    onsets: list[float]
    stopped: float

    def off_grid(self, period: float, clocks: int) -> np.ndarray:
        """How far in seconds each onset lies from the grid of every so many clocks, of which the first is on it.

        A message can come late and a clock be lost; none comes early: the earliest of ``period`` apart are in time.
        """
        begin = np.min(np.array(self.clocks) - period * np.arange(len(self.clocks)))
        steps = (np.array(self.onsets) - begin) / (period * clocks)
        return np.abs(steps - np.round(steps)) * period * clocks


class Overheard:
    """What a clock port and a player's port send, each message with its time."""

    def __init__(self, clock: str, player: str) -> None:
        """Connect to two ports of the server that JACK_DEFAULT_SERVER names, each found by a part of its name."""
        self.messages: list[tuple[float, tuple[int, ...]]] = []
        self._inputs = [self._listen(clock), self._listen(player)]

    def _listen(self, part: str) -> Any:
        port = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name=f"overhears {part}")
        names = port.get_ports()
        found = [number for number, name in enumerate(names) if part in name]
        assert len(found) == 1, f"{part!r} is not one of {names}"
        port.ignore_types(timing=False)
        port.set_callback(lambda event, _: self.messages.append((time.monotonic(), tuple(event[0]))))
        port.open_port(found[0])
        return port

    def close(self) -> None:
        for port in self._inputs:
            port.cancel_callback()
            port.close_port()
            port.delete()

    def stretches(self) -> list[Stretch]:
        """The stretches in which the song ran."""
        found: list[Stretch] = []
        clocks: list[float] | None = None
        onsets: list[float] = []
        for at, message in self._in_time():
            if message[0] in (START, CONTINUE):
                clocks, onsets = [], []
            elif message[0] == CLOCK and clocks is not None:
                clocks.append(at)
            elif message[0] == NOTE_ON:
                onsets.append(at)
            elif message[0] == STOP and clocks is not None:
                found.append(Stretch(clocks, onsets, at))
                clocks = None
        return found

    def silences(self) -> list[float]:
        """For each stretch, how many seconds after its stop all was silent that sounded then; inf if it never was."""
        return [self._silence(stretch.stopped) for stretch in self.stretches()]

    def _in_time(self) -> list[tuple[float, tuple[int, ...]]]:
        return sorted(self.messages, key=lambda entry: entry[0])

    def _silence(self, stopped: float) -> float:
        sounding: set[int] = set()
        for at, message in self._in_time():
            if at > stopped and not sounding:
                return 0.0
            if message[0] == NOTE_ON and at <= stopped:
                sounding.add(message[1])
            elif message[0] == NOTE_OFF:
                sounding.discard(message[1])
                if at > stopped and not sounding:
                    return at - stopped
        return float("inf") if sounding else 0.0
