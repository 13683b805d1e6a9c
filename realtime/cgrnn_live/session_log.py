"""A log of a performance from which it can be played again, note for note, without ports and in no time.

What a player does follows from how it was set up and from what its clock tells it: the times that it reads, and the
messages that come. So a log is a header (JSON) and, in the order in which the player asked, what its clock said, an
entry a line, with times in ns, D from the time of the entry before:

    o T         frame 0 is due at T
    n D         it read the time
    w           it waited as long as it had said, and nothing came
    m D HEX     it waited, and the message HEX came, stamped with this time
    s           it waited, and was told to stop

The player's thread only appends to memory; another one writes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from cgrnn_live.clock import SECOND, Arrival, Clock, EvenGrid, Stopped
from cgrnn_live.errors import UsageError
from cgrnn_live.ledger import Message
from cgrnn_live.recording import FileError
from cgrnn_live.status import tell


class LogError(UsageError):
    """A log that cannot be read."""


class SessionLog:
    """A log in the making. `entries` is for one thread, the rest for another."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        """Begin the file; FileError if it cannot be written."""
        self.entries: deque[str] = deque()
        self._path = path
        self._file: FileIO | None = None
        try:
            self._file = path.open("wb", buffering=0)
            self._write(json.dumps(header))
        except OSError as error:
            self._give_up()
            raise FileError(
                f"{path} cannot be written ({error.strerror}); give a file in a folder with room, where you may write."
            ) from error

    def update(self) -> None:
        """Write what has come since the last time; if that fails, say so, and write no more."""
        lines = [self.entries.popleft() for _ in range(len(self.entries))]
        if self._file is None or not lines:
            return
        try:
            self._write("\n".join(lines))
        except OSError as error:
            tell(f"{self._path} cannot be written on ({error.strerror}). The music goes on; the log ends here.")
            self._give_up()

    def close(self) -> None:
        """Write the last entries."""
        self.update()
        self._give_up()

    def _write(self, lines: str) -> None:
        assert self._file is not None
        data = lines.encode("ascii") + b"\n"
        while data:
            data = data[self._file.write(data) :]

    def _give_up(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class LoggingClock(EvenGrid):
    """The computer's clock, writing down what it says."""

    def __init__(self, time: Clock, entries: deque[str]) -> None:
        """Take the time of ``time``, and append to ``entries``."""
        self._time = time
        self._entries = entries
        self._last = 0

    def start(self) -> None:
        """See `Clock.start`."""
        self._time.start()
        self._last = self._time.due(0)
        self._entries.append(f"o {self._last}")

    def now(self) -> int:
        """See `Clock.now`."""
        at = self._time.now()
        self._entries.append(f"n {at - self._last}")
        self._last = at
        return at

    def due(self, frame: int) -> int:
        """See `Clock.due`."""
        return self._time.due(frame)

    def wait(self, until: int) -> Arrival | None:
        """See `Clock.wait`."""
        try:
            arrival = self._time.wait(until)
        except Stopped:
            self._entries.append("s")
            raise
        if arrival is None:
            self._entries.append("w")
        else:
            self._entries.append(f"m {arrival.at - self._last} {bytes(arrival.message).hex()}")
            self._last = arrival.at
        return arrival

    def stop(self) -> None:
        """See `Clock.stop`."""
        self._time.stop()


class LoggedClock(EvenGrid):
    """A clock that says what another one said, in the same order; a log that was cut off ends as by `Clock.stop`."""

    def __init__(self, frame_seconds: float, entries: Iterator[str]) -> None:
        """Say ``entries``, the lines of a log after its header; frames are ``frame_seconds`` long."""
        self._frame_ns = frame_seconds * SECOND
        self._entries = entries
        self._count = 1
        self._last = 0
        self._origin = 0
        self._is_over = False

    def start(self) -> None:
        """See `Clock.start`."""
        self._last = self._origin = self._next("o").number

    def now(self) -> int:
        """See `Clock.now`; `Stopped` where the log is cut off, and from then on its last time."""
        was_over = self._is_over
        try:
            self._last += self._next("n").number
        except Stopped:
            if not was_over:
                raise
        return self._last

    def due(self, frame: int) -> int:
        """See `Clock.due`."""
        return self._origin + round(frame * self._frame_ns)

    def wait(self, until: int) -> Arrival | None:
        """See `Clock.wait`."""
        entry = self._next("w", "m", "s")
        if entry.kind == "s":
            raise Stopped
        if entry.kind == "w":
            return None
        self._last += entry.number
        return Arrival(self._last, entry.message)

    def stop(self) -> None:
        """See `Clock.stop`: what is over cannot be stopped."""

    def _next(self, *kinds: str) -> _Entry:
        """Return the next entry, which is of one of ``kinds``; `Stopped` where there is none."""
        line = next(self._entries, "")
        if not line.endswith("\n"):  # a last line may be cut off anywhere
            self._is_over = True
            raise Stopped
        self._count += 1
        with suppress(ValueError):
            entry = _parse(line)
            if entry.kind in kinds:
                return entry
        self._is_over = True
        raise LogError(
            f"Line {self._count} of the log is {line.strip()[:40]!r} where {' or '.join(kinds)} was expected: it was "
            "changed, or another version of cgrnn-live wrote it; replay it with the version that its first line names."
        )


class _Entry(NamedTuple):
    kind: str
    number: int
    message: Message


def _parse(line: str) -> _Entry:
    """Return the entry; ValueError if the line is none."""
    match line.split():
        case [("w" | "s") as kind]:
            return _Entry(kind, 0, ())
        case [("o" | "n") as kind, number]:
            return _Entry(kind, int(number), ())
        case ["m", number, data]:
            return _Entry("m", int(number), tuple(bytes.fromhex(data)))
        case _:
            raise ValueError(line)
