"""The manifest: what a bundle says of itself. `manifest.json` and back, every field checked (FORMAT.md, "Manifest")."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from cgrnn_bundle.errors import BundleError, fault, shown
from cgrnn_bundle.frames import PITCHES, FrameSpec, Rule
from cgrnn_bundle.jsonfile import Fields, read_object, write_object
from cgrnn_bundle.layout import (
    ARRAYS,
    CARD,
    FORMAT_VERSION,
    MANIFEST,
    MAX_BUNDLE_BYTES,
    MAX_GAINS,
    MAX_PROBE_STEPS,
    MAX_UNITS,
    MAX_WAVE_UNITS,
    TRANSITION,
    VERSIONS,
    Kind,
    Sizes,
    Tensors,
    tensors_of,
)
from cgrnn_bundle.waves import MAX_ORDER, MAX_WINDOW, WaveSpec

System = Literal["cgrnn"]
Feed = Literal["deterministic", "stochastic", "full"]
SpikeSlabFeed = Literal["sampled", "mean"]

MAX_TOLERANCE = 0.01
"""Widest tolerance of a probe: a wider one would pass a broken runtime."""


@dataclass(frozen=True)
class Training:
    """Where the weights come from. date: "YYYY-MM-DD"; version: of the program that trained them."""

    data: str
    licence: str
    command: str
    seed: int
    date: str
    version: str


@dataclass(frozen=True)
class Metric:
    """One measured number. kind: the estimator's ("exact", "AIS, 1,000 temperatures: over-estimate", ...)."""

    name: str
    value: float
    kind: str
    data: str
    command: str


@dataclass(frozen=True)
class Probe:
    """How the probe's inputs were drawn (`seed`, `steps`), and how closely its outputs must be met (`check_probe`)."""

    seed: int = 0
    steps: int = 3
    tolerance: float = 1e-4


@dataclass(frozen=True)
class FileRecord:
    """One file of the bundle: SHA-256 in lower-case hexadecimal, and length."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself, hashes aside: those belong to its files, and `save` computes them.

    frame: what a frame means, which also says of what kind the model is.
    feed: what drives the recurrent state: the frame ("deterministic", mode D), h∘s ("stochastic", S), or both ("full").
    spike_slab_feed: what the transition's input `spike_slab` takes given the frame heard: a sample of h∘s, or its mean.
    low, high: the range of pitches seen in training, both included; None where frames are of sound.
    temperature, sweeps: the defaults of a player's sampler.
    """

    name: str
    frame: FrameSpec | WaveSpec
    sizes: Sizes
    feed: Feed
    spike_slab_feed: SpikeSlabFeed
    training: Training
    low: int | None = None
    high: int | None = None
    metrics: tuple[Metric, ...] = ()
    probe: Probe = field(default_factory=Probe)
    temperature: float = 1.0
    sweeps: int = 25
    system: System = "cgrnn"

    @property
    def kind(self) -> Kind:
        """What the model's frames are, as `frame` says."""
        return "continuous" if isinstance(self.frame, WaveSpec) else "binary"

    @property
    def tensors(self) -> Tensors:
        """The names and shapes of the transition's inputs and outputs and of the arrays, as kind and sizes imply."""
        return tensors_of(self.kind, self.sizes, self.probe.steps)

    def to_json(self, files: Mapping[str, FileRecord]) -> bytes:
        """Return `manifest.json`, the same bytes for the same manifest; BundleError for a value that JSON has not."""
        values = asdict(self)
        values |= {"format_version": VERSIONS[self.kind], "kind": self.kind}
        if self.kind == "binary":
            values["frame"]["pitches"] = PITCHES
            del values["sizes"]["gains"]
        for name in ("low", "high"):
            if values[name] is None:
                del values[name]
        values["tensors"] = _tensors_json(self.tensors)
        values["files"] = {name: asdict(record) for name, record in files.items()}
        try:
            return write_object(values)
        except (TypeError, ValueError) as error:
            raise BundleError(f"{MANIFEST} cannot be written: {error}; give plain numbers and text") from None

    @staticmethod
    def from_json(data: bytes) -> tuple[Manifest, dict[str, FileRecord]]:
        """Return the manifest and the record of each file that it names; BundleError names the field that is wrong."""
        fields = read_object(data, MANIFEST)
        kind = _kind(fields)
        frame = _pitch_frame(fields.fields("frame")) if kind == "binary" else _wave_frame(fields.fields("frame"))
        low = fields.integer("low", 0, PITCHES - 1) if kind == "binary" else None
        probe = fields.fields("probe")
        manifest = Manifest(
            system=fields.choice("system", get_args(System)),
            name=fields.text("name", r"[a-z0-9][a-z0-9._-]{0,63}", "1 to 64 of a-z, 0-9, '.', '_', '-'"),
            frame=frame,
            sizes=_sizes(fields.fields("sizes"), frame),
            feed=fields.choice("feed", get_args(Feed)),
            spike_slab_feed=fields.choice("spike_slab_feed", get_args(SpikeSlabFeed)),
            low=low,
            high=None if low is None else fields.integer("high", low, PITCHES - 1),
            temperature=fields.number("temperature", 0.01, 100.0),
            sweeps=fields.integer("sweeps", 1, 10_000),
            training=_training(fields.fields("training")),
            metrics=tuple(_metric(item) for item in fields.objects("metrics")),
            probe=Probe(
                seed=_seed(probe),
                steps=probe.integer("steps", 1, MAX_PROBE_STEPS),
                tolerance=probe.number("tolerance", 1e-6, MAX_TOLERANCE),
            ),
        )
        probe.close()
        _check_tensors(fields, manifest.tensors)
        records = fields.fields("files")
        files = {name: _record(records.fields(name)) for name in (TRANSITION, ARRAYS, CARD) if name in records}
        records.close()
        fields.close()
        return manifest, files


