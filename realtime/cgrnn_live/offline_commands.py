"""The commands that need no MIDI port: `render`, `replay`, `demo`, `calibrate`. Options in, one call, a summary out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cgrnn_live.common_options import Gibbs, High, Json, Low, Model, Scale, Seconds, Seed, Temperature, sampling_of
from cgrnn_live.options import FrameLength, OptionError, number, parse_frame

EIGHTH = 1 / 8
"""Of a whole note."""


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


def calibrate(
    take: Annotated[Path, typer.Argument(metavar="TAKE.mid", help="Some bars that a DAW recorded under --sync midi.")],
    frame: Annotated[
        FrameLength | None,
        typer.Option(
            parser=parse_frame, metavar="1/8", help="The note value that a frame was. An eighth if not given."
        ),
    ] = None,
    offset: Annotated[
        float,
        typer.Option(parser=number("--offset", -200, 200), metavar="MS", help="The --offset that it was played with."),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Measure how far recorded notes lie from the grid, and say which --offset puts them on it."""
    from cgrnn_live.calibrate import displacement

    if frame is not None and not frame.is_note_value:
        raise OptionError(f"--frame is {frame.length:g} seconds, but a take has beats; give a note value, such as 1/8.")
    found = displacement(take, EIGHTH if frame is None else frame.length)
    wanted = round(offset - found.milliseconds, 1) + 0.0  # no -0.0
    if as_json:
        print(json.dumps({**found._asdict(), "offset": wanted}), flush=True)
        return
    where = "behind" if found.milliseconds > 0 else "before"
    lie = f"{abs(found.milliseconds):.1f} ms {where} the grid, half of them within {found.spread:.1f} ms"
    print(f"{found.onsets} onsets lie {lie}.\nGive --offset {wanted:g}.")
