"""A phrase from a MIDI file, as the model hears it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import FrameSpec, Note, notes_to_frames
from cgrnn_live.errors import UsageError


class PromptError(UsageError):
    """A MIDI file that cannot be read, or holds no notes."""


class Prompt(NamedTuple):
    """A phrase: its notes as they were written, and its frames, (time, 128) booleans."""

    notes: list[Note]
    frames: NDArray[np.bool_]


def read_prompt(path: Path, spec: FrameSpec) -> Prompt:
    """Return the phrase in a MIDI file, drums left out, from the file's beginning to its last note's end.

    Raises:
        PromptError: the file is missing, is not MIDI, or has no notes that last.
    """
    import pretty_midi  # a quarter of a second, and most performances have no prompt

    if not path.is_file():
        raise PromptError(f"{path} is not there; give a MIDI file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of tempo changes on tracks where they are unusual: they are read all the same
            midi = pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # its parsers raise whatever a broken file makes them stumble on
        raise PromptError(
            f"{path} cannot be read as MIDI ({str(error) or type(error).__name__}); give a .mid file."
        ) from error
    notes = [
        Note(note.pitch, note.start, note.end)
        for instrument in midi.instruments
        if not instrument.is_drum
        for note in instrument.notes
        if note.end > note.start
    ]
    if not notes:
        raise PromptError(f"{path} has no notes besides drums; give a MIDI file with at least one.")
    notes.sort(key=lambda note: (note.start, note.pitch))
    pitch, start, end = zip(*notes, strict=True)
    try:
        return Prompt(notes, notes_to_frames(pitch, start, end, spec))
    except ValueError as error:
        raise PromptError(f"{path} cannot be a prompt ({error}); give a shorter file.") from error
