"""Listening in on a clock and on what is played to it, at JACK ports: who sent what, and when."""

import json
import os
import subprocess
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from cgrnn_live.ports import listen, rtmidi

CLOCK, START, CONTINUE, STOP = 0xF8, 0xFA, 0xFB, 0xFC
NOTE_OFF, NOTE_ON = 0x80, 0x90


class Stretch(NamedTuple):
    """While the song ran, from a Start or Continue on: when its clocks came, when notes began, and when it stopped."""

    clocks: list[float]
    onsets: list[float]
    stopped: float

    def unevenness(self, period: float) -> np.ndarray:
        """How far in seconds the time between each two clocks is from ``period``."""
        return np.abs(np.diff(self.clocks) - period)

    def off_grid(self, period: float, clocks: int) -> np.ndarray:
        """How far in seconds each onset lies from the grid of every so many clocks, of which the first is on it.

        Clocks are sent ``period`` apart and come late or never: the earliest came in time.
        """
        begin = np.min(np.array(self.clocks) - period * np.arange(len(self.clocks)))
        steps = (np.array(self.onsets) - begin) / (period * clocks)
        return np.abs(steps - np.round(steps)) * period * clocks


class Overheard:
    """What a clock port and a player's port send, each message with its time, as another program hears it."""

    def __init__(self, clock: str, player: str, environment: dict[str, str]) -> None:
        """Connect to two ports, each found by a part of its name, of the server that ``environment`` names."""
        self.messages: list[tuple[float, tuple[int, ...]]] = []
        pipe = subprocess.PIPE
        line = [sys.executable, __file__, clock, player]
        self._process = subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True, env=environment)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the ports are not there to be overheard"

    def close(self) -> None:
        """Hear no more: `messages` are all that came."""
        out, _ = self._process.communicate("end", timeout=20)
        self.messages = [(at, tuple(message)) for at, message in json.loads(out or "[]")]

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()

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


def _listen(part: str, heard: list[tuple[float, tuple[int, ...]]]) -> Any:
    port = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name=f"overhears {part}")
    (number,) = (number for number, name in enumerate(port.get_ports()) if part in name)
    port.ignore_types(timing=False)
    port.open_port(number)
    listen(port, lambda message: heard.append((time.monotonic(), message)))
    return port


if __name__ == "__main__":
    heard: list[tuple[float, tuple[int, ...]]] = []
    ports = [_listen(part, heard) for part in sys.argv[1:]]
    print("ready", flush=True)
    sys.stdin.read()
    print(json.dumps(heard), flush=True)
    os._exit(0)  # without taking leave of a server that may be gone
