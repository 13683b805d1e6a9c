"""Frames on the beat grid, for a model that plays in time with others.

A frame of a quarter of a second drifts through the beat, so that a model trained on it knows no metre. On the grid a
frame is a note value: 1/4, 1/8 or 1/16, whichever lasts nearest (in log ratio) to the wanted frame at the file's median
tempo. Three steps:

1. Times become beats by the file's tempo map.
2. The grid's phase comes from the onsets: transcribed files keep a constant offset between their beats and their notes
   (POP909's, up to half a sixteenth). The phase is the circular mean of the onsets within a sixteenth; the length of
   the mean vector, 0 to 1, is their agreement (N. I. Fisher, Statistical Analysis of Circular Data, 1993, section 2.3).
   Below `MIN_AGREEMENT` the piece has no such grid (swing, 12/8, a free performance) and should be left out.
3. Each onset goes to its nearest sixteenth, so that no early note falls into the frame before; of two that are equally
   near it is the earlier, in which the note begins. Ends stay where they are. A frame longer than a sixteenth begins
   where most onsets do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import TOLERANCE, FrameSpec, Rule, notes_to_frames
from cgrnn_train.data.score import Score

NOTE_VALUES = {"1/4": 4, "1/8": 2, "1/16": 1}
"""The note values that a frame may be, in sixteenths."""

MIN_AGREEMENT = 0.7
"""Least length of the onsets' mean vector: their circular standard deviation is then 0.13 of a sixteenth."""

SIXTEENTH = 0.25
"""A sixteenth in beats (quarter notes)."""

DEFAULT_BPM = 120.0
"""Tempo at which a set of note values names its frame in seconds: the MIDI standard's, and the instrument's."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The beat grid of one piece.

    note_value, frame_seconds: what a frame is here, and its length in seconds at the piece's median tempo.
    phase: of the sixteenths, -0.5 to 0.5 of one. agreement: of the onsets on it, 0 to 1.
    near_beats, near_grid: shares of onsets within a tenth of a sixteenth of the file's own sixteenths, and of ours.
    """

    note_value: str
    frame_seconds: float
    phase: float
    agreement: float
    near_beats: float
    near_grid: float


def estimate_grid(score: Score, frame_seconds: float) -> Grid:
    """Return the grid of a score for frames of about `frame_seconds`."""
    onsets = score.beats(score.start) / SIXTEENTH
    mean = np.exp(2j * np.pi * onsets).mean()
    phase = float(np.angle(mean)) / (2 * np.pi)
    note_value, seconds = nearest_note_value(frame_seconds, _median_tempo(score))
    return Grid(note_value, seconds, phase, float(abs(mean)), _share_near(onsets), _share_near(onsets - phase))


def nearest_note_value(frame_seconds: float, bpm: float) -> tuple[str, float]:
    """Return the note value that lasts nearest to `frame_seconds` at a tempo, by log ratio, and how long it lasts."""
    seconds = {value: sixteenths * SIXTEENTH * 60 / bpm for value, sixteenths in NOTE_VALUES.items()}
    value = min(seconds, key=lambda value: abs(math.log(seconds[value] / frame_seconds)))
    return value, seconds[value]


def grid_frames(score: Score, grid: Grid, rule: Rule) -> NDArray[np.bool_]:
    """Return the (time, 128) frames of a score on its grid, from about the frame of its first onset."""
    onset = np.ceil(score.beats(score.start) / SIXTEENTH - grid.phase - 0.5 - TOLERANCE)
    end = np.maximum(score.beats(score.end) / SIXTEENTH - grid.phase, onset)
    length = NOTE_VALUES[grid.note_value]
    first = onset.min() - (onset.min() - _commonest(onset, length)) % length  # at or before the first onset
    return notes_to_frames(score.pitch, (onset - first) / length, (end - first) / length, FrameSpec(1.0, rule))


def _commonest(onset: NDArray[np.float64], length: int) -> int:
    """Return which sixteenth of a frame most onsets fall on, 0 to length - 1."""
    return int(np.bincount(onset.astype(np.int64) % length, minlength=length).argmax())


def _median_tempo(score: Score) -> float:
    """Return the tempo, in beats a minute, above which the piece spends half its time from first to last onset."""
    bounds = np.clip(np.append(score.tempo_start, np.inf), score.start.min(), score.start.max())
    order = np.argsort(score.tempo_bpm)
    spent = np.cumsum(np.diff(bounds)[order])
    return float(score.tempo_bpm[order][np.searchsorted(spent, spent[-1] / 2)])


def _share_near(onsets: NDArray[np.float64]) -> float:
    """Return the share of onsets within 0.1 of a whole number."""
    return float(np.mean(np.abs(onsets - np.round(onsets)) <= 0.1))
