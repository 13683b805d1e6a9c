"""What the options mean: text to checked values, each error one sentence. `--help` passes here: no heavy imports."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from cgrnn_live.errors import UsageError

DEFAULT_BPM = 120.0
"""The tempo at which a model's frames have their own length."""

CLOCKS_A_WHOLE_NOTE = 96

SHORTEST_FRAME, LONGEST_FRAME = 0.01, 60.0
FRAME_LIMITS = f"{SHORTEST_FRAME:g} to {LONGEST_FRAME:g} seconds"

PITCH_CLASSES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
"""Semitones above the tonic."""


class OptionError(UsageError):
    """An option that means nothing."""


def number(option: str, low: float, high: float) -> Callable[[str | float], float]:
    """Return a parser of the decimal numbers from ``low`` to ``high``, both included."""

    def parse(text: str | float) -> float:
        value = _float(text)
        if not low <= value <= high:  # so that NaN fails
            raise OptionError(f"{option} is {text}; give a number from {low:g} to {high:g}.")
        return value

    return parse


def whole_number(option: str, low: int, high: int) -> Callable[[str | int], int]:
    """Return a parser of the whole numbers from ``low`` to ``high``, both included."""

    def parse(text: str | int) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise OptionError(f"{option} is {text}; give a whole number from {low} to {high}.")
        return value

    return parse


def parse_scale(text: str) -> frozenset[int]:
    """Return the pitch classes, 0 (C) to 11, of a scale such as "C minor" or "F# major pentatonic"."""
    tonic, _, kind = " ".join(text.split()).partition(" ")
    parts = re.fullmatch(r"([a-g])([#♯b♭]?)", tonic.casefold())
    if parts is None or kind.casefold() not in SCALES:
        hint = " (in quotes)" if parts is not None and not kind else ""
        raise OptionError(f"--scale is {text!r}; give a tonic and one of {', '.join(SCALES)}, such as 'C minor'{hint}.")
    root = PITCH_CLASSES[parts[1]] + ACCIDENTALS[parts[2]]
    return frozenset((root + step) % 12 for step in SCALES[kind.casefold()])


@dataclass(frozen=True)
class FrameLength:
    """How long a frame lasts: in seconds, or as a part of a whole note."""

    length: float
    is_note_value: bool


def parse_frame(text: str) -> FrameLength:
    """Return a frame's length from seconds, "0.25", or a note value, "1/8"."""
    if match := re.fullmatch(r"(\d{1,3})/([1-9]\d{0,2})", text.strip()):
        length, is_note_value = int(match[1]) / int(match[2]), True
    else:
        length, is_note_value = _float(text), False
    if not SHORTEST_FRAME <= length <= LONGEST_FRAME:
        raise OptionError(f"--frame is {text}; give {FRAME_LIMITS}, or a note value such as 1/8.")
    return FrameLength(length, is_note_value)


def frame_seconds(own: float, frame: FrameLength | None, bpm: float | None) -> float:
    """Return how long a frame lasts, in seconds.

    A note value lasts as the tempo says; without ``frame`` the model's ``own`` length in seconds is scaled from
    `DEFAULT_BPM` to ``bpm``; seconds stay seconds.
    """
    tempo = bpm or DEFAULT_BPM
    if frame is None:
        seconds = own * DEFAULT_BPM / tempo
    elif frame.is_note_value:
        seconds = frame.length * 4 * 60 / tempo
    else:
        seconds = frame.length
    if not SHORTEST_FRAME <= seconds <= LONGEST_FRAME:
        raise OptionError(f"A frame would last {seconds:g} s; give a --frame and --bpm that make it {FRAME_LIMITS}.")
    return seconds


def clocks_per_frame(own: float, frame: FrameLength | None) -> int:
    """Return how many MIDI clocks a frame lasts; the model's ``own`` seconds are those at `DEFAULT_BPM`."""
    if frame is not None and not frame.is_note_value:
        raise OptionError(
            f"--frame is {frame.length:g} seconds, but --sync midi counts clocks; give a note value, such as 1/8."
        )
    whole_notes = own * DEFAULT_BPM / 240 if frame is None else frame.length
    length = whole_notes * CLOCKS_A_WHOLE_NOTE
    if abs(length - round(length)) > 1e-6:
        raise OptionError(f"A frame would last {length:.6g} MIDI clocks; give a --frame of whole ones, such as 1/8.")
    return round(length)


def check_range(low: int, high: int, scale: frozenset[int] | None, option: str = "--scale") -> None:
    """Raise OptionError unless ``low`` to ``high`` holds a pitch of ``scale``, which ``option`` gave."""
    if low > high:
        raise OptionError(f"--low is {low} and --high is {high}; give a --low that is not above --high.")
    if scale is not None and not any(pitch % 12 in scale for pitch in range(low, high + 1)):
        raise OptionError(f"No pitch from --low {low} to --high {high} is in the {option}; give a wider range.")


def _float(text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
