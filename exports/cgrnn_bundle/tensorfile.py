"""The safetensors file: float32 tensors, no holes, nothing that is not expected.

The format: https://github.com/huggingface/safetensors. 8 bytes, the header's length as a little-endian integer; the
header, a JSON object name -> dtype, shape, data_offsets, padded with spaces to a multiple of 8; the tensors' bytes,
little-endian, row by row. The writer's bytes are those of the `safetensors` package. The reader is stricter than that
package: it takes the tensors it is told of and no others, in float32, each right after the one before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.errors import fault, shown
from cgrnn_bundle.jsonfile import Fields, read_object
from cgrnn_bundle.layout import MAX_HEADER_BYTES, Shapes

Arrays = dict[str, NDArray[np.float32]]
_ITEM_BYTES = 4


def write_tensors(arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the file's bytes, tensors in the order of their names; BundleError if one is not float32."""
    header: dict[str, dict[str, object]] = {}
    blocks: list[bytes] = []
    end = 0
    for name in sorted(arrays):
        if arrays[name].dtype != np.float32:
            raise fault(f"array {name}", str(arrays[name].dtype), "float32", "convert it with astype(np.float32)")
        block = arrays[name].astype("<f4", order="C").tobytes()
        begin, end = end, end + len(block)
        header[name] = {"dtype": "F32", "shape": list(arrays[name].shape), "data_offsets": [begin, end]}
        blocks.append(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *blocks])


def read_tensors(data: bytes, expected: Shapes, where: str) -> Arrays:
    """Return the expected tensors by name, as read-only views of `data`; BundleError on any other content."""
    if len(data) < 8:
        raise fault(where, f"{len(data)} bytes long", "a safetensors file")
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES or length % 8 or 8 + length > len(data) or data[8:9] != b"{":
        raise fault(
            f"{where}: header length",
            shown(length),
            f"a multiple of 8, at most {MAX_HEADER_BYTES}, of a JSON object inside the file's {len(data)} bytes",
        )
    header = read_object(data[8 : 8 + length], where)
    body = memoryview(data)[8 + length :]

    spans = {name: _span(header.fields(name), shape) for name, shape in expected.items()}
    header.close()
    end = 0
    for begin, stop, name in sorted((begin, stop, name) for name, (begin, stop) in spans.items()):
        if begin != end:
            found, wanted = f"[{begin}, {stop}]", f"[{end}, ...], with no hole and no overlap"
            raise fault(f"{where}: {name}.data_offsets", found, wanted)
        end = stop
    if end != len(body):
        raise fault(where, f"{len(body)} bytes of tensors long", f"{end}, where its last tensor ends")
    return {
        name: np.ndarray(expected[name], "<f4", body[begin:stop]).astype(np.float32, copy=False)
        for name, (begin, stop) in spans.items()
    }


def _span(entry: Fields, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the tensor's first byte and the byte after its last, counted from the header's end."""
    entry.choice("dtype", ["F32"])
    if (found := entry.integers("shape")) != shape:
        raise fault(entry.at("shape"), shown(list(found)), str(list(shape)))
    offsets = entry.integers("data_offsets")
    size = math.prod(shape) * _ITEM_BYTES
    if len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise fault(entry.at("data_offsets"), shown(list(offsets)), f"[begin, begin + {size}]")
    entry.close()
    return offsets[0], offsets[1]
