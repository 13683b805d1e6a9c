"""A CGRNN's recurrence as a bundle carries it: one step for a single row, in PyTorch and as ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import cast

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from cgrnn_bundle.layout import Sizes, Tensors, tensors_of
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.continuous import LEAST_SCALE
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM

Row = NDArray[np.float32]
Execute = Callable[[Row, Row, Row], tuple[Row, ...]]
"""(frame, spike_slab, state), (1, ·) each -> the outputs, (1, ·) each, in the order of `Tensors.outputs`."""

RAW_SCALE = "raw_scale"
"""Λ₀ + U₁ u, in the place of d = 10⁻³ + softplus(Λ₀ + U₁ u)."""


class Transition(nn.Module):
    """One step of a CGRNN's recurrence with its heads, each product in the layout that a single row reads fastest.

    ``frame`` (1, visible), ``spike_slab`` (1, hidden), ``state`` (1, state) → the next state (1, state) and what it
    implies: b̃_v (1, visible) and b̃_h (1, hidden), or, over sound, c (1, visible), `RAW_SCALE` (1, visible), b̃_h and the
    gains' logits (1, gains).
    """

    input_weight: Tensor
    state_weight: Tensor
    head_weight: Tensor
    head_bias: Tensor
    input_bias: Tensor
    state_bias: Tensor

    def __init__(self, model: CGRNN) -> None:
        super().__init__()
        self.mlp = model.mlp
        self.state = model.config.state
        self.reads_frame = model.config.mode != "S"
        self.compands = model.config.kind == "continuous"
        feed = model.feed_weight if model.config.mode != "D" else torch.zeros(3 * self.state, model.config.hidden)
        weights, biases = _heads(model)
        self.head_sizes = [len(bias) for bias in biases]
        with torch.no_grad():
            self.register_buffer("input_weight", torch.cat([model.frame_weight, feed], dim=1).T.contiguous())
            self.register_buffer("state_weight", model.state_weight.T.contiguous())
            self.register_buffer("head_weight", torch.cat(weights).T.contiguous())
            self.register_buffer("head_bias", torch.cat(biases))
            self.register_buffer("input_bias", model.input_bias.clone())
            self.register_buffer("state_bias", model.state_bias.clone())

    def forward(self, frame: Tensor, spike_slab: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """One step; see the class."""
        feed = torch.asinh(spike_slab) if self.compands else spike_slab
        seen = torch.cat([self.mlp(frame), feed], dim=1) if self.reads_frame else feed
        g = seen @ self.input_weight + self.input_bias
        z = state @ self.state_weight + self.state_bias
        size = self.state
        reset, update = torch.sigmoid(g[:, : 2 * size] + z[:, : 2 * size]).split(size, dim=1)
        candidate = torch.tanh(g[:, 2 * size :] + reset * z[:, 2 * size :])
        next_state = candidate + update * (state - candidate)
        heads = next_state @ self.head_weight + self.head_bias
        return next_state, *heads.split(self.head_sizes, dim=1)


def _heads(model: CGRNN) -> tuple[list[Tensor], list[Tensor]]:
    """Return the weights (numbers, state) and the biases (numbers,) of what u implies, in the outputs' order."""
    rbm = model.rbm
    hidden = rbm.hidden_modulation
    if not isinstance(rbm, ContinuousCSSRBM):
        assert rbm.visible_modulation is not None  # only RNN-ssRBM has none
        return [rbm.visible_modulation.weight, hidden.weight], [rbm.visible_bias, rbm.folded_hidden_bias()]
    visible, scale, gain = rbm.mean_weight(), rbm.scale_modulation, rbm.gain_modulation
    assert visible is not None
    assert scale is not None
    gain_weight = hidden.weight.new_zeros(1, model.config.state) if gain is None else gain.weight
    gain_bias = hidden.weight.new_zeros(1) if gain is None else gain.bias
    return (
        [visible, scale.weight, hidden.weight, gain_weight],
        [rbm.visible_bias, rbm.scale_bias, rbm.hidden_bias, gain_bias],
    )


def bundle_tensors(model: CGRNN, probe_steps: int) -> Tensors:
    """Return the names and shapes of a bundle of ``model``."""
    return tensors_of(model.config.kind, sizes_of(model), probe_steps)


def sizes_of(model: CGRNN) -> Sizes:
    """Return the sizes of ``model`` as a bundle names them."""
    config = model.config
    gains = config.gains if config.kind == "continuous" else None
    return Sizes(visible=config.visible, hidden=config.hidden, state=config.state, gains=gains)


def transition_onnx(model: CGRNN) -> bytes:
    """The transition of ``model`` as a self-contained ONNX file."""
    tensors = bundle_tensors(model, 1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else it misses torchvision, which nothing needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            Transition(model).eval(),
            tuple(torch.zeros(shape) for shape in tensors.inputs.values()),
            input_names=list(tensors.inputs),
            output_names=[RAW_SCALE if name == "visible_scale" else name for name in tensors.outputs],
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    if "visible_scale" in tensors.outputs:
        _add_scale(proto.graph)
    for node in proto.graph.node:  # stack traces with this machine's paths
        del node.metadata_props[:]
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
    return proto.SerializeToString()


def _add_scale(graph: onnx.GraphProto) -> None:
    """Put d in the place of the output `RAW_SCALE`.

    By hand: PyTorch's exporter makes of its softplus, which is linear from 20 on, three operators, two of which no
    bundle needs. ONNX's differs from it by 2·10⁻⁹ at most.
    """
    graph.initializer.append(helper.make_tensor("least_scale", TensorProto.FLOAT, [1], [LEAST_SCALE]))
    graph.node.append(helper.make_node("Softplus", [RAW_SCALE], ["scale_above_least"]))
    graph.node.append(helper.make_node("Add", ["scale_above_least", "least_scale"], ["visible_scale"]))
    for output in graph.output:
        if output.name == RAW_SCALE:
            output.name = "visible_scale"


def runner(transition: bytes) -> Execute:
    """Return an ONNX transition as a function, on ONNX Runtime."""
    session = ort.InferenceSession(transition, providers=["CPUExecutionProvider"])

    def execute(frame: Row, spike_slab: Row, state: Row) -> tuple[Row, ...]:
        outputs = session.run(None, {"frame": frame, "spike_slab": spike_slab, "state": state})
        return cast(tuple[Row, ...], tuple(outputs))

    return execute


def as_array(tensor: Tensor) -> Row:
    """Return a float32 copy of ``tensor`` for numpy."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)
