"""Chords by their names."""

from __future__ import annotations

import re

from cgrnn_live.options import ACCIDENTALS, PITCH_CLASSES, OptionError

CHORDS = {
    "maj": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "mmaj7": (0, 3, 7, 11),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2),
    "m9": (0, 3, 7, 10, 2),
    "add9": (0, 4, 7, 2),
    "5": (0, 7),
}
"""Semitones above the root."""

ALIASES = {"": "maj", "M": "maj", "M7": "maj7", "M9": "maj9", "+": "aug", "sus": "sus4", "ø": "m7b5", "°": "dim"}

ROOT = r"([A-Ga-g])([#♯b♭]?)"


def parse_chord(text: str) -> frozenset[int]:
    """Return the pitch classes, 0 (C) to 11, of a chord such as "Cmaj7", "F#m7b5" or "C/Bb", bass included."""
    parts = re.fullmatch(rf"{ROOT}([^/]*?)(?:/{ROOT})?", "".join(text.split()))
    if parts is not None:
        kind = ALIASES.get(parts[3]) or parts[3].casefold().replace("min", "m").replace("♭", "b").replace("-", "m")
        if kind in CHORDS:
            root = _pitch_class(parts[1], parts[2])
            bass = [] if parts[4] is None else [_pitch_class(parts[4], parts[5])]
            return frozenset([(root + step) % 12 for step in CHORDS[kind]] + bass)
    raise OptionError(f"--chord is {text!r}; give a root and one of {', '.join(CHORDS)}, such as 'Cmaj7' or 'F#m'.")


def _pitch_class(letter: str, accidental: str) -> int:
    return (PITCH_CLASSES[letter.casefold()] + ACCIDENTALS[accidental]) % 12
