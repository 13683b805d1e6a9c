"""The options that several commands of `cgrnn-live` share: each has one meaning and one help text."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cgrnn_live.options import check_range, number, parse_scale, whole_number

if TYPE_CHECKING:
    from cgrnn_live.loading import Sampling

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


def sampling_of(
    seed: int | None,
    model: str | None,
    temperature: float | None,
    gibbs: int | None,
    low: int,
    high: int,
    scale: frozenset[int] | None,
) -> Sampling:
    """Return what these options mean; OptionError if no pitch is left. Without a seed, one by chance."""
    from cgrnn_live.loading import Sampling

    check_range(low, high, scale)
    chosen = secrets.randbits(32) if seed is None else seed
    return Sampling(chosen, model, temperature, gibbs, low, high, scale)
