"""One sound from a model, to a device or a file: opens everything, plays, closes everything, reports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

from cgrnn_bundle.waves import Samples, WaveSpec
from cgrnn_live.loading import DEFAULT_SOUND_MODEL, open_wave_engine
from cgrnn_live.performance import ending_on_signals
from cgrnn_live.pluck import PITCHES, pluck
from cgrnn_live.recording import FileError, is_same_file
from cgrnn_live.sound_card import SoundError
from cgrnn_live.sound_link import SoundLink
from cgrnn_live.status import tell
from cgrnn_live.wave_performance import WavePerformance
from cgrnn_live.wave_prompt import WavePromptError, read_wave_prompt
from cgrnn_live.wave_render import render
from cgrnn_live.wave_source import WaveSource

RENDER_SECONDS = 30.0
"""Of the model, in a file, if no duration is given."""

MUCH_LIMITED = 0.01
"""A part of the samples that is worth a word."""


@dataclass(frozen=True)
class WaveSetup:
    """What to play and where: the command's options.

    temperature, gibbs: the model's own if None. has_line: a terminal shows the level.
    """

    seed: int
    model: str | None = None
    temperature: float | None = None
    gibbs: int | None = None
    device: str | None = None
    rate: int | None = None
    prompt: Path | None = None
    render: Path | None = None
    duration: float | None = None
    has_line: bool = True


def play(setup: WaveSetup) -> dict[str, Any]:
    """Play until the duration is over or a signal ends it, or write the file; return what ``--json`` prints.

    Raises:
        UsageError: a device, file or option that cannot be had.
        BundleError: the model's bundle is missing or broken.
    """
    if setup.render is not None and setup.prompt is not None and is_same_file(setup.prompt, setup.render):
        raise FileError(f"{setup.render} is the prompt itself; give another name for the file to write.")
    engine = open_wave_engine(setup.model, seed=setup.seed, temperature=setup.temperature, gibbs=setup.gibbs)
    prompt = None if setup.prompt is None else read_wave_prompt(setup.prompt, engine.spec)
    prompt_seconds = 0.0 if prompt is None else len(prompt) * engine.spec.frame_seconds
    if setup.duration is not None and setup.duration <= prompt_seconds:
        raise WavePromptError(
            f"{setup.prompt} lasts {prompt_seconds:.2f} s and --duration is {setup.duration:g}, the prompt included; "
            "give a longer --duration."
        )
    again = _beginnings(prompt, engine.spec)
    first = next(again) if again else prompt
    if setup.render is not None:
        source = WaveSource(engine, setup.rate or engine.spec.sample_rate, first, again=again)
        outcome = _write(setup, setup.render, source, setup.duration or prompt_seconds + RENDER_SECONDS)
    else:
        link = _open(setup)
        source = WaveSource(engine, link.rate, first, again=again)
        outcome = _sound(setup, link, source)
    return {
        "model": setup.model or DEFAULT_SOUND_MODEL,
        "seed": setup.seed,
        **outcome,
        "sample_rate": source.sample_rate,
        "frames": math.ceil(round(outcome["seconds"] / engine.spec.frame_seconds, 3)),
        "begun_again": source.begun_again,
        "limited": source.limited,
        "not_finite": source.not_finite,
        "peak": source.peak,
    }


def _beginnings(prompt: Samples | None, spec: WaveSpec) -> Iterator[Samples] | None:
    """Return, without end, what a sound begins with and begins again with; None: a model of samples does by itself."""
    if not spec.order:
        return None
    return (pluck(pitch, spec) for pitch in cycle(PITCHES)) if prompt is None else repeat(prompt)


def _write(setup: WaveSetup, path: Path, source: WaveSource, seconds: float) -> dict[str, Any]:
    count = max(1, round(seconds * source.sample_rate))
    render(source, count, path)
    tell(f"Wrote {path}: {seconds:g} s, seed {setup.seed}.")
    _warn(source, count)
    return {"device": None, "file": str(path), "seconds": seconds, "underruns": 0, "device_underflows": 0}


def _open(setup: WaveSetup) -> SoundLink:
    try:
        return SoundLink(setup.device, setup.rate)
    except SoundError as error:
        raise SoundError(f"{str(error).rstrip('.')}; --render FILE.wav needs no device.") from error


def _sound(setup: WaveSetup, link: SoundLink, source: WaveSource) -> dict[str, Any]:
    performance = WavePerformance(link, source, setup.duration, wanted=setup.device, rate=setup.rate)
    tell(f"Playing on {link.device!r} with seed {setup.seed}; Ctrl-C ends it.")
    with ending_on_signals(performance.stop):
        performance.run(has_line=setup.has_line)
    if performance.underruns:
        tell(
            f"The model was too slow and the sound broke off {performance.underruns} times; give fewer --gibbs sweeps."
        )
    _warn(source, round(performance.seconds * source.sample_rate))
    return {
        "device": performance.device,
        "file": None,
        "seconds": performance.seconds,
        "underruns": performance.underruns,
        "device_underflows": performance.underflows,
    }


def _warn(source: WaveSource, count: int) -> None:
    if source.not_finite:
        tell(f"{source.not_finite} frames of the model were no numbers, and so silent; the model is broken.")
    if source.limited > MUCH_LIMITED * count:
        tell(f"The limiter held back {source.limited / max(1, count):.0%} of the sound; the model is too loud.")
