"""The numbers in a bundle's arrays: those that no model has are refused (FORMAT.md, "Arrays")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.errors import fault
from cgrnn_bundle.layout import ARRAYS, MAX_GAIN, MIN_GAIN, MIN_GAP, MIN_SCALE, Kind
from cgrnn_bundle.tensorfile import Arrays


def check_parameters(kind: Kind, arrays: Arrays) -> None:
    """Raise BundleError, naming the tensor and the place, unless these are numbers that a model of the kind can have.

    arrays: all that `tensors_of` lists, in its shapes.
    """
    for name, values in arrays.items():
        _check_all(name, values, np.isfinite(values), "finite numbers")
    if kind == "binary":
        # The smallest normal number still has a finite inverse, the slab's variance.
        precision, frame = arrays["slab_precision"], arrays["probe.frame"]
        _check_all("slab_precision", precision, precision >= np.finfo(np.float32).tiny, "positive numbers")
        _check_all("probe.frame", frame, (frame == 0) | (frame == 1), "0 or 1")
        return
    for name in ("initial_visible_scale", "probe.visible_scale"):
        _check_all(name, arrays[name], arrays[name] >= MIN_SCALE, f"positive numbers, {MIN_SCALE:.3g} or more")
    is_gain = (arrays["gains"] >= MIN_GAIN) & (arrays["gains"] <= MAX_GAIN)
    _check_all("gains", arrays["gains"], is_gain, f"numbers from {MIN_GAIN:.3g} to {MAX_GAIN:g}")
    _check_gap(arrays["weight"])


def largest_singular_value(weight: NDArray[np.float32]) -> float:
    """Return that of W (visible, hidden), in float64: right to about 1e-12 for one near 1."""
    wide = weight.astype(np.float64)
    gram = wide @ wide.T if len(wide) < wide.shape[1] else wide.T @ wide
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(gram)[-1])))


def _check_gap(weight: NDArray[np.float32]) -> None:
    """Refuse a W with which frames have no distribution: with every spike on, their precision is I - W W'."""
    largest = largest_singular_value(weight)
    if not 1 - largest**2 >= MIN_GAP:
        limit = f"below 1, by so much that 1 - s^2 >= {MIN_GAP:.3g}, for I - W W' to be positive definite"
        raise fault(f"{ARRAYS}: weight", f"of largest singular value s = {largest:.9g}", limit)


def _check_all(name: str, values: NDArray[np.float32], is_good: NDArray[np.bool_], expected: str) -> None:
    if not is_good.all():
        index = np.unravel_index(int(np.argmin(is_good)), is_good.shape)
        place = ", ".join(str(int(i)) for i in index)
        raise fault(f"{ARRAYS}: {name}[{place}]", str(values[index]), expected)
