"""Wrong arrays, under a hash that fits: the tensor is named."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cgrnn_bundle.layout import ARRAYS

Refused = Callable[..., None]
Put = Callable[[Path, str, bytes], None]
REMOVED = ...  # in place of a header's entry


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: Any, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    ("name", "entry", "sentence"),
    [
        ("weight", {"dtype": "F64"}, "weight.dtype is 'F64', expected one of F32"),
        ("weight", {"dtype": "BF16"}, "weight.dtype is 'BF16'"),
        ("weight", {"shape": [3, 128]}, r"weight.shape is \[3, 128\], expected \[128, 3\]"),
        ("weight", {"shape": [128, -3]}, r"weight.shape is \[128, -3\]"),
        ("weight", {"shape": [10**10]}, r"weight.shape is \[10000000000\]"),
        ("weight", {"data_offsets": [0]}, r"weight.data_offsets is \[0\]"),
        ("weight", {"data_offsets": [-12, 0]}, r"weight.data_offsets is \[-12, 0\]"),
        ("weight", {"data_offsets": [0, 10**10]}, r"weight.data_offsets is \[0, 10000000000\]"),
        ("weight", {"data_offsets": [1536, 0]}, r"weight.data_offsets is \[1536, 0\]"),
        ("weight", {"data_offsets": "all"}, "weight.data_offsets is 'all'"),
        ("weight", {"crc": 0}, "weight.'crc' is unknown"),
        ("weight", None, "weight is None, expected a JSON object"),
        ("slab_mean", REMOVED, "slab_mean is missing"),
        ("slab_mean", {"data_offsets": [0, 12]}, "data_offsets is .*, with no hole and no overlap"),
        ("slab_mean", {"data_offsets": [2**40, 2**40 + 12]}, "data_offsets is .*, with no hole and no overlap"),
        ("bias", {}, "'bias' is unknown"),
    ],
)
def test_a_wrong_tensor_is_named(folder: Path, name: str, entry: Any, sentence: str, assert_refused: Refused, put: Put):
    header, body = split((folder / ARRAYS).read_bytes())
    if entry is REMOVED:
        del header[name]
    else:
        header[name] = entry and header.get(name, {}) | entry
    put(folder, ARRAYS, join(header, body))
    assert_refused(folder, re.escape(ARRAYS), sentence)


@pytest.mark.parametrize("name", ["a pickle", "an npy of pickles", "an npz", "nothing", "a byte", "zeros"])
def test_a_foreign_file_for_the_arrays(
    folder: Path, name: str, assert_refused: Refused, put: Put, foreign: dict[str, bytes]
):
    put(folder, ARRAYS, foreign[name])
    assert_refused(folder, re.escape(ARRAYS), "expected a (safetensors|multiple of 8)")


def test_arrays_laid_out_otherwise(folder: Path, assert_refused: Refused, put: Put):
    data = (folder / ARRAYS).read_bytes()
    header, body = split(data)
    text = json.dumps(header).encode()
    twice = text[:-1] + b',"slab_mean":' + json.dumps(header["slab_mean"]).encode() + b"}"
    for broken, sentence in {
        data + bytes(4): "bytes of tensors long, expected .*, where its last tensor ends",
        data[:-4]: "bytes of tensors long, expected",
        data[:40]: "header length",
        join(header, bytes(4) + body): "bytes of tensors long",
        join(twice, body): "key 'slab_mean' is there twice",
        join(b"  " + text, body): "header length",
        (len(data) - len(body) - 7).to_bytes(8, "little") + data[8:]: "header length .*, expected a multiple of 8",
        (10**10).to_bytes(8, "little") + data[8:]: "header length is 10000000000",
        (2**64 - 8).to_bytes(8, "little") + data[8:]: "header length is 18446744073709551608",
        join(text + b" " * 65536, body): "header length .*, at most 65536",
        join(b"{\xff}", body): "not UTF-8",
        join({**header, "__metadata__": {}}, body): "'__metadata__' is unknown",
    }.items():
        put(folder, ARRAYS, broken)
        assert_refused(folder, re.escape(ARRAYS), sentence)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("weight", np.nan, r"weight\[0, 0\] is nan, expected finite numbers"),
        ("initial_state", -np.inf, r"initial_state\[0\] is -inf"),
        ("probe.next_state", np.nan, r"probe.next_state\[0, 0\] is nan"),
        ("slab_precision", 0, r"slab_precision\[0\] is 0.0, expected positive numbers"),
        ("slab_precision", -1, r"slab_precision\[0\] is -1.0"),
        ("slab_precision", 1e-45, r"slab_precision\[0\] is 1e-45"),
        ("probe.frame", 0.5, r"probe.frame\[0, 0\] is 0.5, expected 0 or 1"),
    ],
)
def test_a_number_that_no_model_has(
    folder: Path, name: str, value: float, sentence: str, assert_refused: Refused, put: Put
):
    header, body = split((folder / ARRAYS).read_bytes())
    begin = header[name]["data_offsets"][0]
    changed = body[:begin] + struct.pack("<f", value) + body[begin + 4 :]
    put(folder, ARRAYS, join(header, changed))
    assert_refused(folder, re.escape(ARRAYS), sentence)
