"""The files of one kind in a folder or in a zip archive: their names and their bytes.

Nothing is ever extracted: members are read into memory, one at a time, and no more of them than `MAX_FILE_BYTES`.
"""

from __future__ import annotations

import functools
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from cgrnn_train.data.errors import DataError, UnusableFileError

MIDI_SUFFIXES = (".mid", ".midi", ".kar")
SOUND_SUFFIXES = (".wav", ".flac", ".aif", ".aiff", ".ogg")
MAX_FILE_BYTES = 8 << 20
"""Largest file read: forty times the largest of Lakh clean_midi, and 95 seconds of 16-bit mono sound at 44.1 kHz."""


def list_midi(source: Path) -> list[str]:
    """Return the names of the MIDI files in `source`: see `list_files`."""
    return list_files(source, MIDI_SUFFIXES, "MIDI")


def list_sounds(source: Path) -> list[str]:
    """Return the names of the sound files in `source`: see `list_files`."""
    return list_files(source, SOUND_SUFFIXES, "sound")


def list_files(source: Path, suffixes: tuple[str, ...], kind: str) -> list[str]:
    """Return the sorted names of the files in a folder (at any depth) or a zip: paths within it, with slashes.

    suffixes: of the files' names. kind: of the files, in words. Raises DataError if `source` is missing, is neither a
    folder nor a zip, or holds no such file.
    """
    if source.is_dir():
        paths = (path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    elif source.is_file():
        with _opened(source) as archive:
            paths = iter(archive.namelist())
    else:
        raise DataError(f"there is no folder or zip at {source}; give the path of one that holds {kind} files")
    names = sorted({name for name in paths if _is_one_of(name, suffixes)})
    if not names:
        raise DataError(f"{source} holds no {kind} file ({', '.join('*' + suffix for suffix in suffixes)})")
    return names


def read_file(source: Path, name: str) -> bytes:
    """Return the bytes of one file that `list_files` named; UnusableFileError with the reason if it cannot be read."""
    try:
        data = _read_path(source / name) if source.is_dir() else _read_member(source, name)
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        # RuntimeError and its child NotImplementedError: an encrypted member, an unknown compression.
        raise UnusableFileError(f"cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise UnusableFileError(f"is larger than {MAX_FILE_BYTES >> 20} MB")
    return data


def _is_one_of(name: str, suffixes: tuple[str, ...]) -> bool:
    """Say whether the name is that of such a file; macOS archives shadow each with a resource fork named ._NAME."""
    path = PurePosixPath(name)
    return path.suffix.lower() in suffixes and not path.name.startswith("._")


def _read_path(path: Path) -> bytes:
    """Read a file, at most one byte beyond the limit."""
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def _read_member(source: Path, name: str) -> bytes:
    """Read a member of a zip, at most one byte beyond the limit whatever size it claims or unpacks to."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        raise UnusableFileError("has a name that leads out of the archive")
    with _kept_open(source).open(name) as file:
        return file.read(MAX_FILE_BYTES + 1)


@functools.lru_cache(maxsize=1)
def _kept_open(source: Path) -> zipfile.ZipFile:
    """Open a zip and keep it: a worker reads its many members without reading its directory for each."""
    return _opened(source)


def _opened(source: Path) -> zipfile.ZipFile:
    """Open a zip; DataError if it is none."""
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(f"{source} is neither a folder nor a readable zip archive ({error})") from error
