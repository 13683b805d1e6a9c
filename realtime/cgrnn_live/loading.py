"""From a model's name to an engine that plays it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.shipped import find_bundle, shipped_bundles

if TYPE_CHECKING:
    from cgrnn_bundle.bundle import Bundle
    from cgrnn_live.engine import Engine, Evidence
    from cgrnn_live.wave_engine import WaveEngine

DEFAULT_MODEL = "pop"
"""What plays when no model is asked for."""

DEFAULT_SOUND_MODEL = "pluck"
"""What sounds when no model is asked for."""


@dataclass(frozen=True)
class Sampling:
    """How the model is to choose its notes; None is the model's own default.

    model: a shipped bundle's name or a path; without it `DEFAULT_MODEL`.
    low, high: the range of pitches, both included; scale: pitch classes 0..11.
    """

    seed: int
    model: str | None = None
    temperature: float | None = None
    gibbs: int | None = None
    low: int = 0
    high: int = 127
    scale: frozenset[int] | None = None


def load_model(sampling: Sampling) -> Bundle:
    """Return the model's bundle; BundleError if it cannot be had."""
    from cgrnn_bundle.bundle import load

    return load(find_bundle(default_model() if sampling.model is None else sampling.model))


def make_engine(sampling: Sampling, bundle: Bundle) -> Engine:
    """Return the engine of a loaded model, its probe checked; BundleError if it is none that plays notes here."""
    from cgrnn_live.engine import Engine  # ONNX Runtime: more than half a second

    return Engine(bundle, seed=sampling.seed, temperature=sampling.temperature, sweeps=sampling.gibbs)


def open_engine(sampling: Sampling) -> tuple[Engine, Evidence]:
    """Return the engine, its probe checked, and what its frames may hold; BundleError if it cannot be had."""
    from cgrnn_live.engine import Evidence

    return make_engine(sampling, load_model(sampling)), Evidence.build(sampling.low, sampling.high, sampling.scale)


def open_wave_engine(
    model: str | None, *, seed: int, temperature: float | None = None, gibbs: int | None = None
) -> WaveEngine:
    """Return the engine of a model of sound, its probe checked; BundleError if it cannot be had.

    ``model`` and None are as in `Sampling`, but for `DEFAULT_SOUND_MODEL`.
    """
    path = find_bundle(default_sound_model() if model is None else model)
    from cgrnn_bundle.bundle import load
    from cgrnn_live.wave_engine import WaveEngine

    return WaveEngine(load(path), seed=seed, temperature=temperature, sweeps=gibbs)


def default_model() -> str:
    """Return the name of the model that plays when none is asked for; BundleError if none is shipped."""
    if DEFAULT_MODEL not in shipped_bundles():
        raise BundleError(
            f"the model {DEFAULT_MODEL!r} did not come with this installation: reinstall it, or give --model PATH"
        )
    return DEFAULT_MODEL


def default_sound_model() -> str:
    """Return the name of the model that sounds when none is asked for; BundleError if none is shipped."""
    if DEFAULT_SOUND_MODEL not in shipped_bundles():
        raise BundleError("no model of sound came with this installation: give --model PATH, a bundle of your own")
    return DEFAULT_SOUND_MODEL


def describe_models() -> list[dict[str, Any]]:
    """Return what each shipped bundle says of itself, as ``models --json`` prints it."""
    from cgrnn_bundle.bundle import load

    descriptions: list[dict[str, Any]] = []
    for name, path in shipped_bundles().items():
        manifest = load(path).manifest
        descriptions.append(
            {
                "name": name,
                "path": str(path),
                "kind": manifest.kind,
                "frame_seconds": manifest.frame.frame_seconds,
                "hidden": manifest.sizes.hidden,
                "state": manifest.sizes.state,
                "data": manifest.training.data,
                "licence": manifest.training.licence,
                "metrics": [asdict(metric) for metric in manifest.metrics],
            }
        )
    return descriptions
