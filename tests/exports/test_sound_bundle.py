"""Bundles of kind "continuous": the golden bytes, round trips, the margin of W, the probe."""

import base64
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from cgrnn_bundle.bundle import Bundle, BundleError, Manifest, Metric, Probe, Sizes, Training, load, save
from cgrnn_bundle.layout import MANIFEST, MIN_GAP, tensors_of
from cgrnn_bundle.parameters import largest_singular_value
from cgrnn_bundle.probe import Row, Transition, check_probe
from cgrnn_bundle.shipped import shipped_bundles
from cgrnn_bundle.waves import WaveSpec
from small_bundles import LARGEST, open_transition, sound_bundle

# state -> next_state, frame -> visible_mean, Softplus(frame) -> visible_scale, spike_slab -> hidden_bias,
# [spike_slab, state] -> gain_logits; V = G = 2, H = U = 1.
GOLDEN_TRANSITION = base64.b64decode(
    "CAg6rgMKHQoFc3RhdGUSCm5leHRfc3RhdGUiCElkZW50aXR5Ch8KBWZyYW1lEgx2aXNpYmxlX21lYW4iCElkZW50aXR5CiAKBWZyYW1lEg12aXNp"
    "YmxlX3NjYWxlIghTb2Z0cGx1cwojCgpzcGlrZV9zbGFiEgtoaWRkZW5fYmlhcyIISWRlbnRpdHkKNQoKc3Bpa2Vfc2xhYgoFc3RhdGUSC2dhaW5f"
    "bG9naXRzIgZDb25jYXQqCwoEYXhpcxgBoAECEgFnWhcKBWZyYW1lEg4KDAgBEggKAggBCgIIAlocCgpzcGlrZV9zbGFiEg4KDAgBEggKAggBCgII"
    "AVoXCgVzdGF0ZRIOCgwIARIICgIIAQoCCAFiHAoKbmV4dF9zdGF0ZRIOCgwIARIICgIIAQoCCAFiHgoMdmlzaWJsZV9tZWFuEg4KDAgBEggKAggB"
    "CgIIAmIfCg12aXNpYmxlX3NjYWxlEg4KDAgBEggKAggBCgIIAmIdCgtoaWRkZW5fYmlhcxIOCgwIARIICgIIAQoCCAFiHQoLZ2Fpbl9sb2dpdHMS"
    "DgoMCAESCAoCCAEKAggCQgQKABAR"
)
SOFTPLUS = [0.6931472, 1.3132616]  # of 0 and 1
GOLDEN_ARRAYS = {
    "weight": np.array([[0.5], [-0.25]], np.float32),
    "slab_mean": np.array([-1], np.float32),
    "gains": np.array([1, 4], np.float32),
    "initial_state": np.array([0.5], np.float32),
    "initial_visible_mean": np.array([0.25, -0.25], np.float32),
    "initial_visible_scale": np.array([2, 3], np.float32),
    "initial_hidden_bias": np.array([0.25], np.float32),
    "initial_gain_logits": np.array([0, -0.5], np.float32),
    "probe.frame": np.array([[0, 1]], np.float32),
    "probe.spike_slab": np.array([[1.5]], np.float32),
    "probe.next_state": np.array([[0.5]], np.float32),
    "probe.visible_mean": np.array([[0, 1]], np.float32),
    "probe.visible_scale": np.array([SOFTPLUS], np.float32),
    "probe.hidden_bias": np.array([[1.5]], np.float32),
    "probe.gain_logits": np.array([[1.5, 0.5]], np.float32),
}
GOLDEN_ZIP_SHA256 = "11ce716add12efb0c840c8cfe21704d047fbdabf9954a4524fad7409ab534419"


def golden() -> Bundle:
    manifest = Manifest(
        name="golden-sound",
        frame=WaveSpec(sample_rate=11_025, frame_samples=2, mean=0.125, std=0.5, order=3, window=8),
        sizes=Sizes(visible=2, hidden=1, state=1, gains=2),
        feed="full",
        spike_slab_feed="mean",
        training=Training("none", "CC0-1.0", "by hand", 0, "2026-11-22", "0.1.0"),
        metrics=(Metric("LL", -6, "exact", "none", "by hand"),),
        probe=Probe(steps=1),
    )
    return Bundle(manifest, GOLDEN_TRANSITION, GOLDEN_ARRAYS, "# Golden\n")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- good ones


def test_golden_folder(tmp_path: Path):
    save(golden(), tmp_path / "golden")
    files = contents(tmp_path / "golden")
    assert sorted(files) == ["README.md", "cssrbm.safetensors", "manifest.json", "transition.onnx"]
    assert files["transition.onnx"] == GOLDEN_TRANSITION
    body = b"".join(GOLDEN_ARRAYS[name].astype("<f4").tobytes() for name in sorted(GOLDEN_ARRAYS))
    assert files["cssrbm.safetensors"].endswith(b" " + body) or files["cssrbm.safetensors"].endswith(b"}" + body)
    expected = Path(__file__).with_name("golden_sound_manifest.json").read_text("utf-8")
    assert files["manifest.json"].decode() == expected


def test_golden_zip(tmp_path: Path):
    save(golden(), tmp_path / "golden.zip")
    assert hashlib.sha256((tmp_path / "golden.zip").read_bytes()).hexdigest() == GOLDEN_ZIP_SHA256


def test_the_golden_transition_meets_its_probe():
    check_probe(golden(), open_transition(GOLDEN_TRANSITION))


