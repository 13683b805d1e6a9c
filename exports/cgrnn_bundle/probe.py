"""The probe: a few steps of the transition with the outputs that training got, replayed wherever the model is loaded.

Step k feeds the stored state of step k - 1 (of step 0: the initial state), so that rounding does not add up over steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.bundle import Bundle
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.layout import TRANSITION, Kind, Sizes, tensors_of
from cgrnn_bundle.manifest import Probe
from cgrnn_bundle.tensorfile import Arrays

Row = NDArray[np.float32]
Transition = Callable[[Row, Row, Row], tuple[Row, ...]]
"""(frame (1, V), spike_slab (1, H), state (1, U)) -> the outputs, each (1, ·), in the order of `Tensors.outputs`."""

_NOTES = 4
"""Pitches that sound on average in a drawn frame."""


def record_probe(run: Transition, initial_state: Row, kind: Kind, sizes: Sizes, probe: Probe) -> Arrays:
    """Return the arrays `probe.*` (steps, ·): inputs drawn with the probe's seed, outputs as `run` gives them.

    initial_state: (U,). Binary frames hold about four of the pitches, continuous ones are standard normal; a spike is
    on with probability 1/2 and its slab is standard normal.
    """
    rng = np.random.default_rng(probe.seed)
    shape = (probe.steps, sizes.visible)
    frame = rng.random(shape) < _NOTES / sizes.visible if kind == "binary" else rng.standard_normal(shape)
    spike = rng.random((probe.steps, sizes.hidden)) < 0.5
    inputs = {
        "frame": frame.astype(np.float32),
        "spike_slab": (spike * rng.standard_normal((probe.steps, sizes.hidden))).astype(np.float32),
    }
    rows: list[tuple[Row, ...]] = []
    state = initial_state[np.newaxis]
    for step in range(probe.steps):
        rows.append(run(inputs["frame"][step : step + 1], inputs["spike_slab"][step : step + 1], state))
        state = rows[-1][0]
    names = tensors_of(kind, sizes, probe.steps).outputs
    outputs = {name: np.concatenate(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return {f"probe.{name}": values.astype(np.float32) for name, values in {**inputs, **outputs}.items()}


def check_probe(bundle: Bundle, run: Transition) -> None:
    """Replay the bundle's probe with `run`; BundleError where an output x is further than tolerance · max(1, |x|).

    A scale, positive and perhaps small, may be no further than tolerance · x.
    """
    arrays, probe = bundle.arrays, bundle.manifest.probe
    state = arrays["initial_state"][np.newaxis]
    for step in range(probe.steps):
        rows = slice(step, step + 1)
        outputs = run(arrays["probe.frame"][rows], arrays["probe.spike_slab"][rows], state)
        for name, found in zip(bundle.manifest.tensors.outputs, outputs, strict=True):
            expected = arrays[f"probe.{name}"][rows]
            unit = np.abs(expected) if name == "visible_scale" else np.maximum(1.0, np.abs(expected))
            _check_row(f"{name} at probe step {step}", found, expected, unit, probe.tolerance)
        state = arrays["probe.next_state"][rows]


def _check_row(where: str, found: Row, expected: Row, unit: Row, tolerance: float) -> None:
    """Hold one output, (1, units), against the stored one; the error is counted in `unit`, (1, units)."""
    if found.shape != expected.shape:
        raise BundleError(f"{TRANSITION}: {where} has shape {found.shape}, expected {expected.shape}: export it again")
    error = np.abs(found.astype(np.float64) - expected) / unit
    if not (error <= tolerance).all():  # so that NaN fails
        worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
        raise BundleError(
            f"{TRANSITION}: {where}, unit {worst}, is {found[0, worst]}, expected {expected[0, worst]} within "
            f"{tolerance:g}: this runtime computes another model; update onnxruntime or export the bundle again"
        )
