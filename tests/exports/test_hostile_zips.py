"""Zips that are no bundle, or would be more than one: links, paths, bombs, claims."""

import os
import re
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cgrnn_bundle.layout import ARRAYS, MANIFEST, MAX_BUNDLE_BYTES

Refused = Callable[..., None]
Peak = Callable[..., int]


@pytest.fixture
def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def zipped(path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of names that come twice
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in members:
                archive.writestr(name, data)
    return path


def named(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, mode << 16
    return member


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("../evil", r"'\.\./evil' is there, expected only"),
        ("/etc/passwd", "'/etc/passwd' is there"),
        ("..\\evil", r"'\.\.\\\\evil' is there"),
        ("C:\\evil", "evil' is there"),
        ("inner/", "'inner/' is a folder"),
        ("tiny/manifest.json", "put the files themselves there, not their folder"),
        ("./manifest.json", r"'\./manifest.json' is there"),
        ("model.pkl", "'model.pkl' is there"),
        (MANIFEST, "'manifest.json' is there twice"),
        (named("link", stat.S_IFLNK | 0o777), "'link' is a symbolic link"),
        (named("pipe", stat.S_IFIFO | 0o600), "'pipe' is a special file"),
        (named("inner", stat.S_IFDIR | 0o700), "'inner' is a folder"),
        ("x" * 9000, "is there, expected only"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_an_extra_member(
    files: dict[str, bytes], tmp_path: Path, extra: str | zipfile.ZipInfo, sentence: str, assert_refused: Refused
):
    path = zipped(tmp_path / "evil.zip", [*files.items(), (extra, b"/etc/passwd")])
    assert_refused(path, sentence)


def test_a_member_whose_name_hides_behind_a_nul(files: dict[str, bytes], tmp_path: Path, assert_refused: Refused):
    path = zipped(tmp_path / "nul.zip", [*files.items(), ("README.md-evil", b"")])
    path.write_bytes(path.read_bytes().replace(b"README.md-evil", b"README.md\0evil"))
    assert_refused(path, r"'README.md\\x00evil' is there")


def test_a_symbolic_link_for_a_file(files: dict[str, bytes], tmp_path: Path, assert_refused: Refused):
    data = files.pop(ARRAYS)
    path = zipped(tmp_path / "link.zip", [*files.items(), (named(ARRAYS, stat.S_IFLNK | 0o777), data)])
    assert_refused(path, f"'{ARRAYS}' is a symbolic link")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_of_another_kind(files: dict[str, bytes], tmp_path: Path, method: int, assert_refused: Refused):
    assert_refused(zipped(tmp_path / "odd.zip", list(files.items()), method), "expected stored or deflated")


def test_an_encrypted_member(files: dict[str, bytes], tmp_path: Path, assert_refused: Refused):
    path = zipped(tmp_path / "locked.zip", list(files.items()))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert_refused(path, "encrypted or in an unusual compression")


def test_broken_zips(files: dict[str, bytes], tmp_path: Path, assert_refused: Refused, foreign: dict[str, bytes]):
    path = zipped(tmp_path / "broken.zip", list(files.items()))
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    locator = b"PK\x06\x07" + bytes(16)
    for broken, sentence in {
        b"": "no .zip",
        b"PK": "no .zip",
        data[:-1]: "no .zip",
        data + b"\0": "no .zip",
        data[: len(data) // 2]: "no .zip",
        data[:-22] + locator + data[-22:]: "64-bit form",
        data[:-10] + (10**9).to_bytes(4, "little") + data[-6:]: "directory is 1000000000 bytes long",
        data[:directory] + b"XX" + data[directory + 2 :]: "the .zip is broken",
        b"XX" + data[2:]: "the .zip is broken",
        data.replace(b"# Tiny", b"# tiny"): "the .zip is broken",
        foreign["a pickle"]: "no .zip",
        foreign["an npz"]: "'arr_0.npy' is there",
    }.items():
        path.write_bytes(broken)
        assert_refused(path, sentence)


def claim(data: bytes, name: str, size: int) -> bytes:
    """Return the .zip with another uncompressed size for the member, in its own header and in the directory."""
    changed = bytearray(data)
    for signature, name_at, size_at in ((b"PK\x03\x04", 30, 22), (b"PK\x01\x02", 46, 24)):
        starts = [match.start() for match in re.finditer(re.escape(signature), data)]
        start = next(s for s in starts if data[s + name_at :].startswith(name.encode()))
        changed[start + size_at : start + size_at + 4] = size.to_bytes(4, "little")
    return bytes(changed)


def test_a_claim_of_gigabytes_allocates_nothing(files: dict[str, bytes], tmp_path: Path, peak_bytes: Peak):
    path = zipped(tmp_path / "claim.zip", list(files.items()))
    size = path.stat().st_size
    path.write_bytes(claim(path.read_bytes(), ARRAYS, 4_000_000_000))
    peak = peak_bytes(path, f"{re.escape(ARRAYS)} is 4000000000 bytes long, expected at most 67108864")
    assert peak < size + (1 << 20)


def test_a_bomb_inflates_no_further_than_it_claims(files: dict[str, bytes], tmp_path: Path, peak_bytes: Peak):
    bomb = b" " * (200 << 20)
    path = zipped(tmp_path / "bomb.zip", [*(files | {MANIFEST: bomb}).items()], zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    assert peak_bytes(path, "manifest.json is 209715200 bytes long, expected at most 262144") < 2 << 20
    path.write_bytes(claim(path.read_bytes(), MANIFEST, 1000))
    assert peak_bytes(path, "the .zip is broken .*manifest.json") < 2 << 20


def test_a_zip_of_a_million_entries(tmp_path: Path, peak_bytes: Peak):
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0)
    path = tmp_path / "million.zip"
    path.write_bytes(directory + end)
    assert peak_bytes(path, "directory is 46000000 bytes long, expected at most 16384") < len(directory) + (1 << 20)


def test_a_zip_beyond_the_limit_is_not_read(tmp_path: Path, peak_bytes: Peak):
    path = tmp_path / "huge.zip"
    path.touch()
    os.truncate(path, 2 * MAX_BUNDLE_BYTES)
    assert peak_bytes(path, "the .zip is 134217728 bytes long") < 1 << 20