@pytest.mark.parametrize("name", ["tiny", "tiny.zip"])
def test_round_trip(sound: Bundle, tmp_path: Path, name: str):
    save(sound, tmp_path / name)
    loaded = load(tmp_path / name)
    assert (loaded.manifest, loaded.transition, loaded.card) == (sound.manifest, sound.transition, sound.card)
    assert loaded.manifest.kind == "continuous"
    assert loaded.manifest.frame == WaveSpec(8_000, 6, 0.01, 0.1, order=2, window=40)
    assert loaded.arrays.keys() == sound.arrays.keys()
    for array, values in sound.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[array], values)


def test_saving_again_gives_the_same_bytes(sound_folder: Path, tmp_path: Path):
    save(load(sound_folder), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(sound_folder)


@pytest.mark.parametrize("name", list(shipped_bundles()))
def test_a_shipped_bundle_saved_again_has_the_bytes_that_it_has(name: str, tmp_path: Path):
    """Of whichever version: a newer format changes no bundle of an older one."""
    save(load(shipped_bundles()[name]), tmp_path / name)
    assert contents(tmp_path / name) == contents(shipped_bundles()[name])


def test_each_kind_names_the_version_that_brought_it(folder: Path, sound_folder: Path):
    versions = [json.loads((path / MANIFEST).read_bytes())["format_version"] for path in (folder, sound_folder)]
    assert versions == [1, 2]


def test_the_margin_of_the_weight_is_where_the_format_says(sound: Bundle, tmp_path: Path):
    """A largest singular value s of 1 - s^2 a little above 2^-20 is taken, a little below it refused."""
    for gap, is_taken in ((1.1 * MIN_GAP, True), (0.9 * MIN_GAP, False)):
        weight = np.zeros((6, 5), np.float32)
        weight[2, 3] = np.sqrt(1 - gap)  # in float32, which moves the gap by up to 2^-24, a 16th of the margin
        whole = dataclasses.replace(sound, arrays={**sound.arrays, "weight": weight})
        if is_taken:
            save(whole, tmp_path / "tiny")
        else:
            with pytest.raises(BundleError, match="weight is of largest singular value s = 0.9999995"):
                save(whole, tmp_path / "tiny")


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5), (1, 1)])
def test_the_largest_singular_value(shape: tuple[int, int]):
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    assert largest_singular_value(weight) == pytest.approx(np.linalg.svd(weight.astype(float))[1][0], rel=1e-12)
    assert largest_singular_value(np.zeros(shape, np.float32)) == 0


def test_a_small_model_has_the_singular_value_that_it_says(sound: Bundle):
    assert largest_singular_value(sound.arrays["weight"]) == pytest.approx(LARGEST, abs=1e-6)


# ---- the probe


def spoil(run: Transition, output: int, factor: float, offset: float = 0.0) -> Transition:
    """Return the runtime with one of its outputs changed."""

    def spoilt(frame: Row, spike_slab: Row, state: Row) -> tuple[Row, ...]:
        rows = list(run(frame, spike_slab, state))
        rows[output] = rows[output] * np.float32(factor) + np.float32(offset)
        return tuple(rows)

    return spoilt


def test_rounding_passes_the_probe(sound: Bundle):
    run = open_transition(sound.transition)
    check_probe(sound, run)
    for output in range(5):
        check_probe(sound, spoil(run, output, 1 + 3e-6))


@pytest.mark.parametrize(
    ("output", "name"), list(enumerate(["next_state", "visible_mean", "visible_scale", "hidden_bias", "gain_logits"]))
)
def test_another_model_fails_the_probe(sound: Bundle, output: int, name: str):
    with pytest.raises(BundleError, match=f"transition.onnx: {name} at probe step 0, unit ., is .*, expected"):
        check_probe(sound, spoil(open_transition(sound.transition), output, 1, 0.01))


def test_a_small_scale_is_held_to_its_own_size(sound: Bundle):
    """An error of 5e-5 would pass beside a number of order 1; beside a scale of 0.1 it is a wrong loudness."""
    run = open_transition(sound.transition)
    check_probe(sound, spoil(run, 1, 1, 5e-5))
    with pytest.raises(BundleError, match="visible_scale at probe step 0"):
        check_probe(sound, spoil(run, 2, 1, 5e-5))


def test_tensors_of_both_kinds():
    sizes = Sizes(visible=3, hidden=2, state=5, gains=6)
    binary, continuous = (tensors_of(kind, sizes, 4) for kind in ("binary", "continuous"))
    assert binary.inputs == continuous.inputs == {"frame": (1, 3), "spike_slab": (1, 2), "state": (1, 5)}
    assert list(binary.outputs) == ["next_state", "visible_bias", "hidden_bias"]
    assert list(continuous.outputs) == ["next_state", "visible_mean", "visible_scale", "hidden_bias", "gain_logits"]
    assert binary.arrays.keys() ^ continuous.arrays.keys() == {
        "slab_precision",
        "gains",
        *(
            f"{place}{name}"
            for place in ("initial_", "probe.")
            for name in ("visible_bias", "visible_mean", "visible_scale", "gain_logits")
        ),
    }
    assert continuous.arrays["probe.visible_scale"] == (4, 3)


def test_the_small_model_is_one_of_any_size(tmp_path: Path):
    save(sound_bundle(visible=9, hidden=20, state=3, gains=7, feed="mean"), tmp_path / "wide")
    assert load(tmp_path / "wide").manifest.sizes == Sizes(visible=9, hidden=20, state=3, gains=7)
