"""Wrong bundles of kind "continuous": fields, numbers and graphs that no model of sound has."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from cgrnn_bundle.bundle import Bundle, BundleError, load, save
from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.layout import ARRAYS, MANIFEST, MAX_WAVE_UNITS, MIN_SCALE, TRANSITION
from cgrnn_bundle.tensorfile import write_tensors
from cgrnn_bundle.waves import WaveSpec

Refused = Callable[..., None]
Edit = Callable[[Path, str, Any], None]
Put = Callable[[Path, str, bytes], None]
REMOVED = ...  # for `edit`


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("format_version", 1, "format_version is 1, expected 2, the version of bundles of kind 'continuous'"),
        ("format_version", 3, "format_version is 3, expected at most 2: update the player"),
        ("kind", "binary", "format_version is 2, expected 1, the version of bundles of kind 'binary'"),
        ("low", 36, "manifest.json: 'low' is unknown"),
        ("high", 84, "manifest.json: 'high' is unknown"),
        ("frame", {"frame_seconds": 0.25}, "frame.sample_rate is missing"),
        ("frame/pitches", 128, "frame.'pitches' is unknown"),
        ("frame/rule", "half", "frame.'rule' is unknown"),
        ("frame/std", REMOVED, "frame.std is missing"),
        ("frame/order", REMOVED, "frame.order is missing"),
        ("frame/window", REMOVED, "frame.window is missing"),
        ("frame/sample_rate", 0, "frame.sample_rate is 0, expected an integer from 1 to 768000"),
        ("frame/sample_rate", 11025.0, "frame.sample_rate is 11025.0"),
        ("frame/frame_samples", 0, "frame.frame_samples is 0, expected an integer from 1 to 2048"),
        ("frame/frame_samples", 10**10, "frame.frame_samples is 10000000000"),
        ("frame/frame_samples", 7, "sizes.visible is 6, expected an integer from 7 to 7"),
        ("frame/mean", float("nan"), "frame.mean is nan"),
        ("frame/mean", "0", "frame.mean is '0'"),
        ("frame/std", 0, "frame.std is 0, expected a finite number from 1e-06"),
        ("frame/std", -0.1, "frame.std is -0.1"),
        ("frame/std", float("inf"), "frame.std is inf"),
        ("frame/order", -1, "frame.order is -1, expected an integer from 0 to 512"),
        ("frame/order", 513, "frame.order is 513, expected an integer from 0 to 512"),
        ("frame/order", 2.0, "frame.order is 2.0, expected an integer"),
        ("frame/order", True, "frame.order is True, expected an integer"),
        ("frame/window", 2, "frame.window is 2, expected an integer from 3 to 65536"),
        ("frame/window", 1 << 17, "frame.window is 131072, expected an integer from 3 to 65536"),
        ("frame/window", None, "frame.window is None, expected an integer"),
        ("sizes/visible", 128, "sizes.visible is 128, expected an integer from 6 to 6"),
        ("sizes/hidden", MAX_WAVE_UNITS + 1, "sizes.hidden is 2049, expected an integer from 1 to 2048"),
        ("sizes/gains", REMOVED, "sizes.gains is missing"),
        ("sizes/gains", 0, "sizes.gains is 0, expected an integer from 1 to 256"),
        ("sizes/gains", 257, "sizes.gains is 257, expected an integer from 1 to 256"),
        ("sizes/gains", 2, r"tensors.outputs.gain_logits.shape is \[1, 3\], expected \[1, 2\]"),
        ("tensors/outputs/visible_bias", {}, "tensors.outputs.'visible_bias' is unknown"),
        ("tensors/outputs/visible_scale", REMOVED, "tensors.outputs.visible_scale is missing"),
        ("tensors/arrays/slab_precision", {}, "tensors.arrays.'slab_precision' is unknown"),
        ("tensors/arrays/initial_visible_mean/shape", [5], r"initial_visible_mean.shape is \[5\], expected \[6\]"),
    ],
)
def test_a_wrong_field_is_named(
    sound_folder: Path, field: str, value: Any, sentence: str, assert_refused: Refused, edit: Edit
):
    edit(sound_folder, field, value)
    assert_refused(sound_folder, re.escape(MANIFEST), sentence)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("initial_visible_scale", 0, r"initial_visible_scale\[0\] is 0.0, expected positive numbers, 9.54e-07 or more"),
        ("initial_visible_scale", -0.2, r"initial_visible_scale\[0\] is -0.2"),
        ("initial_visible_scale", MIN_SCALE / 2, r"initial_visible_scale\[0\] is 4.7683716e-07"),
        ("initial_visible_scale", np.nan, r"initial_visible_scale\[0\] is nan, expected finite numbers"),
        ("initial_visible_scale", np.inf, r"initial_visible_scale\[0\] is inf, expected finite numbers"),
        ("probe.visible_scale", 0, r"probe.visible_scale\[0, 0\] is 0.0, expected positive numbers"),
        ("probe.frame", np.nan, r"probe.frame\[0, 0\] is nan, expected finite numbers"),
        ("probe.visible_mean", np.inf, r"probe.visible_mean\[0, 0\] is inf"),
        ("gains", 0, r"gains\[0\] is 0.0, expected numbers from 0.000977 to 1024"),
        ("gains", -1, r"gains\[0\] is -1.0, expected numbers from 0.000977 to 1024"),
        ("gains", 1025, r"gains\[0\] is 1025.0"),
        ("gains", np.nan, r"gains\[0\] is nan, expected finite numbers"),
        ("initial_gain_logits", np.inf, r"initial_gain_logits\[0\] is inf, expected finite numbers"),
        ("slab_mean", np.nan, r"slab_mean\[0\] is nan"),
        ("weight", np.nan, r"weight\[0, 0\] is nan"),
        ("weight", 1.5, r"weight is of largest singular value s = 1.[0-9]+, expected below 1"),
        ("weight", 3e38, r"weight is of largest singular value s = 3[.0-9]*e\+38"),
    ],
)
def test_a_number_that_no_model_of_sound_has(
    sound_folder: Path, sound: Bundle, name: str, value: float, sentence: str, assert_refused: Refused, put: Put
):
    changed = {key: values.copy() for key, values in sound.arrays.items()}
    changed[name][(0,) * changed[name].ndim] = value
    put(sound_folder, ARRAYS, write_tensors(changed))
    assert_refused(sound_folder, re.escape(ARRAYS), sentence)


def test_each_column_may_be_short_and_the_weight_still_too_large(
    sound_folder: Path, sound: Bundle, assert_refused: Refused, put: Put
):
    """Five equal columns of length 0.5: s = 0.5 sqrt(5)."""
    weight = np.full((6, 5), 0.5 / 6**0.5, np.float32)
    put(sound_folder, ARRAYS, write_tensors({**sound.arrays, "weight": weight}))
    assert_refused(sound_folder, re.escape(ARRAYS), r"weight is of largest singular value s = 1.118034")


@pytest.mark.parametrize("frame", [-3.5, 0.25, 1e6])
def test_frames_of_the_probe_are_real(sound_folder: Path, sound: Bundle, frame: float, put: Put):
    changed = sound.arrays["probe.frame"].copy()
    changed[0, 0] = frame
    put(sound_folder, ARRAYS, write_tensors({**sound.arrays, "probe.frame": changed}))
    assert load(sound_folder).arrays["probe.frame"][0, 0] == np.float32(frame)


def test_arrays_of_the_other_kind(
    folder: Path, sound_folder: Path, bundle: Bundle, sound: Bundle, assert_refused: Refused, put: Put
):
    put(sound_folder, ARRAYS, write_tensors(bundle.arrays))
    assert_refused(sound_folder, re.escape(ARRAYS), "weight.shape is")
    put(folder, ARRAYS, write_tensors(sound.arrays))
    assert_refused(folder, re.escape(ARRAYS), "weight.shape is")
    extra = {**sound.arrays, "slab_precision": np.ones(5, np.float32)}
    put(sound_folder, ARRAYS, write_tensors(extra))
    assert_refused(sound_folder, re.escape(ARRAYS), "'slab_precision' is unknown")


def test_a_transition_of_the_other_kind(
    folder: Path, sound_folder: Path, bundle: Bundle, sound: Bundle, assert_refused: Refused, put: Put
):
    put(sound_folder, TRANSITION, bundle.transition)
    assert_refused(sound_folder, re.escape(TRANSITION))
    put(folder, TRANSITION, sound.transition)
    assert_refused(folder, re.escape(TRANSITION))


def with_node(transition: bytes, operator: str) -> bytes:
    model = onnx.ModelProto.FromString(transition)
    model.graph.node.append(helper.make_node(operator, ["state"], ["z"]))
    return model.SerializeToString()


@pytest.mark.parametrize("operator", ["Asinh", "Softplus"])
def test_two_operators_are_of_sound_alone(
    folder: Path,
    sound_folder: Path,
    bundle: Bundle,
    sound: Bundle,
    operator: str,
    assert_refused: Refused,
    put: Put,
):
    put(folder, TRANSITION, with_node(bundle.transition, operator))
    assert_refused(
        folder, re.escape(TRANSITION), f"the operator '{operator}', expected only Add, Concat, .*, Sub, Tanh"
    )
    put(sound_folder, TRANSITION, with_node(sound.transition, operator))
    assert load(sound_folder).manifest == sound.manifest


@pytest.mark.parametrize("operator", ["Exp", "Sinh", "Loop"])
def test_nothing_else_new_is(sound_folder: Path, sound: Bundle, operator: str, assert_refused: Refused, put: Put):
    put(sound_folder, TRANSITION, with_node(sound.transition, operator))
    expected = "expected only Add, Asinh, Concat, .*, Slice, Softplus, Split"
    assert_refused(sound_folder, re.escape(TRANSITION), f"the operator '{operator}', {expected}")


def test_save_refuses_what_load_would(sound: Bundle, tmp_path: Path):
    manifest, arrays = sound.manifest, sound.arrays
    wrong = {
        "'low' is unknown": dataclasses.replace(manifest, low=3),
        "frame.std is 1e-09": dataclasses.replace(manifest, frame=WaveSpec(8_000, 6, 0.0, 1e-9)),
        "frame.order is 2.0": dataclasses.replace(manifest, frame=WaveSpec(8_000, 6, order=2.0)),  # pyright: ignore[reportArgumentType]
        "sizes.visible is 6": dataclasses.replace(manifest, frame=WaveSpec(8_000, 7)),
        "low is missing": dataclasses.replace(manifest, frame=FrameSpec()),
    }
    for sentence, broken in wrong.items():
        with pytest.raises(BundleError, match=sentence):
            save(dataclasses.replace(sound, manifest=broken), tmp_path / "broken")
    more = dataclasses.replace(sound, arrays={**arrays, "initial_visible_bias": np.zeros(6, np.float32)})
    with pytest.raises(BundleError, match="'initial_visible_bias' is unknown"):
        save(more, tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


def test_the_largest_model_is_judged_before_its_memory_is_asked_for(
    sound_folder: Path, edit: Edit, peak_bytes: Callable[..., int]
):
    edit(sound_folder, "sizes/hidden", MAX_WAVE_UNITS)
    assert peak_bytes(sound_folder, "tensors.inputs.spike_slab.shape") < 1 << 20
