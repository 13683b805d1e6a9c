"""A small bundle with a real transition, the runtime that runs it, and the tools to break it."""

import hashlib
import io
import json
import os
import pickle
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from cgrnn_bundle.bundle import Bundle, BundleError, Manifest, Metric, Probe, Sizes, Training, load, save
from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.layout import MANIFEST, Tensors, tensors_of
from cgrnn_bundle.probe import Transition, record_probe
from small_bundles import open_transition, sound_bundle, value_infos

SIZES = Sizes(hidden=3, state=4)


def make_transition(tensors: Tensors) -> bytes:
    """Return the model u' = tanh([v, h∘s, u] A), b_v = u' B, b_h = u' C as ONNX, with drawn A, B, C."""
    rng = np.random.default_rng(7)
    units = {name: shape[1] for name, shape in {**tensors.inputs, **tensors.outputs}.items()}
    weights = {
        "A": (units["frame"] + units["spike_slab"] + units["state"], units["state"]),
        "B": (units["state"], units["visible_bias"]),
        "C": (units["state"], units["hidden_bias"]),
    }

    graph = helper.make_graph(
        [
            helper.make_node("Concat", ["frame", "spike_slab", "state"], ["x"], axis=1),
            helper.make_node("MatMul", ["x", "A"], ["y"]),
            helper.make_node("Tanh", ["y"], ["next_state"]),
            helper.make_node("MatMul", ["next_state", "B"], ["visible_bias"]),
            helper.make_node("MatMul", ["next_state", "C"], ["hidden_bias"]),
        ],
        "step",
        value_infos(tensors.inputs),
        value_infos(tensors.outputs),
        [numpy_helper.from_array(rng.standard_normal(s).astype(np.float32), name) for name, s in weights.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


@pytest.fixture(scope="session")
def transition() -> bytes:
    return make_transition(tensors_of("binary", SIZES, probe_steps=3))


@pytest.fixture(scope="session")
def run(transition: bytes) -> Transition:
    return open_transition(transition)


@pytest.fixture(scope="session")
def bundle(transition: bytes, run: Transition) -> Bundle:
    rng = np.random.default_rng(3)
    manifest = Manifest(
        name="tiny",
        frame=FrameSpec(0.25, "half", "1/8"),
        sizes=SIZES,
        feed="full",
        spike_slab_feed="sampled",
        low=36,
        high=84,
        training=Training("three chords", "CC0-1.0", "cgrnn-train fit --seed 5", 5, "2026-11-22", "0.1.0"),
        metrics=(Metric("LL", -6.25, "exact", "three chords, test", "cgrnn-train evaluate"),),
        probe=Probe(seed=11),
        temperature=0.9,
        sweeps=30,
    )
    arrays = {
        "weight": rng.standard_normal((SIZES.visible, SIZES.hidden)).astype(np.float32),
        "slab_precision": np.array([0.5, 1, 2], np.float32),
        "slab_mean": np.array([-1, 0, 1], np.float32),
        "initial_state": np.array([0, 0.1, 0.2, -0.3], np.float32),
        "initial_visible_bias": np.full(SIZES.visible, -2, np.float32),
        "initial_hidden_bias": np.zeros(SIZES.hidden, np.float32),
    }
    arrays |= record_probe(run, arrays["initial_state"], "binary", SIZES, manifest.probe)
    return Bundle(manifest, transition, arrays, "# Tiny\n\nThree chords, découpés.\n")


@pytest.fixture(scope="session")
def sound() -> Bundle:
    """A small bundle of kind "continuous"."""
    return sound_bundle(order=2, window=40)


@pytest.fixture
def sound_folder(sound: Bundle, tmp_path: Path) -> Path:
    path = tmp_path / "tiny-sound"
    save(sound, path)
    return path


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    path = tmp_path / "tiny"
    save(bundle, path)
    return path


# ---- hostile bundles


class Evil:
    """Unpickling one ends the test run."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (3,)


@pytest.fixture(scope="session")
def foreign() -> dict[str, bytes]:
    """Files of other kinds."""
    pickles, zipped = io.BytesIO(), io.BytesIO()
    np.save(pickles, np.array([Evil()], object), allow_pickle=True)
    np.savez(zipped, np.zeros(3))
    return {
        "a pickle": pickle.dumps(Evil()),
        "an npy of pickles": pickles.getvalue(),
        "an npz": zipped.getvalue(),
        "nothing": b"",
        "a byte": b"\x08",
        "zeros": bytes(4096),
    }


def _assert_refused(path: Path, *patterns: str) -> None:
    with pytest.raises(BundleError) as caught:
        load(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert sentence.isprintable(), "one line, and nothing that a terminal would obey"
    assert len(sentence) < len(str(path)) + 300
    for pattern in patterns:
        assert re.search(pattern, sentence), f"{pattern!r} is not in {sentence!r}"


@pytest.fixture(scope="session")
def assert_refused() -> Callable[..., None]:
    """Hold that `load` refuses (path, *patterns) with one short line in which each pattern is found."""
    return _assert_refused


@pytest.fixture(scope="session")
def peak_bytes() -> Callable[..., int]:
    """Return the most memory that refusing (path, *patterns) takes."""

    def peak(path: Path, *patterns: str) -> int:
        tracemalloc.start()
        try:
            _assert_refused(path, *patterns)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return peak


def _edit(folder: Path, field: str, value: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    *parents, last = [int(key) if key.isdigit() else key for key in field.split("/")]
    target = manifest
    for key in parents:
        target = target[key]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture(scope="session")
def edit() -> Callable[[Path, str, Any], None]:
    """Set (or, with `...`, remove) a field of a folder's manifest, given as "a/b/0/c"."""
    return _edit


@pytest.fixture(scope="session")
def put() -> Callable[[Path, str, bytes], None]:
    """Replace a folder's file and make its record in the manifest right: hashes guard against damage, not malice."""

    def replace(folder: Path, name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        _edit(folder, f"files/{name}", {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})

    return replace
