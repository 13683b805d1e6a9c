"""The commands that need no MIDI port: `render`, `replay` and `demo`. Options in, one call, a summary out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cgrnn_live.common_options import Gibbs, High, Json, Low, Model, Scale, Seconds, Seed, Temperature, sampling_of


def render(
    prompt: Annotated[Path, typer.Argument(metavar="PROMPT.mid", help="The phrase to continue.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.mid", help="The file to write.")],
    seconds: Seconds = 30.0,
    seed: Seed = None,
    model: Model = None,
    temperature: Temperature = None,
    gibbs: Gibbs = None,
    low: Low = 0,
    high: High = 127,
    scale: Scale = None,
    as_json: Json = False,
) -> None:
    """Continue a phrase offline: the same seed writes the same file."""
    from cgrnn_live.render import render as render_file

    summary = render_file(prompt, out, seconds, sampling_of(seed, model, temperature, gibbs, low, high, scale))
    if as_json:
        print(json.dumps(summary), flush=True)


def replay(
    log: Annotated[Path, typer.Argument(metavar="FILE.log", help="What --log wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.mid", help="The file to write.")],
    as_json: Json = False,
) -> None:
    """Play a logged performance again, offline, note for note."""
    from cgrnn_live.replay import replay as replay_log

    summary = replay_log(log, out)
    if as_json:
        print(json.dumps(summary), flush=True)


def demo(
    seconds: Seconds = 30.0,
    seed: Seed = None,
    model: Model = None,
    temperature: Temperature = None,
    gibbs: Gibbs = None,
    low: Low = 0,
    high: High = 127,
    scale: Scale = None,
    as_json: Json = False,
) -> None:
    """Hear a model through the built-in synth; without a sound device, write demo.mid and demo.wav."""
    from cgrnn_live.demo import demo as play_demo

    summary = play_demo(seconds, sampling_of(seed, model, temperature, gibbs, low, high, scale))
    if as_json:
        print(json.dumps(summary), flush=True)
