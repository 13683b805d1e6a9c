"""Recording a performance: kept in memory, written whole and renamed into place, so that the file is always valid."""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cgrnn_live.beats import Moment
from cgrnn_live.errors import UsageError
from cgrnn_live.ledger import Message
from cgrnn_live.midifile import Track, midi_file
from cgrnn_live.status import tell

MODEL, PLAYER = "CGRNN", "Player"

SYSTEM = 0xF0
"""The first status byte that names no channel."""

SAVE_SECONDS = 5.0
"""Between two savings while a performance goes on."""

BEAT_A_SECOND = 60.0
"""The tempo at which a track's seconds are beats."""


class FileError(UsageError):
    """A file that cannot be written."""


class Take:
    """A performance as a MIDI file: a track of what the model played, and one of what the player did, if anything."""

    def __init__(self) -> None:
        self._tracks = {name: Track(name, BEAT_A_SECOND) for name in (MODEL, PLAYER)}
        self._tempos = array("d")
        self._end = 0.0

    def add(self, track: str, message: Message, moment: Moment) -> None:
        """Add a message to `MODEL` or `PLAYER`; one from before the beginning is put there.

        Only channel messages: a file has no place for a DAW's transport and its other system messages.
        """
        if message[0] < SYSTEM:
            self._end = max(self._end, moment.beats)
            self._tempos.append(moment.bpm)
            self._tracks[track].add(message, max(0.0, moment.beats))

    def file(self, bpm: float) -> bytes:
        """Return the file, in the median tempo of what is in it, or ``bpm`` if nothing is; what sounds ends with it."""
        tracks = [track for name, track in self._tracks.items() if name == MODEL or not track.is_empty]
        tempo = float(np.median(self._tempos)) if self._tempos else bpm
        return midi_file([track.chunk(self._end) for track in tracks], tempo)


class Recording:
    """A take that is saved while it goes on.

    Messages may be added by one thread while another saves.
    """

    def __init__(self, path: Path, bpm: float) -> None:
        """Write an empty file of that tempo at once; FileError if that fails."""
        self._path = path
        self._bpm = bpm
        self._take = Take()
        self._lock = threading.Lock()
        self._next_saving = time.monotonic() + SAVE_SECONDS
        self._has_failed = False
        self.save()

    def add(self, track: str, message: Message, moment: Moment) -> None:
        """Add a message to `MODEL` or `PLAYER`; see `Take.add`."""
        with self._lock:
            self._take.add(track, message, moment)

    def save(self) -> None:
        """Write all that is there.

        Raises:
            FileError: it cannot be written; the file is as it was after the last `save`.
        """
        with self._lock:
            data = self._take.file(self._bpm)
        write_whole(self._path, data)

    def update(self) -> None:
        """Save now and then; if that fails, say so once, keep the last file saved, and try again later."""
        if time.monotonic() < self._next_saving:
            return
        self._next_saving = time.monotonic() + SAVE_SECONDS
        try:
            self.save()
            self._has_failed = False
        except FileError as error:
            if not self._has_failed:
                tell(f"{error} The music goes on; the file keeps what was saved before.")
            self._has_failed = True


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
