"""The probe: met by the runtime that it was recorded with, missed by any other."""

import numpy as np
import pytest

from cgrnn_bundle.bundle import Bundle, BundleError
from cgrnn_bundle.probe import Row, Transition, check_probe, record_probe


def spoil(run: Transition, output: int, change) -> Transition:
    """Return the runtime with one of its outputs changed."""

    def spoilt(frame: Row, spike_slab: Row, state: Row) -> tuple[Row, ...]:
        rows = list(run(frame, spike_slab, state))
        rows[output] = change(rows[output])
        return tuple(rows)

    return spoilt


def test_the_runtime_meets_its_own_probe(bundle: Bundle, run: Transition):
    check_probe(bundle, run)


def test_the_probe_is_that_of_its_seed(bundle: Bundle, run: Transition):
    manifest = bundle.manifest
    again = record_probe(run, bundle.arrays["initial_state"], "binary", manifest.sizes, manifest.probe)
    for name, values in again.items():
        np.testing.assert_array_equal(values, bundle.arrays[name])


def test_the_probe_exercises_every_input(bundle: Bundle):
    arrays = bundle.arrays
    assert 3 <= arrays["probe.frame"].sum() <= 30
    assert np.count_nonzero(arrays["probe.spike_slab"]) in range(2, arrays["probe.spike_slab"].size)
    assert np.ptp(arrays["probe.next_state"], axis=0).max() > 0.1


def test_the_steps_follow_one_another(bundle: Bundle, run: Transition):
    arrays = bundle.arrays
    next_state, _, _ = run(arrays["probe.frame"][1:2], arrays["probe.spike_slab"][1:2], arrays["probe.next_state"][:1])
    np.testing.assert_array_equal(next_state, arrays["probe.next_state"][1:2])


def test_rounding_passes(bundle: Bundle, run: Transition):
    """Another order of summing changes float32 sums of 900 terms by up to 3e-6, measured over 100,000 of them."""
    check_probe(bundle, spoil(run, 0, lambda row: row * np.float32(1 + 3e-6)))


@pytest.mark.parametrize(("output", "name"), [(0, "next_state"), (1, "visible_bias"), (2, "hidden_bias")])
def test_another_model_fails(bundle: Bundle, run: Transition, output: int, name: str):
    def nudge(row: Row) -> Row:
        row = row.copy()
        row[0, 2] += 0.01
        return row

    with pytest.raises(
        BundleError, match=f"transition.onnx: {name} at probe step 0, unit 2, is .*, expected .* within"
    ):
        check_probe(bundle, spoil(run, output, nudge))


def test_reduced_precision_fails(bundle: Bundle, run: Transition):
    """TF32 keeps 10 bits of the fraction: sums of 900 terms then differ by about 1e-3."""
    with pytest.raises(BundleError, match="visible_bias at probe step 0"):
        check_probe(bundle, spoil(run, 1, lambda row: row * np.float32(1 + 1e-3)))


def test_nan_fails(bundle: Bundle, run: Transition):
    with pytest.raises(BundleError, match="hidden_bias at probe step 0, unit 0, is nan"):
        check_probe(bundle, spoil(run, 2, lambda row: row * np.float32("nan")))


def test_another_shape_fails(bundle: Bundle, run: Transition):
    with pytest.raises(BundleError, match=r"next_state at probe step 0 has shape \(4,\), expected \(1, 4\)"):
        check_probe(bundle, spoil(run, 0, lambda row: row[0]))


def test_a_runtime_that_ignores_the_state_fails(bundle: Bundle, run: Transition):
    with pytest.raises(BundleError, match="next_state at probe step"):
        check_probe(bundle, lambda frame, spike_slab, state: run(frame, spike_slab, np.zeros_like(state)))
