"""Whether what a bundle computes is what was trained: ONNX Runtime's transition and numpy's conditionals, held against
PyTorch's.

PyTorch computes in float64 here: in float32 a loud frame's gain would hang on its own rounding.

Numpy's are those of the instrument's samplers, written out here once more from the equations as FORMAT.md gives them:
of spikes, of slabs in their mean feed, and of pitches or, over sound, of x given the spikes.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.conditional import Conditionals
from cgrnn_train.models.continuous import WaveConditionals
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.cssrbm import BinaryCSSRBM
from cgrnn_train.models.hidden_units import UnitSlabs
from cgrnn_train.models.wave_units import WaveSlabs, raw_of
from cgrnn_train.transition import Execute, Row, as_array, bundle_tensors

STEPS = 100
TOLERANCE = 1e-4
"""Largest difference, relative to max(1, |value|): float32 sums of 650 terms in another order, over 100 steps."""

Numbers = NDArray[Any]


class ExportError(ValueError):
    """A run that cannot become a bundle: what disagrees, by how much, and the fix."""


def check_agreement(model: CGRNN, execute: Execute, arrays: dict[str, Row], *, seed: int = 0) -> None:
    """Raise `ExportError` unless ``execute`` follows the model for 100 steps, and numpy's conditionals are PyTorch's.

    The 100 steps go through the *training* code (`CGRNN.states`), not through the exported module.

    Args:
        model: in evaluation mode.
        execute: the transition that is to be exported.
        arrays: the model's, as they are to be exported.
        seed: of the frames that are heard: of binary ones a few pitches each, of sound what the model itself plays.
    """
    model = copy.deepcopy(model).double()
    names = [name.replace("_", " ").replace("next ", "") for name in bundle_tensors(model, 1).outputs]
    rbm = model.rbm
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        frames = _played(model, rbm) if isinstance(rbm, ContinuousCSSRBM) else _pitches(model)
        states = model.states(frames[None], feed="mean")[0]
        implied: Conditionals = rbm.conditionals(states)
        state = as_array(states[:1])
        for step in range(STEPS):
            given = tuple(tensor[step : step + 1] for tensor in implied)
            frame = frames[step : step + 1]
            if isinstance(rbm, ContinuousCSSRBM):
                feed = _wave_feed(rbm, arrays, frame, WaveConditionals(*given))
            else:
                feed = _pitch_feed(rbm, frame[0], *(tensor[0] for tensor in given))[None]
            outputs = execute(as_array(frame), as_array(feed), state)
            state = outputs[0]
            for name, found, tensor in zip(names, outputs, (states, *implied), strict=True):
                expected = as_array(tensor[step + 1])
                unit = expected if name == "visible scale" else np.maximum(1, np.abs(expected))
                _compare(f"ONNX Runtime's {name} at step {step}", found[0], expected, unit)


def _pitches(model: CGRNN) -> Tensor:
    """Frames of about four pitches, (steps + 1, visible)."""
    return (torch.rand(STEPS + 1, model.config.visible) < 4 / model.config.visible).double()


def _played(model: CGRNN, rbm: ContinuousCSSRBM) -> Tensor:
    """Frames as the model draws them when it hears itself, (steps + 1, visible)."""
    state, frame = model.initial()[None], model.initial().new_zeros(1, model.config.visible)
    frames: list[Tensor] = []
    for _ in range(STEPS + 1):
        frame = rbm.draw(frame, rbm.conditionals(state), sweeps=2)
        state = model.advance(state, frame)
        frames.append(frame[0])
    return torch.stack(frames)


def _pitch_feed(rbm: BinaryCSSRBM, frame: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """Return E[h∘s | v, u], (hidden,), after holding numpy's conditionals against PyTorch's unit-slab form."""
    slabs = rbm.slabs()
    units = UnitSlabs.of(slabs)
    drive, logits = units.spike_logits(frame, hidden_bias)
    feed = torch.sigmoid(logits) * drive * slabs.precision.rsqrt()
    pitch_logits = units.pitch_logits(feed * slabs.precision.sqrt(), visible_bias)

    weight, precision, mean = (as_array(tensor).astype(np.float64) for tensor in slabs)
    pulled = as_array(frame) @ weight  # a
    eta = pulled**2 / (2 * precision) + mean * pulled + as_array(hidden_bias)
    _compare("numpy's spike logits", as_array(logits), eta)
    _compare("numpy's mean feed", as_array(feed), (mean + pulled / precision) / (1 + np.exp(-eta)))
    _compare("numpy's pitch logits", as_array(pitch_logits), weight @ as_array(feed) + as_array(visible_bias))
    return feed


def _wave_feed(rbm: ContinuousCSSRBM, arrays: dict[str, Row], frame: Tensor, given: WaveConditionals) -> Tensor:
    """Return E[h∘s | v, u], (1, hidden), after holding numpy's conditionals against PyTorch's; ``frame`` (1, visible).

    y is a sum of terms of the size of x, which may be a thousand: its error is counted in that.
    """
    units = rbm.units()
    at = rbm.at_gains(units, frame, given)
    feed = rbm.mean_hidden(units, frame, given)

    weight, offset, gains = (arrays[name].astype(np.float64) for name in ("weight", "slab_mean", "gains"))
    mean, scale, bias, gain_logits = (as_array(tensor[0]).astype(np.float64) for tensor in given)
    x = (as_array(frame[0]) - mean) / scale / gains[:, None]  # (gains, visible)
    y = x @ weight + offset
    eta = y**2 / 2 - offset**2 / 2 + bias
    unit = np.maximum(1, np.abs(x).max(1, keepdims=True)) * np.maximum(1, np.abs(y))  # (gains, hidden)
    _compare("numpy's spike logits", as_array(at.logits[0]), eta, unit)
    log_weight = np.logaddexp(0, eta).sum(1) - 0.5 * np.square(x).sum(1) - len(mean) * np.log(gains)
    log_weight += gain_logits - np.logaddexp.reduce(gain_logits)
    _compare("numpy's weight of a gain", as_array(at.log_weight[0]), log_weight, unit.max(1))
    # Of the gains that PyTorch finds: where two are alike, a rounding of large numbers tips the scale.
    share = torch.softmax(at.log_weight[0], 0).numpy()
    _compare("numpy's mean feed", as_array(feed[0]), share @ (y * (0.5 + 0.5 * np.tanh(eta / 2))), share @ unit)

    eta = eta[int(share.argmax())]
    spikes = eta > 0  # x | h where h is likely, of W as it is exported: rounding is no disagreement
    exported = WaveSlabs(raw_of(torch.from_numpy(weight)), torch.from_numpy(offset))
    expected = exported.given_spikes(torch.from_numpy(spikes.astype(np.float64))[None]).mean[0].numpy()
    active = weight[:, spikes]
    found = active @ np.linalg.solve(np.eye(active.shape[1]) - active.T @ active, offset[spikes])
    _compare("numpy's frame given the spikes", found, expected)
    return feed


def _compare(what: str, found: Numbers, expected: Numbers, unit: Numbers | None = None) -> None:
    """Raise `ExportError` unless they differ by `TOLERANCE` at most, in units of max(1, |expected|) or ``unit``."""
    error = float(np.max(np.abs(found - expected) / (np.maximum(1, np.abs(expected)) if unit is None else unit)))
    if not error <= TOLERANCE:
        raise ExportError(
            f"{what} differ from PyTorch's by {error:.2g} (relative), expected at most {TOLERANCE:g}; "
            "the bundle was not written: check the versions of torch, onnx and onnxruntime"
        )
