"""The options that several commands of `cgrnn-live` share: each has one meaning and one help text."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cgrnn_live.options import number, parse_scale, whole_number

Model = Annotated[str | None, typer.Option(metavar="NAME|PATH", help="A shipped model or a bundle; see `models`.")]
Temperature = Annotated[
    float | None,
    typer.Option(
        parser=number("--temperature", 0.01, 100),
        metavar="X",
        help="Below 1 plainer, above 1 wilder. The model's own if not given.",
    ),
]
Gibbs = Annotated[
    int | None,
    typer.Option(
        parser=whole_number("--gibbs", 1, 10_000),
        metavar="K",
        help="Sweeps of Gibbs sampling a frame. The model's own if not given.",
    ),
]
Low = Annotated[int, typer.Option(parser=whole_number("--low", 0, 127), metavar="P", help="The lowest MIDI pitch.")]
High = Annotated[int, typer.Option(parser=whole_number("--high", 0, 127), metavar="P", help="The highest MIDI pitch.")]
Scale = Annotated[
    frozenset[int] | None,
    typer.Option(parser=parse_scale, metavar="SCALE", help="Only notes of this scale, such as 'C minor'."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        parser=whole_number("--seed", 0, 2**63 - 1),
        metavar="N",
        help="The same seed plays the same. A new one each time if not given.",
    ),
]
Seconds = Annotated[
    float, typer.Option(parser=number("--seconds", 0.1, 3600), metavar="S", help="How long the model plays.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Api = Annotated[
    Literal["auto", "alsa", "jack", "coremidi", "winmm"],
    typer.Option(metavar="auto|alsa|jack|coremidi|winmm", help="The MIDI system; auto takes the first that answers."),
]
