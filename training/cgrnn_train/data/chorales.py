"""Bach's four-part chorales, from the corpus that music21 brings along: a real data set that pip installs.

Frames lie on the score's own grid, a quarter note (as in the JSB Chorales benchmark) or an eighth. The split is by
chorale, not the benchmark's, and the pieces are more and other: results on the two are not comparable.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import music21

from cgrnn_bundle.frames import FrameSpec, Rule, notes_to_frames
from cgrnn_train.data.convert import Converted, Report, convert
from cgrnn_train.data.errors import DataError, UnusableFileError
from cgrnn_train.data.grid import DEFAULT_BPM
from cgrnn_train.data.packed import Roll, write_packed
from cgrnn_train.data.splits import SHARES, split_by_group
from cgrnn_train.data.store import check_target

VOICES = 4
NOTE_VALUES = ("1/4", "1/8")
SUFFIXES = (".mxl", ".xml", ".krn")


@dataclass(frozen=True, slots=True)
class ChoraleEncoder:
    """From the name of a score in the corpus to its frames; quarters: a frame's length in quarter notes."""

    quarters: float
    rule: Rule

    def __call__(self, name: str) -> Converted:
        """Return the frames of one chorale; UnusableFileError if it is not in four parts."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # music21 warns of oddities in its own files, which no user can mend
            score: Any = music21.corpus.parse(name)
            if len(score.parts) != VOICES:
                raise UnusableFileError(f"has {len(score.parts)} parts, not {VOICES} voices")
            notes = [note for note in score.stripTies().flatten().notes if note.quarterLength > 0]  # no grace notes
        columns = [
            (pitch.midi, float(note.offset), float(note.offset + note.quarterLength))
            for note in notes
            for pitch in note.pitches
        ]
        pitch, start, end = zip(*columns, strict=True)
        return Converted(notes_to_frames(pitch, start, end, FrameSpec(self.quarters, self.rule)))


def prepare_chorales(
    out: Path, *, note_value: str = "1/8", rule: Rule = "half", seed: int = 0, workers: int = 1
) -> dict[str, Any]:
    """Write the chorales of music21's corpus as data set `out`; return the meta.

    note_value: what a frame is, "1/4" or "1/8". Raises DataError.
    """
    if note_value not in NOTE_VALUES:
        raise DataError(f"found the note value {note_value!r}; expected {' or '.join(NOTE_VALUES)}")
    check_target(out)
    quarters = float(4 * Fraction(note_value))
    spec = FrameSpec(quarters * 60 / DEFAULT_BPM, rule, note_value)
    names = sorted(f"bach/{path.name}" for path in music21.corpus.getComposer("bach") if _is_score(path))
    split_of = split_by_group(names, seed, _work)
    report = Report("music21's corpus of Bach", len(names))
    meta: dict[str, Any] = {
        "source": f"Bach chorales, corpus of music21 {music21.__version__}",
        "licence": "music in the public domain; encodings as music21's corpus/license.txt states",
        "seed": seed,
        "split_rule": f"{SHARES} by chorale",
    }

    def rolls() -> Iterator[Roll]:
        for name, (frames, _) in convert(ChoraleEncoder(quarters, rule), names, workers, report):
            yield Roll(name, split_of[name], frames)
        meta["files"] = report.counts

    written = write_packed(out, rolls(), spec, meta)
    report.write(out)
    return written


def _is_score(path: Path) -> bool:
    """Say whether a file of the corpus is a score: the others are analyses."""
    return path.name.startswith("bwv") and path.suffix in SUFFIXES


def _work(name: str) -> str:
    """Return the catalogue number of a score: bwv248.23-s and bwv248.23-2 are versions of one chorale."""
    match = re.search(r"bwv[\d.]*\d", name)
    return match.group() if match else name
