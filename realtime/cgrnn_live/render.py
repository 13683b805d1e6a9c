"""Continuing a phrase offline: no clock, no ports, the same bytes for the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES, Note, frames_to_notes
from cgrnn_live.ledger import NOTE_OFF, NOTE_ON
from cgrnn_live.loading import Sampling, open_engine
from cgrnn_live.midifile import Track, midi_file
from cgrnn_live.options import DEFAULT_BPM
from cgrnn_live.player import Frame, Improviser
from cgrnn_live.prompt import read_prompt
from cgrnn_live.recording import MODEL, FileError, is_same_file, write_whole
from cgrnn_live.status import tell

if TYPE_CHECKING:
    from cgrnn_live.engine import Evidence

PROMPT = "Prompt"
VELOCITY = 80


def render(prompt_path: Path, out_path: Path, seconds: float, sampling: Sampling) -> dict[str, Any]:
    """Write the phrase and ``seconds`` of its continuation, each on a track of its own, and return the summary.

    Raises:
        UsageError: the prompt cannot be read, or the file cannot be written.
        BundleError: the model's bundle is missing or broken.
    """
    if is_same_file(prompt_path, out_path):
        raise FileError(f"{out_path} is the prompt itself; give another name for the file to write.")
    engine, evidence = open_engine(sampling)
    prompt = read_prompt(prompt_path, engine.frame_spec)
    spec = replace(engine.frame_spec, frame_seconds=prompt.frame_seconds)
    frames = improvise(engine, evidence, math.ceil(seconds / spec.frame_seconds), prompt.frames)
    offset = len(prompt.frames) * spec.frame_seconds
    notes = [Note(pitch, start + offset, end + offset) for pitch, start, end in frames_to_notes(frames, spec)]
    write_notes(out_path, {PROMPT: prompt.notes, MODEL: notes}, prompt.bpm)
    tell(f"Wrote {out_path}: {seconds:g} s from {offset:g} s on, seed {sampling.seed}.")
    return {"file": str(out_path), "seed": sampling.seed, "frames": len(frames), "notes": len(notes)}


def improvise(
    improviser: Improviser, evidence: Evidence, count: int, prompt: Iterable[Frame] = ()
) -> NDArray[np.bool_]:
    """Return the ``count`` frames that follow ``prompt``, (time, 128) booleans."""
    for frame in prompt:
        improviser.advance(frame)
    frames = np.zeros((count, PITCHES), np.bool_)
    for frame in frames:
        frame[:] = improviser.sample(evidence)
        improviser.advance(frame)
    return frames


def write_notes(path: Path, tracks: dict[str, Sequence[Note]], bpm: float = DEFAULT_BPM) -> None:
    """Write named tracks of notes as a MIDI file of that tempo; FileError if it cannot be written."""
    chunks = [_track(name, notes, bpm).chunk() for name, notes in tracks.items()]
    write_whole(path, midi_file(chunks, bpm))


def _track(name: str, notes: Sequence[Note], bpm: float) -> Track:
    events = [(note.end, False, note.pitch) for note in notes] + [(note.start, True, note.pitch) for note in notes]
    track = Track(name, bpm)
    for seconds, begins, pitch in sorted(events):
        track.add((NOTE_ON, pitch, VELOCITY) if begins else (NOTE_OFF, pitch, 0), seconds)
    return track
