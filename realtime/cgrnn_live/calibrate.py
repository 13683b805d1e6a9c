"""How far the notes of a take lie from the grid, for `--offset`: what a DAW has recorded says what no program can know.

Between the model and the track lie buffers of the DAW and of its driver, and DAWs differ in what they make up for. So a
few bars are recorded under ``--sync midi``, saved as a MIDI file, and measured here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.errors import UsageError

FEWEST_ONSETS = 8
"""Beneath it one stray note would decide."""

LEAST_TOGETHER = 0.7
"""Length of the mean of the onsets as points on a circle that is one frame round: 1 if all lie alike, 0 if anywhere."""

DEFAULT_TEMPO = 500_000
"""Microseconds a quarter, where a MIDI file says nothing."""


class TakeError(UsageError):
    """A take that cannot be measured."""


class Displacement(NamedTuple):
    """Where notes lie against the grid.

    milliseconds: the median, above 0 behind the grid.
    spread: milliseconds between the first and the third quartile.
    onsets: how many there are; a chord is one.
    """

    milliseconds: float
    spread: float
    onsets: int


def displacement(take: Path, frame: float) -> Displacement:
    """Measure a take whose grid has a line each ``frame`` whole notes, from its beginning.

    Raises:
        TakeError: it is no MIDI file, has too few notes, or notes that are on no such grid.
    """
    beats, milliseconds = _onsets(take)
    if len(beats) < FEWEST_ONSETS:
        raise TakeError(f"{take} has notes at {len(beats)} times, too few to measure; record some bars more.")
    lines = beats / (4 * frame)
    mean = np.mean(np.exp(2j * math.pi * lines))
    if abs(mean) < LEAST_TOGETHER:
        raise TakeError(
            f"The notes of {take} are on no grid of {4 * frame:g} quarters: record them under --sync midi, without "
            "your own, or give the --frame that they were played with."
        )
    centre = np.angle(mean) / (2 * math.pi)
    off = (lines - centre + 0.5) % 1 - 0.5 + centre  # in frames, nearest to where most lie
    off *= 4 * frame * milliseconds
    low, middle, high = np.percentile(off, [25, 50, 75])
    return Displacement(float(middle), float(high - low), len(beats))


def _onsets(take: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when notes begin, in quarters, once for each tick, and how many ms a quarter lasts then."""
    import mido

    try:
        file = mido.MidiFile(take)
        ticks_a_beat = file.ticks_per_beat
        begun: set[int] = set()
        tempos = {0: DEFAULT_TEMPO}
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "note_on" and message.velocity > 0:
                    begun.add(tick)
                elif message.type == "set_tempo":
                    tempos[tick] = message.tempo
        if ticks_a_beat <= 0 or ticks_a_beat >= 0x8000:
            raise ValueError("its ticks are parts of a second")
    except Exception as error:  # mido raises whatever a broken file makes it stumble on
        said = str(error) or type(error).__name__
        raise TakeError(f"{take} cannot be read as MIDI ({said}); give a .mid file that a DAW recorded.") from error
    onsets = np.array(sorted(begun), np.int64)
    changes = np.array(sorted(tempos), np.int64)
    current = changes[np.searchsorted(changes, onsets, side="right") - 1]
    return onsets / ticks_a_beat, np.array([tempos[tick] for tick in current.tolist()], np.float64) / 1000
