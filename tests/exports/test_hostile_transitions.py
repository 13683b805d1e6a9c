"""Wrong transitions, under a hash that fits: what the runtime would do is refused before it is asked."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from cgrnn_bundle.layout import TRANSITION

Refused = Callable[..., None]
Put = Callable[[Path, str, bytes], None]


def test_foreign_files_for_the_transition(
    folder: Path, transition: bytes, assert_refused: Refused, put: Put, foreign: dict[str, bytes]
):
    for data in [*foreign.values(), transition[:-1], transition[:200], b"\x08" + b"\xff" * 40]:
        put(folder, TRANSITION, data)
        assert_refused(folder, re.escape(TRANSITION))


def changed_model(transition: bytes, change: Callable[[onnx.ModelProto], None]) -> bytes:
    model = onnx.ModelProto.FromString(transition)
    change(model)
    return model.SerializeToString()


def make_external(tensor: onnx.TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "secret.bin"), ("offset", "0")):
        tensor.external_data.add(key=key, value=value)


def external_weight(model: onnx.ModelProto) -> None:
    make_external(model.graph.initializer[0])


def external_constant(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros((1, 4), np.float32), "c")
    make_external(tensor)
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def external_constant_in_a_branch(model: onnx.ModelProto) -> None:
    """Under an operator that has no branches: a runtime may look there all the same."""
    external_constant(model)
    branch = helper.make_graph([model.graph.node.pop()], "branch", [], [])
    model.graph.node.append(helper.make_node("Identity", ["state"], ["z"], branch=branch))


def endless_loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([helper.make_node("Identity", ["is_on"], ["stays_on"])], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["trips", "is_on", "state"], ["next_state"], body=body))


def operator_in_a_branch(model: onnx.ModelProto) -> None:
    branch = helper.make_graph([helper.make_node("RandomNormal", [], ["c"], shape=[1])], "branch", [], [])
    model.graph.node.append(helper.make_node("Identity", ["state"], ["z"], branch=branch))


def long_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = 100_000 * "Add"


def external_weight_without_a_place(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def runtime_format(model: onnx.ModelProto) -> None:
    model.producer_name = "ORTM"  # which puts these letters at byte 4


def custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[2].domain = "com.microsoft"


def function(model: onnx.ModelProto) -> None:
    model.functions.add(name="f", domain="evil")


def training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.name = "a"


def extra_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("path", TensorProto.FLOAT, [1, 2]))


def input_twice(model: onnx.ModelProto) -> None:
    model.graph.input.append(model.graph.input[0])


def long_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.extend(onnx.TensorShapeProto.Dimension() for _ in range(40_000))


def no_output(model: onnx.ModelProto) -> None:
    del model.graph.output[1]


def wide_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 10**10


def any_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def double_state(model: onnx.ModelProto) -> None:
    model.graph.input[2].type.tensor_type.elem_type = TensorProto.DOUBLE


def many_nodes(model: onnx.ModelProto) -> None:
    model.graph.node.extend([helper.make_node("Identity", ["state"], ["state"])] * 40_000)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (external_weight, "a model with external data, expected one closed in itself"),
        (external_weight_without_a_place, "a model with external data"),
        (runtime_format, "a file that starts with b'.*ORTM', expected an ONNX model"),
        (external_constant, "a model with external data"),
        (external_constant_in_a_branch, "a model with external data"),
        (endless_loop, "a model with the operator 'Loop', expected only Add, Concat, .*, Tanh"),
        (operator_in_a_branch, "a model with the operator 'RandomNormal'"),
        (long_operator, r"a model with the operator 'AddAddAdd[A-Za-z]*\.\.\., expected only Add"),
        (custom_operator, "an operator of another domain"),
        (function, "a model with a function"),
        (training, "a model with training information"),
        (extra_input, "input 'path' is unknown or there twice, expected only those before it"),
        (input_twice, "input 'frame' is unknown or there twice"),
        (long_input, "an input is 80... bytes long, expected at most 65536"),
        (no_output, "'visible_bias' is missing, expected an input or output of that name"),
        (wide_input, r"input 'frame' is of shape \[1, 10000000000\], expected \[1, 128\]"),
        (any_batch, r"input 'frame' is of shape \[128\], expected \[1, 128\]"),
        (double_state, r"'state' is of ONNX type \[11\], expected float32"),
        (many_nodes, "more than 131072 fields"),
    ],
)
def test_a_transition_with_more_or_less_than_agreed(
    folder: Path,
    transition: bytes,
    change: Callable[[onnx.ModelProto], None],
    sentence: str,
    assert_refused: Refused,
    put: Put,
):
    put(folder, TRANSITION, changed_model(transition, change))
    assert_refused(folder, re.escape(TRANSITION), sentence)


def test_external_data_would_be_read_by_the_runtime(transition: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Why the loader looks inside: a session made from bytes still opens files of the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 135 * 4))
    model = changed_model(transition, external_weight)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = {info.name: np.ones(info.shape, np.float32) for info in session.get_inputs()}
    assert not np.asarray(session.run(["next_state"], inputs)[0]).any(), "the weights are the file's zeros"
