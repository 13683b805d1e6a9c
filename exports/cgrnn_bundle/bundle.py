"""A bundle: a trained model as its player needs it (FORMAT.md). `load` trusts nothing; `save` runs its checks first."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from cgrnn_bundle.archive import Files, read_files, write_files
from cgrnn_bundle.errors import BundleError, fault
from cgrnn_bundle.layout import ARRAYS, CARD, FORMAT_VERSION, MANIFEST, OPERATORS, TRANSITION, Sizes
from cgrnn_bundle.manifest import FileRecord, Manifest, Metric, Probe, Training
from cgrnn_bundle.onnxfile import check_transition
from cgrnn_bundle.parameters import check_parameters
from cgrnn_bundle.tensorfile import Arrays, read_tensors, write_tensors

__all__ = [
    "FORMAT_VERSION",
    "Bundle",
    "BundleError",
    "Manifest",
    "Metric",
    "Probe",
    "Sizes",
    "Training",
    "load",
    "save",
]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model, wherever it lies.

    transition: an ONNX model in float32, (frame (1, V), spike_slab (1, H), state (1, U)) -> next_state (1, U) and what
        that implies for the following frame: of kind "binary" visible_bias (1, V) and hidden_bias (1, H), of kind
        "continuous" visible_mean (1, V), visible_scale (1, V) > 0, hidden_bias (1, H) and gain_logits (1, G).
    arrays: float32, by name: the C-ssRBM's `weight` (V, H), `slab_mean` (H,) and, where it is binary, `slab_precision`
        (H,) > 0 or, of sound, the `gains` (G,) > 0; the `initial_state` (U,) and what it implies for the first frame,
        `initial_*`; the probe's inputs and outputs, `probe.*` (steps, ·). `Manifest.tensors` lists them. Loaded arrays
        are read-only.
    card: the model card in Markdown, or None.
    """

    manifest: Manifest
    transition: bytes = field(repr=False)
    arrays: Arrays = field(repr=False)
    card: str | None = None

    def fingerprint(self) -> str:
        """Return a SHA-256, in hexadecimal, of all that decides how the model plays: everything but the card."""
        return hashlib.sha256(self.manifest.to_json({}) + self.transition + write_tensors(self.arrays)).hexdigest()


def load(path: str | os.PathLike[str], *, verify: bool = True) -> Bundle:
    """Return the bundle at `path`, a folder or a .zip; BundleError, one sentence, on anything that FORMAT.md forbids.

    verify: compare the files with their SHA-256; all other checks are always made. The probe is the caller's to replay
    (`check_probe`), for it takes a runtime.
    """
    try:
        return _decode(read_files(Path(path)), verify=verify)
    except BundleError as error:
        raise BundleError(f"{os.fspath(path)}: {error}") from None


def save(bundle: Bundle, path: str | os.PathLike[str]) -> None:
    """Write the bundle to `path`, a .zip if named so, else a folder: whole or not at all, and always the same bytes.

    Raises BundleError if `load` would refuse the bundle, or if something other than a bundle is at `path`; OSError if
    the disk refuses.
    """
    try:
        # What is written is what `load` will give, down to 1.0 for 1, so saving that again gives the same bytes.
        taken = _decode(_encode(bundle), verify=False)
        write_files(_encode(taken), Path(path))
    except BundleError as error:
        raise BundleError(f"{os.fspath(path)}: {error}") from None


def _encode(bundle: Bundle) -> Files:
    files = {TRANSITION: bundle.transition, ARRAYS: write_tensors(bundle.arrays)}
    if bundle.card is not None:
        files[CARD] = bundle.card.encode("utf-8", "surrogatepass")  # for `_decode` to refuse
    files[MANIFEST] = bundle.manifest.to_json({name: _record(data) for name, data in files.items()})
    return files


def _record(data: bytes) -> FileRecord:
    return FileRecord(hashlib.sha256(data).hexdigest(), len(data))


def _decode(files: Files, *, verify: bool) -> Bundle:
    manifest, records = Manifest.from_json(files[MANIFEST])
    _check_records(files, records, verify=verify)
    check_transition(files[TRANSITION], manifest.tensors, OPERATORS[manifest.kind])
    arrays = read_tensors(files[ARRAYS], manifest.tensors.arrays, ARRAYS)
    check_parameters(manifest.kind, arrays)
    return Bundle(manifest, files[TRANSITION], arrays, _card(files))


def _check_records(files: Files, records: dict[str, FileRecord], *, verify: bool) -> None:
    """Hold each file against its record in the manifest."""
    for name in sorted(records.keys() | files.keys() - {MANIFEST}):
        where = f"{MANIFEST}: files.{name}"
        if name not in files:
            raise fault(name, "missing", f"a file, as {where} says")
        if name not in records:
            raise fault(where, "missing", "the file's sha256 and bytes")
        if len(files[name]) != records[name].bytes:
            raise fault(name, f"{len(files[name])} bytes long", f"{records[name].bytes}, as {where}.bytes says")
        if verify and _record(files[name]) != records[name]:
            raise fault(name, "not the file that was saved", f"the SHA-256 of {where}.sha256")


def _card(files: Files) -> str | None:
    try:
        return files[CARD].decode() if CARD in files else None
    except UnicodeDecodeError as error:
        raise fault(CARD, f"not UTF-8 at byte {error.start}", "UTF-8 text") from None
