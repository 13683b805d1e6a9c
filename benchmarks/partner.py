"""A human at JACK ports, and `cgrnn-live` as their partner in a process of its own: for the scripts beside this one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cgrnn_live.ledger import NOTE_OFF, NOTE_ON, Message
from cgrnn_live.ports import SETTLING_SECONDS, listen, rtmidi

EAR = "cgrnn-bench human:ear"
PARTNER = "cgrnn-live in:cgrnn-live in"

Stamp = tuple[int, Message]
"""A time of `perf_counter_ns`, and the bytes of a message."""

Send = Callable[[Message], int]
"""Sends a message and returns when, as `perf_counter_ns`."""


class Human:
    """Strikes keys through outputs of their own, and hears all that comes to `EAR`, each with its time."""

    def __init__(self) -> None:
        """Open the ear."""
        self.heard: list[Stamp] = []
        self._hands: list[Any] = []
        self._ear: Any = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name=EAR.split(":")[0])
        self._ear.open_virtual_port(EAR.split(":")[1])
        self._deafen = listen(self._ear, lambda message: self.heard.append((time.perf_counter_ns(), message)))

    def hand(self, port: str, seconds: float = 20.0) -> Send:
        """Connect an output to ``port``, as soon as that is there; return what sends through it."""
        out: Any = rtmidi.MidiOut(rtapi=rtmidi.API_UNIX_JACK, name="cgrnn-bench hand")
        deadline = time.monotonic() + seconds
        while port not in (names := out.get_ports()):
            if time.monotonic() > deadline:
                sys.exit(f"the port {port!r} does not appear; there are {names}")
            time.sleep(0.05)
        out.open_port(names.index(port))
        self._hands.append(out)

        def send(message: Message) -> int:
            at = time.perf_counter_ns()
            out.send_message(message)
            return at

        return send

    def hears(self, is_it: Callable[[Message], bool], since: int, seconds: float) -> bool:
        """Wait until a message of a kind has come after a time; return whether it came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(at >= since and is_it(message) for at, message in self.heard[-100:]):
                return True
            time.sleep(0.002)
        return False

    def close(self) -> None:
        """Close the ear and let go of all keys."""
        time.sleep(SETTLING_SECONDS)  # a port that closes loses what it holds
        self._deafen()
        for port in (self._ear, *self._hands):
            port.close_port()
            port.delete()


@dataclass
class Log:
    """What `stamped.py` wrote."""

    grid: tuple[int, int] = (0, 0)
    heard: list[Stamp] = field(default_factory=list)
    sent: list[Stamp] = field(default_factory=list)
    frames: list[tuple[int, ...]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Log:
        """Read the file."""
        log = cls()
        for line in path.read_text().splitlines():
            word, *texts = line.split()
            first, *others = map(int, texts)
            if word == "grid":
                log.grid = (first, others[0])
            elif word == "frame":
                log.frames.append((first, *others))
            else:
                (log.heard if word == "heard" else log.sent).append((first, tuple(others)))
        return log


@contextmanager
def partner(log: Path, *arguments: object, **files: Any) -> Iterator[subprocess.Popen[str]]:
    """`cgrnn-live` with its stamps in ``log``, which plays into `EAR`; at the end it is asked to stop, as by Ctrl-C."""
    script = str(Path(__file__).with_name("stamped.py"))
    line = [sys.executable, script, str(log), "--port", EAR, "--api", "jack", *map(str, arguments)]
    process = subprocess.Popen(line, text=True, **files)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def begins_note(message: Message) -> bool:
    """Whether a note of the model's begins: it plays on channel 1."""
    return len(message) == 3 and message[0] == NOTE_ON and message[2] > 0


def hanging(messages: list[Message]) -> set[int]:
    """The pitches of channel 1 with a note-on and no note-off after it."""
    sounding: set[int] = set()
    for status, *data in messages:
        if status == NOTE_ON:
            sounding.add(data[0])
        elif status == NOTE_OFF:
            sounding.discard(data[0])
    return sounding
