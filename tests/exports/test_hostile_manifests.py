"""Wrong manifests: the field is named, with what was found and what was expected."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cgrnn_bundle.layout import ARRAYS, CARD, MANIFEST, MAX_FILE_BYTES

Refused = Callable[..., None]
Edit = Callable[[Path, str, Any], None]
REMOVED = ...  # for `edit`


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("format_version", 3, "format_version is 3, expected at most 2: update the player"),
        ("format_version", 2, "format_version is 2, expected 1, the version of bundles of kind 'binary'"),
        ("format_version", 0, "format_version is 0, expected an integer from 1"),
        ("format_version", True, "format_version is True"),
        ("format_version", "1", "format_version is '1'"),
        ("format_version", REMOVED, "format_version is missing"),
        ("kind", "continuous", "format_version is 1, expected 2, the version of bundles of kind 'continuous'"),
        ("kind", "quantum", "kind is 'quantum', expected one of binary, continuous"),
        ("system", "rnn-rbm", "system is 'rnn-rbm', expected one of cgrnn"),
        ("name", "../evil", "name is '../evil'"),
        ("name", "", "name is ''"),
        ("name", 3, "name is 3"),
        ("feed", ["full"], r"feed is \['full'\], expected one of deterministic, stochastic, full"),
        ("spike_slab_feed", None, "spike_slab_feed is None, expected one of sampled, mean"),
        ("low", -1, "low is -1, expected an integer from 0 to 127"),
        ("high", 20, "high is 20, expected an integer from 36 to 127"),
        ("high", 84.0, "high is 84.0"),
        ("temperature", 0, "temperature is 0, expected a finite number from 0.01"),
        ("temperature", float("nan"), "temperature is nan"),
        ("temperature", True, "temperature is True"),
        ("temperature", 10**400, "temperature is 1000"),
        ("sweeps", 0, "sweeps is 0"),
        ("sweeps", 10**9, "sweeps is 1000000000"),
        ("frame", [], r"frame is \[\], expected a JSON object"),
        ("frame/frame_seconds", float("inf"), "frame.frame_seconds is inf"),
        ("frame/frame_seconds", -0.25, "frame.frame_seconds is -0.25"),
        ("frame/rule", "any", "frame.rule is 'any', expected one of half, cover"),
        ("frame/note_value", "1/0", "frame: note_value is '1/0'"),
        ("frame/note_value", 8, "frame.note_value is 8"),
        ("frame/pitches", 88, "frame.pitches is 88, expected an integer from 128 to 128"),
        ("sizes/visible", 88, "sizes.visible is 88"),
        ("sizes/hidden", -3, "sizes.hidden is -3"),
        ("sizes/hidden", True, "sizes.hidden is True"),
        ("sizes/hidden", 10**10, "sizes.hidden is 10000000000"),
        ("sizes/hidden", 4, r"tensors.inputs.spike_slab.shape is \[1, 3\], expected \[1, 4\]"),
        ("sizes/state", "4", "sizes.state is '4'"),
        ("sizes/slabs", 3, "sizes.'slabs' is unknown.*remove it"),
        ("training", None, "training is None"),
        ("training/licence", REMOVED, "training.licence is missing"),
        ("training/licence", "", "training.licence is ''"),
        ("training/command", "\x1b[2J", r"training.command is '\\x1b\[2J'"),
        ("training/command", "\ud800", r"training.command is '\\ud800'"),
        ("training/data", "x" * 5000, "training.data is 5000 characters long, expected at most 4096"),
        ("training/date", "2026-02-30", "training.date is '2026-02-30'"),
        ("training/date", "today", "training.date is 'today'"),
        ("training/seed", -1, "training.seed is -1"),
        ("metrics", {}, "metrics is {}, expected an array of objects"),
        ("metrics", [3], r"metrics\[0\] is 3, expected a JSON object"),
        ("metrics/0/value", "-6", r"metrics\[0\].value is '-6'"),
        ("metrics/0/value", float("inf"), r"metrics\[0\].value is inf, expected a finite number"),
        ("metrics/0/kind", REMOVED, r"metrics\[0\].kind is missing"),
        ("probe/steps", 17, "probe.steps is 17, expected an integer from 1 to 16"),
        ("probe/steps", 2, r"tensors.arrays.probe.frame.shape is \[3, 128\], expected \[2, 128\]"),
        ("probe/tolerance", 1, "probe.tolerance is 1, expected a finite number from 1e-06 to 0.01"),
        ("probe/inputs", [], "probe.'inputs' is unknown"),
        ("tensors/arrays/weight/dtype", "float64", "tensors.arrays.weight.dtype is 'float64'"),
        ("tensors/arrays/weight/shape", [128, -3], r"tensors.arrays.weight.shape is \[128, -3\]"),
        ("tensors/arrays/weight/shape", [128, True], r"tensors.arrays.weight.shape is \[128, True\]"),
        ("tensors/arrays/weight", REMOVED, "tensors.arrays.weight is missing"),
        ("tensors/arrays/bias", {}, "tensors.arrays.'bias' is unknown"),
        ("tensors/outputs/next_state/shape", 4, "tensors.outputs.next_state.shape is 4"),
        ("files", [], r"files is \[\], expected a JSON object"),
        (f"files/{ARRAYS}", REMOVED, "files.cssrbm.safetensors is missing"),
        (f"files/{CARD}/bytes", -1, "files.README.md.bytes is -1"),
        (f"files/{CARD}/bytes", 10**10, "files.README.md.bytes is 10000000000, expected an integer from 0 to 67108864"),
        (
            f"files/{CARD}/bytes",
            3,
            "README.md is 34 bytes long, expected 3, as manifest.json: files.README.md.bytes says",
        ),
        (f"files/{CARD}/sha256", "0" * 64, "README.md is not the file that was saved, expected the SHA-256 of"),
        (f"files/{CARD}/sha256", "A" * 64, "files.README.md.sha256 is 'AAAA"),
        ("files/model.pkl", {}, "files.'model.pkl' is unknown"),
        ("files/manifest.json", {}, "files.'manifest.json' is unknown"),
        ("author", "me", "manifest.json: 'author' is unknown"),
        ("\x1b[31m", "me", r"manifest.json: '\\x1b\[31m' is unknown"),
    ],
)
def test_a_wrong_field_is_named(
    folder: Path, field: str, value: Any, sentence: str, assert_refused: Refused, edit: Edit
):
    edit(folder, field, value)
    assert_refused(folder, re.escape(MANIFEST), sentence)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xfe{}", "manifest.json is not UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "manifest.json is not JSON"),
        (b"", "manifest.json is not JSON"),
        (b"[]", r"manifest.json is \[\], expected a JSON object"),
        (b'{"format_version": 1', "manifest.json is not JSON"),
        (b'{"format_version": 1, "format_version": 1}', "key 'format_version' is there twice"),
        (b"[" * 200_000, "manifest.json is nested too deep"),
        (b'{"format_version": ' + b"9" * 200_000 + b"}", "manifest.json"),
        (b"{" + b",".join(b'"%d":0' % i for i in range(25_000)) + b',"24999":0}', "key '24999' is there twice"),
        (b" " * (MAX_FILE_BYTES[MANIFEST] + 1), "manifest.json is 262145 bytes long, expected at most 262144"),
        (pickle.dumps({"format_version": 1}), "manifest.json is not UTF-8"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_manifest_that_is_no_json_object(folder: Path, data: bytes, sentence: str, assert_refused: Refused):
    (folder / MANIFEST).write_bytes(data)
    assert_refused(folder, sentence)
