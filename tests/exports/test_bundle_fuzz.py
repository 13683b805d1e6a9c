"""Fuzz: whatever happens to a bundle's bytes, `load` gives that bundle or raises BundleError; never anything else."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.bundle import Bundle, BundleError, load, save
from cgrnn_bundle.layout import ARRAYS, CARD, MANIFEST, OPERATORS, TRANSITION
from cgrnn_bundle.manifest import Manifest
from cgrnn_bundle.onnxfile import check_transition
from cgrnn_bundle.tensorfile import read_tensors

NAMES = st.sampled_from([TRANSITION, ARRAYS, MANIFEST, CARD])
FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8)  # place, bits
CUTS = st.one_of(st.just(1.0), st.floats(0, 1))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fuzz = settings(max_examples=200, deadline=None)


def damage(data: bytes, flips: list[tuple[float, int]], cut: float) -> bytes:
    damaged = bytearray(data)
    for place, bits in flips:
        damaged[int(place * len(data))] ^= bits
    return bytes(damaged[: round(cut * len(data))])


def only_bundle_errors(read: Callable[[], Any]) -> None:
    try:
        read()
    except BundleError:
        pass


def load_or_refuse(path: Path, bundle: Bundle, original: bytes, damaged: bytes, *, is_sealed: bool) -> None:
    """Hold that the bundle loads equal or is refused; `is_sealed`: every byte counts, so any damage is refused."""
    try:
        loaded = load(path)
    except BundleError:
        assert damaged != original
        return
    assert not is_sealed or damaged == original
    assert (loaded.manifest, loaded.transition, loaded.card) == (bundle.manifest, bundle.transition, bundle.card)
    assert all(np.array_equal(loaded.arrays[name], values) for name, values in bundle.arrays.items())


@pytest.fixture(scope="module")
def saved(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "tiny"
    save(bundle, folder)
    return folder


@fuzz
@given(NAMES, FLIPS, CUTS)
def test_damaged_folders(saved: Path, bundle: Bundle, name: str, flips: list[tuple[float, int]], cut: float):
    original = (saved / name).read_bytes()
    damaged = damage(original, flips, cut)
    (saved / name).write_bytes(damaged)
    try:
        if name == MANIFEST:  # which has no hash: a changed digit of its metrics may pass
            only_bundle_errors(lambda: load(saved))
        else:
            load_or_refuse(saved, bundle, original, damaged, is_sealed=True)
    finally:
        (saved / name).write_bytes(original)


@pytest.fixture(scope="module", params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def zipped(saved: Path, request: pytest.FixtureRequest) -> bytes:
    path = saved.with_name("whole.zip")
    with zipfile.ZipFile(path, "w", request.param) as archive:
        for file in sorted(saved.iterdir()):
            archive.write(file, file.name)
    return path.read_bytes()


@fuzz
@given(st.booleans(), FLIPS, CUTS)
def test_damaged_zips(
    saved: Path, bundle: Bundle, zipped: bytes, in_directory: bool, flips: list[tuple[float, int]], cut: float
):
    start = zipped.index(b"PK\x01\x02") if in_directory else 0  # where most of the structure is
    damaged = zipped[:start] + damage(zipped[start:], flips, cut)
    path = saved.with_name("damaged.zip")
    path.write_bytes(damaged)
    load_or_refuse(path, bundle, zipped, damaged, is_sealed=False)


@fuzz
@given(FLIPS, CUTS)
def test_damaged_arrays_behind_a_right_hash(saved: Path, bundle: Bundle, flips: list[tuple[float, int]], cut: float):
    data = (saved / ARRAYS).read_bytes()
    body = int.from_bytes(data[:8], "little") + 8
    shapes = bundle.manifest.tensors.arrays
    only_bundle_errors(lambda: read_tensors(damage(data, flips, cut), shapes, ARRAYS))
    only_bundle_errors(lambda: read_tensors(damage(data[:body], flips, 1.0) + data[body:], shapes, ARRAYS))


@fuzz
@given(FLIPS, CUTS)
def test_a_damaged_transition_behind_a_right_hash(bundle: Bundle, flips: list[tuple[float, int]], cut: float):
    data = damage(bundle.transition, flips, cut)
    only_bundle_errors(lambda: check_transition(data, bundle.manifest.tensors, OPERATORS["binary"]))


@fuzz
@given(st.binary(max_size=200))
def test_any_bytes_for_each_file(bundle: Bundle, data: bytes):
    tensors = bundle.manifest.tensors
    length = (len(data) // 8 * 8).to_bytes(8, "little")
    only_bundle_errors(lambda: check_transition(b"\x08" + data, tensors, OPERATORS["binary"]))
    only_bundle_errors(lambda: read_tensors(length + b"{" + data, tensors.arrays, ARRAYS))
    only_bundle_errors(lambda: Manifest.from_json(data))


@fuzz
@given(st.data(), VALUES)
def test_any_value_in_any_place_of_the_manifest(saved: Path, data: st.DataObject, value: Any):
    manifest = json.loads((saved / MANIFEST).read_bytes())
    target = manifest
    while True:
        key = data.draw(st.sampled_from(sorted(target) if isinstance(target, dict) else list(range(len(target)))))
        child = target[key]
        if not isinstance(child, dict | list) or not child or data.draw(st.booleans()):
            break
        target = child
    target[key] = value
    only_bundle_errors(lambda: Manifest.from_json(json.dumps(manifest).encode()))
