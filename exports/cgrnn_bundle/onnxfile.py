"""The ONNX file: read just far enough to know that it is one, closed in itself, with the agreed operators and ends.

A runtime given a model's bytes still opens the files that the model names as "external data", in the current folder,
and custom operators can name files too. So the loader walks the protobuf (https://protobuf.dev/programming-guides/encoding)
through every graph and tensor and refuses both, and every operator that a recurrent step does not need: a loop could
run for ever. Field numbers are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cgrnn_bundle.errors import fault, shown
from cgrnn_bundle.layout import MAX_ONNX_FIELDS, MAX_VALUE_INFO_BYTES, TRANSITION, Shapes, Tensors

_FLOAT = 1  # TensorProto.DataType
_MODEL_GRAPH, _GRAPH_INPUT, _GRAPH_OUTPUT = 7, 11, 12
_NODE_OPERATOR = 4
_MESSAGES = {  # the messages that can hold a tensor or a node, at any depth: field number -> its message
    "model": {_MODEL_GRAPH: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_FORBIDDEN = {  # values that a field must not have, beyond nothing at all
    ("model", 20): "training information",
    ("model", 25): "a function",
    ("node", 7): "an operator of another domain than ONNX's own",
    ("tensor", 13): "external data",
    ("tensor", 14): "external data",
}

Value = int | memoryview


def check_transition(data: bytes, tensors: Tensors, operators: Sequence[str]) -> None:
    """Raise BundleError unless `data` is an ONNX model, closed in itself, of the operators, with these float32 ends."""
    # A model starts with its ir_version, field 1. "ORTM" marks ONNX Runtime's own format, which is not walked here.
    if data[:1] != b"\x08" or data[4:8] == b"ORTM":
        raise fault(TRANSITION, f"a file that starts with {shown(data[:8])}", "an ONNX model")
    # What is left to be found of the main graph's inputs and outputs.
    missing = {_GRAPH_INPUT: dict(tensors.inputs), _GRAPH_OUTPUT: dict(tensors.outputs)}
    left = MAX_ONNX_FIELDS
    stack = [("model", memoryview(data), True)]  # with whether it is the model or its main graph
    while stack:
        message, content, is_main = stack.pop()
        for number, value in _fields(content):
            if (left := left - 1) < 0:
                raise fault(TRANSITION, f"of more than {MAX_ONNX_FIELDS} fields", "at most that many")
            forbidden = _FORBIDDEN.get((message, number))
            if forbidden and value not in (0, b"", b"ai.onnx"):
                raise fault(TRANSITION, f"a model with {forbidden}", "one closed in itself, of ONNX's own operators")
            if isinstance(value, int):
                continue
            if (message, number) == ("node", _NODE_OPERATOR):
                _check_operator(value, operators)
            if number in _MESSAGES[message]:
                child = _MESSAGES[message][number]
                stack.append((child, value, is_main and child == "graph"))
            elif is_main and message == "graph" and number in missing:
                _check_value_info("input" if number == _GRAPH_INPUT else "output", value, missing[number])
    for name in missing[_GRAPH_INPUT] | missing[_GRAPH_OUTPUT]:
        raise fault(f"{TRANSITION}: {shown(name)}", "missing", "an input or output of that name")


def _check_operator(name: memoryview, operators: Sequence[str]) -> None:
    """Refuse what no recurrent step needs: loops without end, random numbers, files."""
    operator = bytes(name).decode("utf-8", "replace")
    if operator not in operators:
        raise fault(TRANSITION, f"a model with the operator {shown(operator)}", f"only {', '.join(operators)}")


def _check_value_info(what: str, message: memoryview, missing: Shapes) -> None:
    """Check one input or output of the main graph, and take it from those missing."""
    if len(message) > MAX_VALUE_INFO_BYTES:
        raise fault(f"{TRANSITION}: an {what}", f"{len(message)} bytes long", f"at most {MAX_VALUE_INFO_BYTES}")
    name = b"".join(_blocks(message, 1)).decode("utf-8", "replace")
    where = f"{TRANSITION}: {what} {shown(name)}"
    if name not in missing:
        raise fault(where, "unknown or there twice", f"only {', '.join(missing) or 'those before it'}")
    expected = missing.pop(name)
    tensor_types = [tensor for kind in _blocks(message, 2) for tensor in _blocks(kind, 1)]
    types = [value for tensor in tensor_types for number, value in _fields(tensor) if number == 1]
    if types != [_FLOAT]:
        raise fault(where, f"of ONNX type {shown(types)}", f"float32, which is {_FLOAT}")
    dims = [dim for tensor in tensor_types for shape in _blocks(tensor, 2) for dim in _blocks(shape, 1)]
    shape = [value for dim in dims for number, value in _fields(dim) if number == 1]  # without dimensions left open
    if shape != list(expected):
        raise fault(where, f"of shape {shown(shape)}", str(list(expected)))


def _blocks(message: memoryview, wanted: int) -> list[memoryview]:
    """Return the message's length-delimited fields of one number."""
    return [value for number, value in _fields(message) if number == wanted and not isinstance(value, int)]


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield number and value of each field; the two fixed-width kinds come as their bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == 2:
            size, position = _varint(message, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise fault(TRANSITION, f"broken (wire type {wire})", "an ONNX model")
        if position + size > len(message):
            raise fault(TRANSITION, "cut short or broken", "an ONNX model")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the integer of 1 to 10 bytes at the position, and the position after it."""
    value = 0
    for index, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise fault(TRANSITION, "cut short or broken", "an ONNX model")
