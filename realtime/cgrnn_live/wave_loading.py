"""From a sound model's name to an engine that streams it."""

from __future__ import annotations

from dataclasses import dataclass

from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.shipped import find_bundle, shipped_bundles
from cgrnn_live.wave_source import FrameSource

DEFAULT_SOUND_MODEL = "pluck"
"""What sounds when no model is asked for."""


@dataclass(frozen=True)
class WaveSampling:
    """How the model is to choose its samples; None is the model's own default.

    model: a shipped bundle's name or a path; without it `DEFAULT_SOUND_MODEL`.
    """

    seed: int
    model: str | None = None
    temperature: float | None = None
    gibbs: int | None = None


def open_wave_engine(sampling: WaveSampling) -> FrameSource:
    """Return the engine, its probe checked; BundleError if it cannot be had."""
    path = find_bundle(default_sound_model() if sampling.model is None else sampling.model)
    from cgrnn_bundle.bundle import load
    from cgrnn_live.wave_engine import WaveEngine  # ONNX Runtime: more than half a second

    return WaveEngine(load(path), seed=sampling.seed, temperature=sampling.temperature, sweeps=sampling.gibbs)


def default_sound_model() -> str:
    """Return the name of the model that sounds when none is asked for; BundleError if none is shipped."""
    if DEFAULT_SOUND_MODEL not in shipped_bundles():
        raise BundleError("no model of sound came with this installation: give --model PATH, a bundle of your own")
    return DEFAULT_SOUND_MODEL