def _kind(fields: Fields) -> Kind:
    """Take the version and the kind: a bundle of either kind names the version that brought that kind, no other."""
    version = fields.take("format_version")
    if type(version) is not int or version < 1:
        raise fault(fields.at("format_version"), shown(version), f"an integer from 1 to {FORMAT_VERSION}")
    if version > FORMAT_VERSION:
        update = "update the player with `pip install --upgrade cgrnn-live`"
        raise fault(fields.at("format_version"), shown(version), f"at most {FORMAT_VERSION}", update)
    kind: Kind = fields.choice("kind", get_args(Kind))
    if version != VERSIONS[kind]:
        expected = f"{VERSIONS[kind]}, the version of bundles of kind '{kind}'"
        raise fault(fields.at("format_version"), shown(version), expected)
    return kind


def _pitch_frame(fields: Fields) -> FrameSpec:
    fields.integer("pitches", PITCHES, PITCHES)
    seconds = fields.number("frame_seconds", 0.001, 60.0)
    rule = fields.choice("rule", get_args(Rule))
    value = fields.take("note_value")
    if value is not None and not isinstance(value, str):
        raise fault(fields.at("note_value"), shown(value), "null or a note value such as '1/8'")
    fields.close()
    try:
        return FrameSpec(seconds, rule, value)
    except ValueError as error:
        raise BundleError(f"{fields.where}: {error}") from None


def _wave_frame(fields: Fields) -> WaveSpec:
    spec = WaveSpec(
        sample_rate=fields.integer("sample_rate", 1, 768_000),
        frame_samples=fields.integer("frame_samples", 1, MAX_WAVE_UNITS),
        mean=fields.number("mean", -1000.0, 1000.0),
        std=fields.number("std", 1e-6, 1000.0),
        order=(order := fields.integer("order", 0, MAX_ORDER)),
        window=fields.integer("window", order + 1, MAX_WINDOW),
    )
    fields.close()
    return spec


def _sizes(fields: Fields, frame: FrameSpec | WaveSpec) -> Sizes:
    visible, most = (frame.frame_samples, MAX_WAVE_UNITS) if isinstance(frame, WaveSpec) else (PITCHES, MAX_UNITS)
    sizes = Sizes(
        visible=fields.integer("visible", visible, visible),
        hidden=fields.integer("hidden", 1, most),
        state=fields.integer("state", 1, MAX_UNITS),
        gains=fields.integer("gains", 1, MAX_GAINS) if isinstance(frame, WaveSpec) else None,
    )
    fields.close()
    return sizes


def _seed(fields: Fields) -> int:
    return fields.integer("seed", 0, 2**63 - 1)


def _training(fields: Fields) -> Training:
    training = Training(
        data=fields.text("data"),
        licence=fields.text("licence"),
        command=fields.text("command"),
        seed=_seed(fields),
        date=fields.text("date", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date as YYYY-MM-DD"),
        version=fields.text("version"),
    )
    fields.close()
    try:
        datetime.date.fromisoformat(training.date)
    except ValueError:
        raise fault(fields.at("date"), shown(training.date), "a date as YYYY-MM-DD") from None
    return training


def _metric(fields: Fields) -> Metric:
    metric = Metric(
        name=fields.text("name"),
        value=fields.number("value"),
        kind=fields.text("kind"),
        data=fields.text("data"),
        command=fields.text("command"),
    )
    fields.close()
    return metric


def _record(fields: Fields) -> FileRecord:
    record = FileRecord(
        sha256=fields.text("sha256", r"[0-9a-f]{64}", "64 lower-case hexadecimal digits"),
        bytes=fields.integer("bytes", 0, MAX_BUNDLE_BYTES),
    )
    fields.close()
    return record


def _tensors_json(tensors: Tensors) -> dict[str, object]:
    return {
        group: {name: {"dtype": "float32", "shape": list(shape)} for name, shape in shapes.items()}
        for group, shapes in vars(tensors).items()
    }


def _check_tensors(fields: Fields, tensors: Tensors) -> None:
    """Hold the file's table of tensors against the one that kind and sizes imply: it is there for readers."""
    groups = fields.fields("tensors")
    for group, shapes in vars(tensors).items():
        entries = groups.fields(group)
        for name, shape in shapes.items():
            entry = entries.fields(name)
            entry.choice("dtype", ["float32"])
            if (found := entry.integers("shape")) != shape:
                raise fault(entry.at("shape"), shown(list(found)), f"{list(shape)}, which the sizes imply")
            entry.close()
        entries.close()
    groups.close()
