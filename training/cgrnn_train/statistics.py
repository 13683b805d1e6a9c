"""Musical statistics of piano-roll frames, and how near two bodies of music are in them.

Five distributions, each over all the pieces given, and each a histogram that sums to 1 (to 0 where nothing was there
to count):

polyphony       (129,) notes in a frame, silence included
pitch           (128,) pitches of all frames' notes
bar_entropy     (24,) entropy of the pitch classes of a bar, in bits, in equal bins from 0 to log2(12); a bar is a
                number of frames, each note counts once a frame, silent bars are left out. Wu and Yang, "The Jazz
                Transformer on the front line", ISMIR 2020, section 4.1.
note_length     (32,) length of a note in frames, 1 to 32 and longer; a note is a run of one pitch
transition      (12, 12) from pitch class i to pitch class j where the set of pitch classes changes. Yang and Lerch, "On
                the evaluation of generative models in music", 2020, count consecutive notes of a melody; here frames
                hold sets, so a change from set A to set B adds 1/(|A||B|) for each i of A and j of B: one in all,
                however thick the chords. Frames that hold on and silences are no transitions.

Two distributions p and q overlap by sum(min(p, q)), which is 1 minus their total variation distance: 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES

PITCH_CLASSES = 12
ENTROPY_BINS = 24
LONGEST_NOTE = 32
DISTRIBUTIONS = ("polyphony", "pitch", "bar_entropy", "note_length", "transition")

Floats = NDArray[np.float64]
Frames = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of a body of music: the five distributions (see the module), and two extremes.

    frames: how many were counted. longest_silence_seconds: of any piece, its ends included. largest_chord: most notes
    of any frame.
    """

    frames: int
    polyphony: Floats
    pitch: Floats
    bar_entropy: Floats
    note_length: Floats
    transition: Floats
    longest_silence_seconds: float
    largest_chord: int


def statistics(pieces: Iterable[Frames], frame_seconds: float, frames_per_bar: int = 8) -> Statistics:
    """Return the statistics of pieces, each (time, 128) bool; ValueError on another shape or dtype.

    frame_seconds: length of a frame. frames_per_bar: a bar of 4/4 has 8 frames of an eighth; a last partial bar is not
    counted.
    """
    frames = longest_silence = largest_chord = 0
    counts = {
        "polyphony": np.zeros(PITCHES + 1),
        "pitch": np.zeros(PITCHES),
        "bar_entropy": np.zeros(ENTROPY_BINS),
        "note_length": np.zeros(LONGEST_NOTE),
        "transition": np.zeros((PITCH_CLASSES, PITCH_CLASSES)),
    }
    for roll in pieces:
        if roll.ndim != 2 or roll.shape[1] != PITCHES or roll.dtype != np.bool_:
            raise ValueError(f"a piece is {roll.dtype} of shape {roll.shape}; expected bool of shape (time, {PITCHES})")
        polyphony = roll.sum(axis=1)  # (time,)
        by_class = pitch_classes(roll)
        frames += len(roll)
        largest_chord = max(largest_chord, int(polyphony.max(initial=0)))
        longest_silence = max(longest_silence, int(run_lengths(polyphony[:, None] == 0).max(initial=0)))
        counts["polyphony"] += np.bincount(polyphony, minlength=PITCHES + 1)
        counts["pitch"] += roll.sum(axis=0)
        counts["bar_entropy"] += _histogram(bar_entropies(by_class, frames_per_bar))
        lengths = np.minimum(run_lengths(roll), LONGEST_NOTE)
        counts["note_length"] += np.bincount(lengths - 1, minlength=LONGEST_NOTE)
        counts["transition"] += transitions(by_class > 0)
    distributions = {name: count / max(count.sum(), 1) for name, count in counts.items()}
    return Statistics(
        frames, **distributions, longest_silence_seconds=longest_silence * frame_seconds, largest_chord=largest_chord
    )


def compare(a: Statistics, b: Statistics) -> dict[str, float]:
    """Return the overlap of each distribution, by name: 1 where they are the same, 0 where they are disjoint."""
    return {name: overlap(getattr(a, name), getattr(b, name)) for name in DISTRIBUTIONS}


def overlap(p: Floats, q: Floats) -> float:
    """Return sum(min(p, q)) of two distributions of one shape; ValueError if their shapes differ."""
    if p.shape != q.shape:
        raise ValueError(f"distributions have shapes {p.shape} and {q.shape}; expected the same")
    return float(np.minimum(p, q).sum())


def pitch_classes(roll: Frames) -> NDArray[np.int64]:
    """Return how many notes of each pitch class sound in each frame: (time, 128) to (time, 12)."""
    padded = np.zeros((len(roll), 11 * PITCH_CLASSES), np.int64)  # 128 pitches are ten octaves and eight semitones
    padded[:, :PITCHES] = roll
    return padded.reshape(len(roll), 11, PITCH_CLASSES).sum(axis=1)


def bar_entropies(by_class: NDArray[np.int64], frames_per_bar: int) -> Floats:
    """Return the entropy, in bits, of each whole bar that is not silent; by_class (time, 12) as `pitch_classes`."""
    bars = len(by_class) // frames_per_bar
    count = by_class[: bars * frames_per_bar].reshape(bars, frames_per_bar, PITCH_CLASSES).sum(axis=1)  # (bar, 12)
    count = count[count.any(axis=1)]
    p = count / count.sum(axis=1, keepdims=True)
    return -(p * np.log2(p, out=np.zeros_like(p), where=p > 0)).sum(axis=1)


def run_lengths(on: Frames) -> NDArray[np.int64]:
    """Return the lengths, in frames, of all runs of True along time of each column of (time, column)."""
    padded = np.zeros((on.shape[1], len(on) + 2), np.int8)
    padded[:, 1:-1] = on.T
    change = np.diff(padded, axis=1)  # (column, time + 1)
    return np.nonzero(change < 0)[1] - np.nonzero(change > 0)[1]  # both by column, then time


def transitions(sets: Frames) -> Floats:
    """Return the (12, 12) counts of transitions between pitch classes; sets (time, 12), True for those that sound."""
    size = sets.sum(axis=1)
    changes = (sets[1:] != sets[:-1]).any(axis=1) & (size[1:] > 0) & (size[:-1] > 0)
    before = sets[:-1][changes] / size[:-1][changes, None]  # (transition, 12), rows sum to 1
    after = sets[1:][changes] / size[1:][changes, None]
    return before.T @ after


def _histogram(entropies: Floats) -> Floats:
    """Return how many entropies fall into each of the equal bins from 0 to log2(12)."""
    bins = np.floor(entropies / np.log2(PITCH_CLASSES) * ENTROPY_BINS).astype(np.int64)
    return np.bincount(np.clip(bins, 0, ENTROPY_BINS - 1), minlength=ENTROPY_BINS).astype(np.float64)
