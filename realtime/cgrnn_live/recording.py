"""Recording a performance: kept in memory, written whole and renamed into place, so that the file is always valid."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cgrnn_live.clock import SECOND, Clock
from cgrnn_live.errors import UsageError
from cgrnn_live.ledger import Message
from cgrnn_live.midifile import Track, midi_file
from cgrnn_live.status import tell

MODEL, PLAYER = "CGRNN", "Player"

SYSTEM = 0xF0
"""The first status byte that names no channel."""

SAVE_EVERY = 5 * SECOND
"""Nanoseconds between two savings while a performance goes on."""


class FileError(UsageError):
    """A file that cannot be written."""


class Take:
    """A performance as a MIDI file: a track of what the model played, and one of what the player did, if anything."""

    def __init__(self, bpm: float) -> None:
        """Begin with nothing; seconds become ticks at ``bpm``."""
        self._bpm = bpm
        self._tracks = {name: Track(name, bpm) for name in (MODEL, PLAYER)}

    def add(self, track: str, message: Message, seconds: float) -> None:
        """Add a message to `MODEL` or `PLAYER`, at ``seconds`` after the beginning or at it.

        Only channel messages: a file has no place for a DAW's transport and its other system messages.
        """
        if message[0] < SYSTEM:
            self._tracks[track].add(message, max(0.0, seconds))

    def file(self, seconds: float) -> bytes:
        """Return the file; notes that still sound end at ``seconds``."""
        tracks = [track for name, track in self._tracks.items() if name == MODEL or not track.is_empty]
        return midi_file([track.chunk(max(0.0, seconds)) for track in tracks], self._bpm)


class Recording:
    """A take that is saved while it goes on.

    Messages may be added by one thread while another saves.
    """

    def __init__(self, path: Path, clock: Clock, bpm: float) -> None:
        """Write an empty file at once, FileError if that fails; times are ``clock``'s, counted from frame 0."""
        self._path = path
        self._clock = clock
        self._take = Take(bpm)
        self._lock = threading.Lock()
        self._next_saving = clock.now() + SAVE_EVERY
        self._has_failed = False
        self.save()

    def add(self, track: str, message: Message, at: int) -> None:
        """Add a message to `MODEL` or `PLAYER` at a time of the clock; see `Take.add`."""
        with self._lock:
            self._take.add(track, message, self._seconds(at))

    def save(self, at: int | None = None) -> None:
        """Write all that is there; notes that still sound end ``at`` (ns), or now.

        Raises:
            FileError: it cannot be written; the file is as it was after the last `save`.
        """
        seconds = self._seconds(self._clock.now() if at is None else at)
        with self._lock:
            data = self._take.file(seconds)
        write_whole(self._path, data)

    def update(self) -> None:
        """Save now and then; if that fails, say so once, keep the last file saved, and try again later."""
        if self._clock.now() < self._next_saving:
            return
        self._next_saving = self._clock.now() + SAVE_EVERY
        try:
            self.save()
            self._has_failed = False
        except FileError as error:
            if not self._has_failed:
                tell(f"{error} The music goes on; the file keeps what was saved before.")
            self._has_failed = True

    def _seconds(self, at: int) -> float:
        return (at - self._clock.due(0)) / SECOND


def is_same_file(path: Path, other: Path) -> bool:
    """Return whether two paths lead to one file that is there."""
    with suppress(OSError):
        return path.samefile(other)
    return False


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file at ``path`` by ``data``, or leave it as it was and raise FileError."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that replaces the one at ``path`` once it is whole; FileError if it cannot be written."""
    if os.path.exists(path) and not os.path.isfile(path):  # unlike Path's, these take any name
        raise FileError(f"{path} is not a file; give the name of a file to write.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written ({error.strerror}); give a file in a folder with room, where you may write."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
