"""The command `cgrnn-live audio`: options in, one call."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from cgrnn_live.common_options import Gibbs, Json, Model, Seed, Temperature
from cgrnn_live.options import number, whole_number


def audio(
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The sound device; `doctor` lists them. The default one if not given."),
    ] = None,
    prompt: Annotated[
        Path | None, typer.Option(metavar="FILE.wav", help="A sound to play first and go on from.")
    ] = None,
    render: Annotated[
        Path | None, typer.Option(metavar="FILE.wav", help="Write the sound to this file instead of playing it.")
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            parser=number("--duration", 0.1, 1e6),
            metavar="SECONDS",
            help="End after this time, the prompt included. Until Ctrl-C if not given; a file gets 30 s of the model.",
        ),
    ] = None,
    model: Model = None,
    temperature: Temperature = None,
    gibbs: Gibbs = None,
    seed: Seed = None,
    rate: Annotated[
        int | None,
        typer.Option(
            parser=whole_number("--rate", 1_000, 768_000),
            metavar="HZ",
            help="Samples a second. The device's own if not given; of a file the model's.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hear a model of sound on a sound device, or write it to a file."""
    from cgrnn_live.wave_session import WaveSetup, play

    setup = WaveSetup(
        seed=secrets.randbits(32) if seed is None else seed,
        model=model,
        temperature=temperature,
        gibbs=gibbs,
        device=device,
        rate=rate,
        prompt=prompt,
        render=render,
        duration=duration,
        has_line=not as_json,
    )
    summary = play(setup)
    if as_json:
        print(json.dumps(summary), flush=True)
