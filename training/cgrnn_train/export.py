"""From a run to a bundle: the transition through PyTorch's ONNX exporter, the C-ssRBM as arrays, both held against
PyTorch.

The exporter refuses to write unless ONNX Runtime follows PyTorch's own transition over 100 fed-back steps, and
numpy's conditionals (those of the instrument's sampler, written out here once more: of spikes, of slabs in their mean
feed, and of pitches) agree with PyTorch's.
"""

from __future__ import annotations

import datetime
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cgrnn_bundle import __version__
from cgrnn_bundle.bundle import Bundle, Manifest, Metric, Probe, Sizes, Training, save
from cgrnn_bundle.probe import record_probe
from cgrnn_train.data.packed import as_rolls
from cgrnn_train.data.store import DataSet
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.hidden_units import UnitSlabs
from cgrnn_train.origin import read_command
from cgrnn_train.run import load_cgrnn

STEPS = 100
TOLERANCE = 1e-4
"""Largest difference, relative to max(1, |value|): float32 sums of 650 terms in another order, over 100 steps."""

Row = NDArray[np.float32]


class ExportError(ValueError):
    """A run that cannot become a bundle: what disagrees, by how much, and the fix."""


class Transition(nn.Module):
    """One step of a CGRNN's recurrence with its heads, each product in the layout that a single row reads fastest.

    ``frame`` (1, visible), ``spike_slab`` (1, hidden), ``state`` (1, state) → ``next_state`` (1, state),
    ``visible_bias`` (1, visible), ``hidden_bias`` (1, hidden).
    """

    input_weight: Tensor
    state_weight: Tensor
    head_weight: Tensor
    head_bias: Tensor
    input_bias: Tensor
    state_bias: Tensor

    def __init__(self, model: CGRNN) -> None:
        super().__init__()
        rbm = model.rbm
        self.mlp = model.mlp
        self.state = model.config.state
        self.visible = model.config.visible
        self.reads_frame = model.config.mode != "S"
        feed = model.feed_weight if model.config.mode != "D" else torch.zeros(3 * self.state, model.config.hidden)
        with torch.no_grad():
            self.register_buffer("input_weight", torch.cat([model.frame_weight, feed], dim=1).T.contiguous())
            self.register_buffer("state_weight", model.state_weight.T.contiguous())
            assert rbm.visible_modulation is not None  # only RNN-ssRBM has none
            heads = torch.cat([rbm.visible_modulation.weight, rbm.hidden_modulation.weight])
            self.register_buffer("head_weight", heads.T.contiguous())
            self.register_buffer("head_bias", torch.cat([rbm.visible_bias, rbm.folded_hidden_bias()]))
            self.register_buffer("input_bias", model.input_bias.clone())
            self.register_buffer("state_bias", model.state_bias.clone())

    def forward(self, frame: Tensor, spike_slab: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step; see the class."""
        seen = torch.cat([self.mlp(frame), spike_slab], dim=1) if self.reads_frame else spike_slab
        g = seen @ self.input_weight + self.input_bias
        z = state @ self.state_weight + self.state_bias
        size = self.state
        reset, update = torch.sigmoid(g[:, : 2 * size] + z[:, : 2 * size]).split(size, dim=1)
        candidate = torch.tanh(g[:, 2 * size :] + reset * z[:, 2 * size :])
        next_state = candidate + update * (state - candidate)
        heads = next_state @ self.head_weight + self.head_bias
        return next_state, heads[:, : self.visible], heads[:, self.visible :]


def export(
    run: Path,
    path: Path,
    data: DataSet,
    *,
    name: str,
    metrics: Path | None = None,
    card: Path | None = None,
    temperature: float = 1.0,
    sweeps: int = 25,
) -> None:
    """Write run folder ``run`` as the bundle ``path``.

    Args:
        run: a trained CGRNN.
        path: the bundle, a folder or a .zip.
        data: what it was trained on; frame spec, source, licence and pitch range go into the manifest.
        name: of the bundle.
        metrics: a JSON list of objects with name, value, kind, data, command.
        card: the model card, Markdown.
        temperature: the bundle's default.
        sweeps: the bundle's default.

    Raises:
        RunError: the run is not a finished CGRNN.
        DataError: the data set is none of piano rolls.
        ExportError: PyTorch, ONNX Runtime and numpy disagree.
        BundleError: the bundle would not load.
    """
    config, model = load_cgrnn(run)
    rolls = as_rolls(data, "a bundle with pitches")
    transition = transition_onnx(model)
    execute = _runner(transition)
    check_agreement(model, execute)
    slabs = model.rbm.slabs()
    initial = model.initial_state[None]
    visible_bias, hidden_bias = model.rbm.conditionals(initial)
    sizes = Sizes(visible=model.config.visible, hidden=model.config.hidden, state=model.config.state)
    probe = Probe()
    arrays = {
        "weight": _array(slabs.weight),
        "slab_precision": _array(slabs.precision),
        "slab_mean": _array(slabs.mean),
        "initial_state": _array(model.initial_state),
        "initial_visible_bias": _array(visible_bias[0]),
        "initial_hidden_bias": _array(hidden_bias[0]),
    }
    arrays |= record_probe(execute, arrays["initial_state"], sizes, probe)
    pitches = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(rolls.packed, axis=0)))
    manifest = Manifest(
        name=name,
        frame=rolls.spec,
        sizes=sizes,
        feed=cast(Any, {"D": "deterministic", "S": "stochastic", "full": "full"}[model.config.mode]),
        spike_slab_feed=model.config.feed,
        low=int(pitches[0]),
        high=int(pitches[-1]),
        temperature=temperature,
        sweeps=sweeps,
        training=Training(
            data=str(data.meta["source"]),
            licence=str(data.meta["licence"]),
            command=read_command(run) or "",
            seed=config.fit.seed,
            date=datetime.date.today().isoformat(),
            version=__version__,
        ),
        metrics=_metrics(metrics),
        probe=probe,
    )
    save(Bundle(manifest, transition, arrays, card.read_text(encoding="utf-8") if card else None), path)


def transition_onnx(model: CGRNN) -> bytes:
    """The transition of ``model`` as a self-contained ONNX file."""
    config = model.config
    inputs = (torch.zeros(1, config.visible), torch.zeros(1, config.hidden), torch.zeros(1, config.state))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else it misses torchvision, which nothing needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            Transition(model).eval(),
            inputs,
            input_names=["frame", "spike_slab", "state"],
            output_names=["next_state", "visible_bias", "hidden_bias"],
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for node in proto.graph.node:  # stack traces with this machine's paths
        del node.metadata_props[:]
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
    return proto.SerializeToString()


def check_agreement(model: CGRNN, execute: Callable[[Row, Row, Row], tuple[Row, Row, Row]], *, seed: int = 0) -> None:
    """Raise `ExportError` unless ``execute`` follows the model for 100 steps, and numpy's conditionals are PyTorch's.

    The 100 steps go through the *training* code (`CGRNN.states`), not through the exported module.
    """
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    frames = (torch.rand(1, STEPS + 1, config.visible, generator=generator) < 4 / config.visible).float()
    with torch.no_grad():
        states = model.states(frames, feed="mean")[0]
        visible_bias, hidden_bias = model.rbm.conditionals(states)
        slabs = model.rbm.slabs()
        state = _array(states[:1])
        for step in range(STEPS):
            drive, logits = UnitSlabs.of(slabs).spike_logits(frames[0, step], hidden_bias[step])
            feed = torch.sigmoid(logits) * drive * slabs.precision.rsqrt()
            _check_conditionals(slabs, frames[0, step], hidden_bias[step], _array(logits), _array(feed))
            pitch_logits = UnitSlabs.of(slabs).pitch_logits(feed * slabs.precision.sqrt(), visible_bias[step])
            _check_pitches(slabs, _array(feed), visible_bias[step], _array(pitch_logits))
            state, visible, hidden = execute(_array(frames[:, step]), _array(feed[None]), state)
            for what, found, expected in (
                ("state", state, states),
                ("visible bias", visible, visible_bias),
                ("hidden bias", hidden, hidden_bias),
            ):
                _compare(f"ONNX Runtime's {what} at step {step}", found[0], _array(expected[step + 1]))


def _check_conditionals(slabs: Any, frame: Tensor, hidden_bias: Tensor, logits: Row, feed: Row) -> None:
    """Numpy's η and E[h∘s | v, u], from the equations as FORMAT.md gives them, against PyTorch's unit-slab form."""
    weight, precision, mean = (_array(tensor).astype(np.float64) for tensor in slabs)
    drive = _array(frame) @ weight  # a
    eta = drive**2 / (2 * precision) + mean * drive + _array(hidden_bias)
    _compare("numpy's spike logits", logits, eta)
    _compare("numpy's mean feed", feed, (mean + drive / precision) / (1 + np.exp(-eta)))


def _check_pitches(slabs: Any, feed: Row, visible_bias: Tensor, logits: Row) -> None:
    """Numpy's logits of p(v | s, h) at s∘h = ``feed``, as FORMAT.md gives them, against PyTorch's unit-slab form."""
    weight = _array(slabs.weight).astype(np.float64)
    _compare("numpy's pitch logits", logits, weight @ feed + _array(visible_bias))


def _compare(what: str, found: NDArray[Any], expected: NDArray[Any]) -> None:
    error = float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))
    if not error <= TOLERANCE:
        raise ExportError(
            f"{what} differ from PyTorch's by {error:.2g} (relative), expected at most {TOLERANCE:g}; "
            "the bundle was not written: check the versions of torch, onnx and onnxruntime"
        )


def _runner(transition: bytes) -> Callable[[Row, Row, Row], tuple[Row, Row, Row]]:
    session = ort.InferenceSession(transition, providers=["CPUExecutionProvider"])

    def execute(frame: Row, spike_slab: Row, state: Row) -> tuple[Row, Row, Row]:
        outputs = session.run(None, {"frame": frame, "spike_slab": spike_slab, "state": state})
        return cast(tuple[Row, Row, Row], tuple(outputs))

    return execute


def _array(tensor: Tensor) -> Row:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)


def _metrics(path: Path | None) -> tuple[Metric, ...]:
    if path is None:
        return ()
    try:
        return tuple(Metric(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ExportError(
            f"{path} is not a list of metrics ({error}); expected JSON objects with name, value, kind, data, command"
        ) from None
