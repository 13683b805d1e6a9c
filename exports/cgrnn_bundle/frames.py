"""Notes to piano-roll frames and back: the only encoder in the project.

Conventions: times are in seconds, pitches are MIDI note numbers 0..127, a roll of frames is a (time, pitch) array of
booleans, and frame k is the interval [k, k + 1) * frame_seconds.

Boundaries: a time within `TOLERANCE` of a frame of a boundary lies on it. So a note that starts at k * frame_seconds
belongs to frame k however those numbers were rounded: 0.7 / 0.1 is 6.999999999999999, and yet frame 7.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

PITCHES = 128
"""Pitches of a frame: every MIDI note number."""

TOLERANCE = 1e-6
"""Width of a boundary in frames: far above float64 rounding (1e-10 of a frame after a day), far below hearing."""

MAX_FRAMES = 1 << 18
"""Longest roll, 18 hours of quarter-second frames: a broken file that claims more must not exhaust memory."""

Rule = Literal["half", "cover"]


class Note(NamedTuple):
    """One note: MIDI pitch 0..127, start and end in seconds."""

    pitch: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """What one frame means.

    frame_seconds: the interval's length in seconds.
    rule: "half": a pitch is on if a note starts in the interval or sounds for at least half of it, so that no short
        note is lost and no tail smears into the next frame; "cover": on if it sounds in any part of it (the CGRNN
        paper's "activated in the interval").
    note_value: the frame as a note value of the beat grid, such as "1/8"; frame_seconds is then its length at the
        default tempo.
    """

    frame_seconds: float = 0.25
    rule: Rule = "half"
    note_value: str | None = None

    def __post_init__(self) -> None:
        """Refuse a spec that means nothing: ValueError."""
        if not (math.isfinite(self.frame_seconds) and self.frame_seconds > 0):
            raise ValueError(f"frame_seconds is {self.frame_seconds}; give a positive number of seconds, such as 0.25")
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule is {self.rule!r}; give one of {', '.join(get_args(Rule))}")
        if self.note_value is not None and not re.fullmatch(r"[1-9]\d{0,3}/[1-9]\d{0,3}", self.note_value):
            raise ValueError(f"note_value is {self.note_value!r}; give a fraction of a whole note, such as '1/8'")


def notes_to_frames(
    pitch: ArrayLike, start: ArrayLike, end: ArrayLike, spec: FrameSpec, frame_count: int | None = None
) -> NDArray[np.bool_]:
    """Return the (time, 128) roll of the notes under `spec.rule`.

    pitch, start, end: one entry a note, equal lengths (notes,); integers 0..127, seconds, seconds. Notes may overlap
        and come in any order. A note of no length still shows in the frame that it starts in.
    frame_count: length of the roll; notes beyond it are cut. Without it the roll ends with the last frame that is on.

    Each note is judged by itself, and that loses nothing: notes of one pitch that sound in a frame without starting
    there all sound from its beginning, so the longest of them covers the others.

    Raises ValueError on unequal lengths, pitches outside 0..127, negative, unordered or non-finite times, and a roll
    of more than `MAX_FRAMES`.
    """
    pitches, starts, ends = _validated(pitch, start, end)
    first = np.floor(starts / spec.frame_seconds + TOLERANCE)
    if spec.rule == "half":
        stop = np.floor(ends / spec.frame_seconds + 0.5 + TOLERANCE)
    else:
        stop = np.ceil(ends / spec.frame_seconds - TOLERANCE)
    stop = np.maximum(stop, first + 1)

    count = stop.max(initial=0.0) if frame_count is None else frame_count
    if not 0 <= count <= MAX_FRAMES:
        raise ValueError(f"the roll would have {count:.0f} frames; expected 0 to {MAX_FRAMES}: check times and spec")
    frames = int(count)

    begin = np.minimum(first, frames).astype(np.int32)
    length = np.minimum(stop, frames).astype(np.int32) - begin  # (notes,) frames of each note
    total = int(length.sum(dtype=np.int64))
    if total > MAX_FRAMES * PITCHES:
        raise ValueError(f"the notes sound for {total} frames in all; expected at most {MAX_FRAMES * PITCHES}")

    # Every cell of every note: the note's pitch in its first frame, and so many frames further on.
    further = np.arange(total, dtype=np.int32) - np.repeat(np.cumsum(length) - length, length)
    roll = np.zeros((frames, PITCHES), np.bool_)
    roll[np.repeat(begin, length) + further, np.repeat(pitches, length)] = True
    return roll


def frames_to_notes(frames: NDArray[np.bool_], spec: FrameSpec) -> list[Note]:
    """Return the notes of a (time, 128) roll, sorted by start, then pitch.

    Each run of consecutive on-frames of a pitch is one note. `notes_to_frames` of the result, with the same spec and
    frame count, is `frames` again. Raises ValueError on another shape or dtype.
    """
    if frames.ndim != 2 or frames.shape[1] != PITCHES or frames.dtype != np.bool_:
        raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}; expected bool of shape (time, {PITCHES})")
    padded = np.zeros((PITCHES, len(frames) + 2), np.int8)
    padded[:, 1:-1] = np.transpose(frames)
    change = padded[:, 1:] - padded[:, :-1]  # (pitch, time + 1)
    pitch, first = np.nonzero(change > 0)
    _, stop = np.nonzero(change < 0)  # in the same order: by pitch, then time
    order = np.lexsort((pitch, first))
    columns = (pitch[order].tolist(), first[order].tolist(), stop[order].tolist())
    return [Note(p, a * spec.frame_seconds, b * spec.frame_seconds) for p, a, b in zip(*columns, strict=True)]


def _validated(
    pitch: ArrayLike, start: ArrayLike, end: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return the three columns as arrays; ValueError says which one is wrong, and how."""
    pitches: NDArray[Any] = np.asarray(pitch)
    starts = np.asarray(start, np.float64)
    ends = np.asarray(end, np.float64)
    if pitches.ndim != 1 or not pitches.shape == starts.shape == ends.shape:
        shapes = f"{pitches.shape}, {starts.shape} and {ends.shape}"
        raise ValueError(f"pitch, start and end have shapes {shapes}; expected three of one shape (notes,)")
    if pitches.size == 0:
        return pitches.astype(np.intp), starts, ends
    if not np.issubdtype(pitches.dtype, np.integer):
        raise ValueError(f"pitches are {pitches.dtype}; expected integers")
    if pitches.min() < 0 or pitches.max() >= PITCHES:
        raise ValueError(f"pitches span {pitches.min()} to {pitches.max()}; expected 0 to {PITCHES - 1}")
    if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
        raise ValueError("a note's start or end is not a finite number; expected seconds")
    if starts.min() < 0:
        raise ValueError(f"a note starts at {starts.min()} s; expected 0 s or later")
    if (ends < starts).any():
        note = int(np.argmax(ends < starts))
        raise ValueError(f"note {note} starts at {starts[note]} s and ends at {ends[note]} s; expected start <= end")
    return pitches.astype(np.intp), starts, ends
