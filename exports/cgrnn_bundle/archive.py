"""A bundle's files on disk, as a folder or a .zip: read within limits, written whole or not at all."""

from __future__ import annotations

import difflib
import io
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from cgrnn_bundle.errors import BundleError, fault, shown
from cgrnn_bundle.layout import (
    ARRAYS,
    MANIFEST,
    MAX_BUNDLE_BYTES,
    MAX_DIRECTORY_BYTES,
    MAX_FILE_BYTES,
    TRANSITION,
)

Files = dict[str, bytes]

_END = struct.Struct("<4s4H2LH")  # a .zip's last record: signature, disks, counts, directory size and offset, comment
_END64_LOCATOR_BYTES = 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a .zip can name


def read_files(path: Path) -> Files:
    """Return the bytes of each file of the bundle at `path`, reading none of them beyond its limit.

    Raises BundleError if there is nothing at `path`, if it holds other files than a bundle's, or more bytes.
    """
    try:
        if path.is_dir():
            return _read_folder(path)
        if path.is_file():
            return _read_zip(path)
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}") from None
    raise fault("the path", "missing", "a bundle's folder or .zip", near(path))


def near(path: Path, names: Iterable[str] = ()) -> str:
    """Return the fix for a path that is not there: the nearest of the names and of what lies beside it."""
    try:
        names = [*names, *sorted(entry.name for entry in path.absolute().parent.iterdir())]
    except OSError:  # the folder is not there either, or not ours to read
        names = list(names)
    matches = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(ascii(match) for match in matches)}?" if matches else "check the path"


def _check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse names that are not a bundle's, names that are missing, and sizes beyond the limits."""
    for name, size in sizes.items():
        if name not in MAX_FILE_BYTES:
            fix = "put the files themselves there, not their folder" if "/" in name else "remove it"
            raise fault(shown(name), "there", f"only {', '.join(sorted(MAX_FILE_BYTES))}", fix)
        if size > MAX_FILE_BYTES[name]:
            raise fault(name, f"{size} bytes long", f"at most {MAX_FILE_BYTES[name]}")
    for name in (MANIFEST, ARRAYS, TRANSITION):
        if name not in sizes:
            raise fault(name, "missing", "a file of that name")
    if (total := sum(sizes.values())) > MAX_BUNDLE_BYTES:
        raise fault("the bundle", f"{total} bytes long", f"at most {MAX_BUNDLE_BYTES}")


def _read_folder(path: Path) -> Files:
    if not os.path.lexists(path / MANIFEST):  # said before anything else is: this may be any folder of somebody's
        raise fault(MANIFEST, "missing", "the folder of a bundle", "give a model's folder")
    sizes: dict[str, int] = {}
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise fault(shown(entry.name), _type_name(status.st_mode), "a plain file", "remove it")
        sizes[entry.name] = status.st_size
    _check_sizes(sizes)
    return {name: _read_bounded(path / name, size) for name, size in sizes.items()}


def _type_name(mode: int) -> str:
    return {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}.get(stat.S_IFMT(mode), "a special file")


def _read_bounded(path: Path, size: int) -> bytes:
    """Return the file's `size` bytes; never more, should it grow meanwhile."""
    with path.open("rb") as file:
        data = file.read(size + 1)
    if len(data) != size:
        raise fault(path.name, "changing while it is read", f"{size} bytes", "try again")
    return data


def _read_zip(path: Path) -> Files:
    size = path.stat().st_size
    if size > MAX_BUNDLE_BYTES + MAX_DIRECTORY_BYTES:
        raise fault("the .zip", f"{size} bytes long", f"at most {MAX_BUNDLE_BYTES + MAX_DIRECTORY_BYTES}")
    data = _read_bounded(path, size)
    _check_directory(data)
    # Everything that zipfile and zlib raise on broken input.
    broken = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OSError)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_members(archive)
    except BundleError:
        raise
    except broken as error:
        raise fault("the .zip", f"broken ({shown(str(error))})", "a whole one") from None


def _check_directory(data: bytes) -> None:
    """Bound the .zip's directory before zipfile builds an object for each of its entries.

    zipfile takes the last record where it is looked for here: at the very end, with no comment. The 64-bit record
    could overrule its sizes, and no bundle needs one.
    """
    last = data[-_END.size :]
    if len(last) < _END.size or last[:4] != b"PK\x05\x06" or last[-2:] != b"\0\0":
        raise fault("the file", "no .zip, or one with bytes after its end", "a bundle's folder or a .zip of its files")
    if data[-_END.size - _END64_LOCATOR_BYTES :].startswith(b"PK\x06\x07"):
        raise fault("the .zip", "of 64-bit form", "a plain .zip")
    directory = _END.unpack(last)[5]
    if directory > MAX_DIRECTORY_BYTES:
        raise fault("the .zip's directory", f"{directory} bytes long", f"at most {MAX_DIRECTORY_BYTES}")


def _read_members(archive: zipfile.ZipFile) -> Files:
    sizes: dict[str, int] = {}
    for member in archive.infolist():
        name = member.orig_filename  # `filename` is cut at a NUL, and a backslash is turned on Windows
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise fault(shown(name), _type_name(kind), "a plain file", "remove it")
        if name in sizes:
            raise fault(shown(name), "there twice", "once")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise fault(shown(name), "encrypted or in an unusual compression", "stored or deflated")
        sizes[name] = member.file_size
    _check_sizes(sizes)
    return {name: _read_member(archive, name, size) for name, size in sizes.items()}


def _read_member(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Return the member's bytes: at most the `size` it claims, whatever it inflates to."""
    with archive.open(name) as member:
        data = member.read(size + 1)  # one more, to reach the end, where zipfile checks the CRC
    if len(data) != size:
        raise fault(name, f"{len(data)} bytes long", f"the {size} that the .zip claims")
    return data


def write_files(files: Mapping[str, bytes], path: Path) -> None:
    """Write the files to `path`, a .zip if it is named so and else a folder: whole, or not at all.

    They are written and flushed in a temporary folder beside `path`, then renamed; what was at `path` before is moved
    aside first, and back on failure. Only a bundle or an empty folder is replaced: anything else is a BundleError.
    Raises OSError if the disk refuses.
    """
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise BundleError(f"the folder {str(path.parent)!r} does not exist, expected one to save into: create it")
    _check_replaceable(path)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    new, old = staging / "new", staging / "old"
    try:
        if path.suffix.lower() == ".zip":
            _write(new, _zipped(files))
        else:
            new.mkdir()
            for name, data in files.items():
                _write(new / name, data)
            _flush_folder(new)
        _swap(new, path, old)
        _flush_folder(path.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _swap(new: Path, path: Path, old: Path) -> None:
    """Rename `new` to `path`; a folder there goes to `old` first, for a full one cannot be replaced in one step."""
    try:
        if path.is_dir():
            path.rename(old)
        os.replace(new, path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise


def _check_replaceable(path: Path) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        read_files(path)
    except BundleError as error:
        raise BundleError(f"is there already and no bundle ({error}); remove it or choose another path") from None


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Make renames last through a power cut, where the system lets a folder be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a .zip, the same bytes for the same files: sorted, stored, dated 1980."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3  # Unix, whichever system this is
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, files[name])
    return buffer.getvalue()
