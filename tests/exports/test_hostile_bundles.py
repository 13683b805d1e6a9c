"""Folders that are no bundle, or a broken one."""

import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cgrnn_bundle.bundle import BundleError, load
from cgrnn_bundle.layout import ARRAYS, CARD, MANIFEST, MAX_BUNDLE_BYTES, MAX_FILE_BYTES, TRANSITION

Refused = Callable[..., None]
Edit = Callable[[Path, str, Any], None]
Put = Callable[[Path, str, bytes], None]
Peak = Callable[..., int]
REMOVED = ...  # for `edit`


def test_a_missing_file(folder: Path, assert_refused: Refused):
    for name in (TRANSITION, ARRAYS, MANIFEST, CARD):
        data = (folder / name).read_bytes()
        (folder / name).unlink()
        assert_refused(folder, f"{re.escape(name)} is missing")
        (folder / name).write_bytes(data)
    load(folder)


@pytest.mark.parametrize("name", ["model.pkl", ".hidden", "MANIFEST.JSON.bak", "weights\x7f"])
def test_an_extra_file(folder: Path, name: str, assert_refused: Refused):
    try:
        (folder / name).write_bytes(b"")
    except OSError:
        pytest.skip("this system has no such names")
    assert_refused(folder, re.escape(ascii(name)), "is there, expected only .*: remove it")


def test_a_file_that_the_manifest_does_not_name(folder: Path, assert_refused: Refused, edit: Edit):
    edit(folder, f"files/{CARD}", REMOVED)
    assert_refused(folder, "manifest.json: files.README.md is missing, expected the file's sha256 and bytes")


def test_a_card_that_is_no_text(folder: Path, assert_refused: Refused, put: Put):
    put(folder, CARD, b"\xff")
    assert_refused(folder, "README.md is not UTF-8 at byte 0")


@pytest.mark.parametrize("name", [CARD, "inner"])
def test_a_folder_inside(folder: Path, name: str, assert_refused: Refused):
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    assert_refused(folder, f"{name}' is a folder, expected a plain file")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there, and there are no pipes")
def test_links_and_pipes(folder: Path, tmp_path: Path, assert_refused: Refused):
    (folder / ARRAYS).rename(tmp_path / "elsewhere")
    (folder / ARRAYS).symlink_to(tmp_path / "elsewhere")
    assert_refused(folder, f"{ARRAYS}' is a symbolic link, expected a plain file")
    (folder / ARRAYS).unlink()
    os.mkfifo(folder / ARRAYS)
    assert_refused(folder, f"{ARRAYS}' is a special file")


@pytest.mark.parametrize("name", [TRANSITION, ARRAYS, CARD, MANIFEST])
def test_a_file_beyond_its_limit(folder: Path, name: str, assert_refused: Refused):
    os.truncate(folder / name, MAX_FILE_BYTES[name] + 1)
    assert_refused(folder, f"{re.escape(name)} is {MAX_FILE_BYTES[name] + 1} bytes long, expected at most")


def test_files_beyond_the_limit_together(folder: Path, assert_refused: Refused):
    for name in (TRANSITION, ARRAYS):
        os.truncate(folder / name, MAX_BUNDLE_BYTES // 2)
    assert_refused(folder, "the bundle is .* bytes long, expected at most 67108864")


def test_every_truncation_of_every_file(folder: Path, assert_refused: Refused):
    for name in (TRANSITION, ARRAYS, CARD, MANIFEST):
        data = (folder / name).read_bytes()
        for length in (0, 1, 8, len(data) // 2, len(data) - 2):
            (folder / name).write_bytes(data[:length])
            assert_refused(folder, re.escape(name))
        (folder / name).write_bytes(data)


def test_the_claims_of_a_folder_allocate_nothing(folder: Path, peak_bytes: Peak):
    os.truncate(folder / ARRAYS, MAX_BUNDLE_BYTES + 1)
    assert peak_bytes(folder, "bytes long, expected at most") < 1 << 20


def test_nothing_is_ever_unpickled(
    folder: Path, foreign: dict[str, bytes], put: Put, assert_refused: Refused, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    for name in (TRANSITION, ARRAYS, CARD):
        data = (folder / name).read_bytes()
        put(folder, name, foreign["a pickle"])
        assert_refused(folder, re.escape(name))
        put(folder, name, data)
    load(folder)


def test_a_folder_of_something_else_is_not_told_to_lose_its_files(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"beach")
    with pytest.raises(BundleError, match="manifest.json is missing.*give a model's folder") as error:
        load(tmp_path)
    assert "remove" not in str(error.value)
