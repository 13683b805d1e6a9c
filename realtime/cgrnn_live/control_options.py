"""The options that keep the model's notes within bounds, and those that say how it strikes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import typer

from cgrnn_live.chords import parse_chord
from cgrnn_live.options import OptionError, check_range, number, whole_number
from cgrnn_live.settings import DENSEST, FARTHEST, SPARSEST, TAKEN, Settings


@dataclass(frozen=True)
class Strength:
    """How hard to strike: ``low`` to ``high`` (1..127) by the metre, or, from ``low`` on, as the player does."""

    low: int
    high: int
    follows: bool = False

    def __str__(self) -> str:
        """As the option is written."""
        if self.follows:
            return "follow"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


class Split(NamedTuple):
    """Notes below ``pitch``, 0..127, go to another ``channel``, 1..16."""

    pitch: int
    channel: int


DEFAULT_VELOCITY = 80
UNIFORM = Strength(DEFAULT_VELOCITY, DEFAULT_VELOCITY)

PEDAL = 64


def parse_velocity(text: str | Strength) -> Strength:
    """Return what "80", "follow" or "60-100" means."""
    if isinstance(text, Strength):
        return text
    if text.strip().casefold() == "follow":
        return Strength(DEFAULT_VELOCITY, DEFAULT_VELOCITY, follows=True)
    if match := re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", text.strip()):
        velocity = Strength(int(match[1]), int(match[2] or match[1]))
        if 1 <= velocity.low <= velocity.high <= 127:
            return velocity
    raise OptionError(
        f"--velocity is {text}; give a whole number from 1 to 127, two as LOW-HIGH, such as 60-100, or follow."
    )


def parse_split(text: str) -> Split:
    """Return what "48:2" means."""
    match = re.fullmatch(r"(\d{1,3}):(\d{1,2})", text.strip())
    if match is None or int(match[1]) > 127 or not 1 <= int(match[2]) <= 16:
        raise OptionError(f"--split is {text!r}; give PITCH:CHANNEL, 0 to 127 and 1 to 16, such as 48:2.")
    return Split(int(match[1]), int(match[2]))


def settings_of(
    low: int,
    high: int,
    scale: frozenset[int] | None,
    chord: frozenset[int] | None,
    *,
    voices: int,
    density: float,
    avoid: int,
    transpose: int,
) -> Settings:
    """Return the settings to begin with; OptionError if they leave no pitch, or scale and chord are both given."""
    if scale is not None and chord is not None:
        raise OptionError("--scale and --chord both say which notes; give one of them.")
    check_range(low, high, chord, "--chord")
    classes = scale if chord is None else chord
    return Settings(low, high, classes, density=density, voices=voices, transpose=transpose, avoid=avoid)


def check_trigger(trigger: int | None, *, passes_pedal: bool) -> None:
    """Raise OptionError if the trigger's controller has another meaning."""
    if trigger in TAKEN:
        first, last = TAKEN[0], TAKEN[-1]
        raise OptionError(f"--trigger is {trigger}, but {first} to {last} are taken; give another controller.")
    if trigger == PEDAL and passes_pedal:
        raise OptionError("--trigger is 64, the pedal that --pedal passes on; leave one of them out.")


Chord = Annotated[
    frozenset[int] | None,
    typer.Option(parser=parse_chord, metavar="CHORD", help="Only notes of this chord, such as Cmaj7."),
]
ControlChannel = Annotated[
    int | None,
    typer.Option(
        parser=whole_number("--control-channel", 1, 16),
        metavar="N",
        help="Keys held on this channel of the input are the chord that the model keeps to, and not music.",
    ),
]
Voices = Annotated[
    int,
    typer.Option(
        parser=whole_number("--voices", 0, 127), metavar="N", help="The most notes of its own at a time; 0: no limit."
    ),
]
Density = Annotated[
    float,
    typer.Option(
        parser=number("--density", SPARSEST, DENSEST),
        metavar="X",
        help="Multiplies the odds of each note: below 1 fewer, above 1 more.",
    ),
]
Avoid = Annotated[
    int,
    typer.Option(
        parser=whole_number("--avoid", 0, FARTHEST),
        metavar="SEMITONES",
        help="Leave you the pitches so near to what you hold or have just struck; 0: none.",
    ),
]
Transpose = Annotated[
    int,
    typer.Option(
        parser=whole_number("--transpose", -FARTHEST, FARTHEST),
        metavar="SEMITONES",
        help="Sound so much higher than the model thinks; it hears you as much lower.",
    ),
]
Articulation = Annotated[
    Literal["legato", "retrigger"],
    typer.Option(metavar="legato|retrigger", help="A note that goes on is held, or struck again in each frame."),
]
Channel = Annotated[
    int, typer.Option(parser=whole_number("--channel", 1, 16), metavar="N", help="The MIDI channel to play on.")
]
Velocity = Annotated[
    Strength,
    typer.Option(
        parser=parse_velocity,
        metavar="N|follow|LOW-HIGH",
        help="How hard notes are struck: always the same, as you do, or with the accents of a 4/4 bar.",
    ),
]
Pedal = Annotated[bool, typer.Option("--pedal", help="Pass your sustain pedal on to what the model plays.")]
SplitAt = Annotated[
    Split | None,
    typer.Option(
        "--split", parser=parse_split, metavar="PITCH:CHANNEL", help="Play notes below PITCH on another MIDI channel."
    ),
]
