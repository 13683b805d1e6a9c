"""One note of a chord, hidden: a piano roll has no voices, so that a voice is a place in the chord.

soprano, alto, tenor, bass   the highest to the lowest note of frames with exactly four. Where two of a chorale's
                             voices sing one pitch the roll has three, and the frame is left out.
highest, lowest, random      of frames with 2 to 12 notes
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FOUR_VOICES = {"soprano": 3, "alto": 2, "tenor": 1, "bass": 0}
"""The place of each from below, in a frame of four notes."""

VOICES = (*FOUR_VOICES, "highest", "lowest", "random")

FEWEST, MOST = 2, 12
"""Notes of a frame of which the highest, the lowest or a random one is hidden: one is left, and two hands hold all."""


class Hidden(NamedTuple):
    """A note to be guessed in some frames of a piece.

    Attributes:
        time: which frames, (questions,).
        pitch: the hidden note of each, (questions,).
    """

    time: NDArray[np.int64]
    pitch: NDArray[np.int64]


def hide(frames: NDArray[np.bool_], voice: str, random: np.random.Generator) -> Hidden:
    """Hide ``voice`` wherever ``frames`` (time, visible) have it; ``random`` chooses the note of "random" alone.

    Raises:
        ValueError: there is no such voice.
    """
    if voice not in VOICES:
        raise ValueError(f"found the voice {voice!r}; expected one of {', '.join(VOICES)}")
    counts = frames.sum(axis=1)
    fewest, most = (4, 4) if voice in FOUR_VOICES else (FEWEST, MOST)
    time = np.flatnonzero((counts >= fewest) & (counts <= most))
    counts = counts[time]
    if voice in FOUR_VOICES:
        place = np.full(len(time), FOUR_VOICES[voice])
    elif voice == "random":
        place = random.integers(counts)
    else:
        place = counts - 1 if voice == "highest" else np.zeros_like(counts)
    order = np.cumsum(frames[time], axis=1)  # how many notes lie at or below each pitch
    pitch = (order > place[:, None]).argmax(axis=1)
    return Hidden(time, pitch)


class Questions(NamedTuple):
    """Frames with one note hidden, in the order of pieces and time.

    Attributes:
        voice: index of the hidden voice among those asked for, (questions,).
        piece: index among the test pieces, (questions,).
        time: the frame in its piece, (questions,).
        frame: the whole frame, (questions, 128) bool.
        known: without the hidden note, (questions, 128) bool.
    """

    voice: NDArray[np.int64]
    piece: NDArray[np.int64]
    time: NDArray[np.int64]
    frame: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def answer(self) -> NDArray[np.int64]:
        """The hidden pitch, (questions,)."""
        return (self.frame & ~self.known).argmax(axis=1)


def ask(pieces: list[NDArray[np.bool_]], voices: list[str], count: int | None, seed: int) -> Questions:
    """Every frame that has the voice, or a random ``count`` of them, for each of ``voices``."""
    rows = list[tuple[int, int, int, int]]()
    for voice, name in enumerate(voices):
        random = np.random.default_rng([seed, VOICES.index(name)])
        found = [
            (piece, time, voice, pitch)
            for piece, frames in enumerate(pieces)
            for time, pitch in zip(*(array.tolist() for array in hide(frames, name, random)), strict=True)
        ]
        rows += [found[index] for index in random.permutation(len(found))[:count]]
    piece, time, voice, pitch = np.array(sorted(rows)).T
    frame = np.stack([pieces[p][t] for p, t in zip(piece, time, strict=True)])
    known = frame.copy()
    known[np.arange(len(known)), pitch] = False
    return Questions(voice, piece, time, frame, known)


def filled(drawn: NDArray[np.bool_], asked: Questions) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) of the pitches that were free, (questions,): one note was to be found."""
    added = drawn & ~asked.known
    hit = (added & asked.frame).any(axis=1)
    return hit / (added.sum(axis=1) + ~hit)
