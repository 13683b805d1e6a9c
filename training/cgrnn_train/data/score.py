"""The notes of one MIDI file, in seconds, and its tempo map.

symusic reads the bytes; pretty_midi, two orders of magnitude slower, is asked where symusic refuses. Both leave the
same notes: those of every track, drums (channel 10) excluded.

When a key is struck again before its note-off, the MIDI standard leaves open which note-off ends which note. symusic
pairs first in, first out, so that one lost note-off lengthens every later note of that key; here, as in pretty_midi,
the first note-off after its start ends a note. Differences that remain: a note of no length is kept (pretty_midi drops
it), and tempo changes count on any track (pretty_midi reads those of the first).
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pretty_midi
import symusic
from numpy.typing import NDArray

from cgrnn_train.data.errors import UnusableFileError

DEFAULT_TEMPO = 500_000
"""Microseconds a quarter note until the first tempo event: 120 beats a minute, as the MIDI standard says."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """The notes of one file: pitch 0..127, start and end in seconds, each (notes,); and the tempo map.

    tempo_start, tempo_bpm: (tempos,) seconds at which each tempo begins, the first at 0, and quarter notes a minute.
    """

    pitch: Integers
    start: Floats
    end: Floats
    tempo_start: Floats
    tempo_bpm: Floats

    def beats(self, seconds: Floats) -> Floats:
        """Return the quarter notes from the beginning of the file to each time."""
        per_second = self.tempo_bpm / 60
        elapsed = np.concatenate([[0.0], np.cumsum(np.diff(self.tempo_start) * per_second[:-1])])
        tempo = np.searchsorted(self.tempo_start, seconds, side="right") - 1
        return elapsed[tempo] + (seconds - self.tempo_start[tempo]) * per_second[tempo]


def read_score(data: bytes) -> Score:
    """Return the score of a MIDI file's bytes; UnusableFileError if no parser reads it or it has no pitched note."""
    try:
        score = _by_symusic(data)
    except Exception as refusal:  # a parser may raise anything on hostile bytes, and its reason goes into the report
        try:
            score = _by_pretty_midi(data)
        except Exception as error:
            raise UnusableFileError(f"does not parse (symusic: {refusal}; pretty_midi: {error})") from error
    if not score.pitch.size:
        raise UnusableFileError("has no note outside the drum channel")
    return score


def _by_symusic(data: bytes) -> Score:
    """Read with symusic, in ticks; seconds are ours, for its own are float32."""
    midi: Any = symusic.Score.from_midi(data, ttype="tick")  # its stubs do not know what the factory makes
    if midi.tpq <= 0:
        raise ValueError(f"{midi.tpq} ticks a quarter note")
    tracks = [track.notes.numpy() for track in midi.tracks if not track.is_drum]
    key = _joined([notes["pitch"] + np.int64(128 * number) for number, notes in enumerate(tracks)])
    start = _joined([notes["time"] for notes in tracks])
    end = start + _joined([notes["duration"] for notes in tracks])
    if start.min(initial=0) < 0:
        raise ValueError("its ticks overflow")

    ticks, microseconds = _tempo_map(midi.tempos.numpy())
    bounds = np.append(ticks, max(ticks[-1], end.max(initial=0)) + 1)  # each tempo lasts until the next bound
    seconds = np.append(0.0, np.cumsum(np.diff(bounds) * microseconds / (1e6 * midi.tpq)))
    end = _first_note_off(key, start, end)
    return Score(
        key % 128, np.interp(start, bounds, seconds), np.interp(end, bounds, seconds), seconds[:-1], 60e6 / microseconds
    )


def _tempo_map(tempos: dict[str, NDArray[np.int32]]) -> tuple[Integers, Floats]:
    """Return the ticks at which tempos begin, the first at 0, and their microseconds a quarter note."""
    order = np.argsort(tempos["time"], kind="stable")
    ticks = tempos["time"][order].astype(np.int64)
    microseconds = tempos["mspq"][order].astype(np.float64)
    if not ticks.size or ticks[0] > 0:
        ticks, microseconds = np.concatenate([[0], ticks]), np.concatenate([[DEFAULT_TEMPO], microseconds])
    if ticks[0] < 0 or microseconds.min() <= 0:
        raise ValueError("its tempo map has a negative time or a tempo of zero")
    return ticks, microseconds


def _joined(columns: list[NDArray[Any]]) -> Integers:
    """Concatenate the tracks' columns of integers; none give none."""
    return np.concatenate([np.zeros(0, np.int64), *columns])


def _first_note_off(key: Integers, start: Integers, end: Integers) -> Integers:
    """End each note at the first note-off of its key (track and pitch) after its start; ticks throughout.

    The note-offs of a key are its notes' ends, whichever way they were paired. A note of no length stays one.
    """
    offs = np.sort(key << 32 | end)
    after = np.searchsorted(offs, key << 32 | start, side="right")
    first = offs[np.minimum(after, offs.size - 1)] & 0xFFFFFFFF if offs.size else end
    return np.where(end > start, first, end)


def _by_pretty_midi(data: bytes) -> Score:
    """Read with pretty_midi."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of tempo events off the first track, which is no fault of the user
        midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    notes = [note for instrument in midi.instruments if not instrument.is_drum for note in instrument.notes]
    tempo_start, tempo_bpm = midi.get_tempo_changes()
    return Score(
        np.array([note.pitch for note in notes], np.int64),
        np.array([note.start for note in notes], np.float64),
        np.array([note.end for note in notes], np.float64),
        np.asarray(tempo_start, np.float64),
        np.asarray(tempo_bpm, np.float64),
    )
