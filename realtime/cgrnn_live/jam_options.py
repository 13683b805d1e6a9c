"""The options of playing with somebody: a player, or a DAW that keeps the time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cgrnn_live.options import number, whole_number

Mode = Annotated[
    Literal["free", "continue", "accompany"],
    typer.Option(
        metavar="free|continue|accompany",
        help="Play alone; listen while you play and take over when you stop; or play along around what you hold.",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        parser=whole_number("--patience", 1, 10_000),
        metavar="FRAMES",
        help="In continue: frames of silence before it takes over. A second's if not given.",
    ),
]
Trigger = Annotated[
    int | None,
    typer.Option(
        parser=whole_number("--trigger", 0, 119),
        metavar="CC",
        help="In continue: a controller that passes the turn at once, there and back; 64 is the pedal.",
    ),
]
Bpm = Annotated[
    float | None,
    typer.Option(
        parser=number("--bpm", 20, 400), metavar="N", help="The tempo; at 120 a model's frames have their own length."
    ),
]
Sync = Annotated[
    Literal["internal", "midi"],
    typer.Option(
        metavar="internal|midi",
        help="Keep time itself, or follow the MIDI clock, Start, Stop and Song Position that come in.",
    ),
]
Offset = Annotated[
    float,
    typer.Option(
        parser=number("--offset", -200, 200),
        metavar="MS",
        help="With --sync midi: send notes so much later than the clock says, or earlier if below 0.",
    ),
]
ClockOut = Annotated[
    bool,
    typer.Option("--clock-out", help="Send a MIDI clock, Start and Stop with the notes, for others to follow."),
]
Log = Annotated[
    Path | None,
    typer.Option(metavar="FILE.log", help="Write down all that decides what is played; `replay` plays it again."),
]
Bars = Annotated[
    int,
    typer.Option(
        "--bars",
        parser=whole_number("--bars", 1, 256),
        metavar="N",
        help="How many bars controller 29 keeps, of what was just played.",
    ),
]
