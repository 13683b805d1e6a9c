"""A phrase from a MIDI file, as the model hears it.

A model on the beat grid hears note values: a frame of the phrase is 1/16, 1/8 or 1/4, whichever lasts nearest to the
model's frame (in log ratio) at the phrase's tempo, and each onset goes to its nearest sixteenth. The workshop made the
model's training data so (`cgrnn_train.data.grid`); only the grid's phase is here the file's own.
"""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import TOLERANCE, FrameSpec, Note, notes_to_frames
from cgrnn_live.errors import UsageError
from cgrnn_live.options import DEFAULT_BPM

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

SIXTEENTH = 0.25
"""In beats (quarter notes)."""

NOTE_VALUES = (1, 2, 4)
"""The note values that a frame of a phrase may be, in sixteenths."""

SLOWEST, FASTEST = 10.0, 1000.0
"""Beats a minute that a phrase on the beat grid may have."""


class PromptError(UsageError):
    """A MIDI file that cannot be read, or holds no notes."""


class Prompt(NamedTuple):
    """A phrase.

    notes: in seconds; those of a phrase on the beat grid as if it all had the tempo ``bpm``.
    frames: (time, 128) booleans, each of ``frame_seconds``.
    bpm: the tempo, in beats a minute, above which the phrase spends half its time; off the grid `DEFAULT_BPM`.
    """

    notes: list[Note]
    frames: NDArray[np.bool_]
    frame_seconds: float
    bpm: float


def read_prompt(path: Path, spec: FrameSpec) -> Prompt:
    """Return the phrase in a MIDI file, drums left out, from the file's beginning to its last note's end.

    With ``spec.note_value`` the phrase is on the beat grid (see above), else its frames are of ``spec.frame_seconds``.

    Raises:
        PromptError: the file is missing, is not MIDI, or has no notes that last.
    """
    if not os.path.isfile(path):  # unlike Path's, it takes any name
        raise PromptError(f"{path} is not there; give a MIDI file.")
    try:
        midi, notes = _parse(path)
    except Exception as error:  # its parsers raise whatever a broken file makes them stumble on
        raise PromptError(
            f"{path} cannot be read as MIDI ({str(error) or type(error).__name__}); give a .mid file."
        ) from error
    if not notes:
        raise PromptError(f"{path} has no notes besides drums; give a MIDI file with at least one.")
    try:
        return _on_clock(notes, spec) if spec.note_value is None else _on_grid(midi, notes, spec)
    except ValueError as error:
        raise PromptError(f"{path} cannot be a prompt ({error}); give another file.") from error


def _parse(path: Path) -> tuple[PrettyMIDI, list[Note]]:
    """Return the file and its notes that last, drums left out, by start, then pitch."""
    import pretty_midi  # a quarter of a second, and most performances have no prompt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tempo changes on tracks where they are unusual: they are read all the same
        midi = pretty_midi.PrettyMIDI(str(path))
    melodic = [note for instrument in midi.instruments if not instrument.is_drum for note in instrument.notes]
    notes = [Note(note.pitch, note.start, note.end) for note in melodic if note.end > note.start]
    return midi, sorted(notes, key=lambda note: (note.start, note.pitch))


def _on_clock(notes: list[Note], spec: FrameSpec) -> Prompt:
    pitch, start, end = zip(*notes, strict=True)
    return Prompt(notes, notes_to_frames(pitch, start, end, spec), spec.frame_seconds, DEFAULT_BPM)


def _on_grid(midi: PrettyMIDI, notes: list[Note], spec: FrameSpec) -> Prompt:
    bpm = _median_tempo(midi, notes)
    if not SLOWEST <= bpm <= FASTEST:
        raise ValueError(f"its tempo is {bpm:g}; expected {SLOWEST:g} to {FASTEST:g} beats a minute")
    beat = 60 / bpm  # seconds
    length = min(NOTE_VALUES, key=lambda length: abs(math.log(length * SIXTEENTH * beat / spec.frame_seconds)))
    beats = [
        Note(pitch, *(midi.time_to_tick(time) / midi.resolution for time in (start, end)))
        for pitch, start, end in notes
    ]
    pitch, start, end = (np.array(column) for column in zip(*beats, strict=True))
    onset = np.ceil(start / SIXTEENTH - 0.5 - TOLERANCE)  # of two sixteenths that are equally near, the earlier
    stop = np.maximum(end / SIXTEENTH, onset)
    frames = notes_to_frames(pitch, onset / length, stop / length, FrameSpec(1.0, spec.rule))
    played = [Note(note.pitch, note.start * beat, note.end * beat) for note in beats]
    return Prompt(played, frames, length * SIXTEENTH * beat, bpm)


def _median_tempo(midi: PrettyMIDI, notes: list[Note]) -> float:
    """Return the tempo, in beats a minute, above which the phrase spends half its time."""
    times, tempos = midi.get_tempo_changes()
    bounds = np.clip(np.append(times, np.inf), notes[0].start, max(note.end for note in notes))
    order = np.argsort(tempos)
    spent = np.cumsum(np.diff(bounds)[order])
    return float(tempos[order][np.searchsorted(spent, spent[-1] / 2)])
