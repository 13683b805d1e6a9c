"""Panels of piano rolls and of activations, as Matplotlib figures without pyplot's global state.

Colours are Okabe and Ito's, and a red-blue map, so that they can be told apart with any colour vision; no text is
smaller than 8 points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cgrnn_bundle.frames import FrameSpec
from cgrnn_train.data.store import Piece

WIDTH, ROLL_HEIGHT, ACTIVATION_HEIGHT, MARGIN = 8.0, 1.7, 2.0, 0.9
"""Inches: of a figure, of its panels, and of what stands above and below them."""

RIGHT, MISSED, ADDED = "#000000", "#D55E00", "#56B4E9"
SMALL = 8
SECONDS = "time, seconds"
PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")

Roll = NDArray[np.bool_]
"""(time, pitch)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time axis: how long a frame is, in what.

    Attributes:
        step: of one frame.
        label: of the axis.
    """

    step: float
    label: str

    @classmethod
    def of(cls, spec: FrameSpec, piece: Piece) -> Clock:
        """Quarter notes where the piece, or else its set, is on a beat grid; seconds otherwise."""
        if note_value := piece.note_value or spec.note_value:
            return cls(float(4 * Fraction(note_value)), "time, quarter notes")
        return cls(piece.frame_seconds or spec.frame_seconds, SECONDS)


def pitch_name(pitch: int) -> str:
    """MIDI note number to name: 60 is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def roll_panels(panels: Sequence[tuple[str, Roll]], clock: Clock, truth: Roll | None = None) -> Figure | None:
    """A panel under another of each titled roll; None if there is none.

    With ``truth``, (time, pitch) as they are, what a roll misses of it and what it adds have colours of their own.
    """
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH, MARGIN + ROLL_HEIGHT * len(panels)), layout="constrained")
    all_axes = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, roll) in zip(all_axes, panels, strict=True):
        real = roll if truth is None else truth
        for notes, colour in ((roll & real, RIGHT), (~roll & real, MISSED), (roll & ~real, ADDED)):
            _draw_notes(axes, notes, clock.step, colour)
        axes.set_title(title, loc="left")
        axes.grid(axis="y", color="0.85", linewidth=0.6)
        axes.set_axisbelow(True)
    _set_limits(all_axes[0], np.vstack([roll for _, roll in panels]), max(len(roll) for _, roll in panels), clock.step)
    all_axes[-1].set_xlabel(clock.label)
    figure.supylabel("pitch", fontsize=SMALL + 1)
    if truth is not None:
        kinds = {"in the piece and reconstructed": RIGHT, "missed": MISSED, "added": ADDED}
        handles = [Patch(color=colour, label=label) for label, colour in kinds.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    return figure


def activation_panels(panels: Sequence[tuple[str, NDArray[np.floating]]], clock: Clock) -> Figure | None:
    """A panel of each titled (time, latent) array, white where it is zero; None if there is none.

    Each panel has its own scale, to the 99.5th percentile of the magnitudes: a few large ones must not hide the rest.
    """
    if not panels:
        return None
    columns = 1 if len(panels) < 3 else 2
    rows = ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH, MARGIN + ACTIVATION_HEIGHT * rows), layout="constrained")
    all_axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for axes, (title, values) in zip(all_axes.flat, panels, strict=False):
        limit = float(np.percentile(np.abs(values), 99.5)) or float(np.abs(values).max()) or 1.0
        extent = (0.0, len(values) * clock.step, -0.5, values.shape[1] - 0.5)
        image = axes.imshow(
            values.T, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent, origin="lower", aspect="auto"
        )
        bar = figure.colorbar(image, ax=axes, extend="both", pad=0.02)
        bar.ax.tick_params(labelsize=SMALL)
        axes.tick_params(labelsize=SMALL)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title, loc="left")
    for axes in all_axes.flat[len(panels) :]:
        axes.set_visible(False)
    for column in range(columns):
        last = (len(panels) - 1 - column) // columns  # the lowest panel of this column
        all_axes[last, column].set_xlabel(clock.label)
        all_axes[last, column].tick_params(labelbottom=True)
    figure.supylabel("latent variable", fontsize=SMALL + 1)
    return figure


def _draw_notes(axes: Axes, notes: Roll, step: float, colour: str) -> None:
    """Each run of a pitch as one box."""
    padded = np.zeros((notes.shape[1], len(notes) + 2), np.int8)
    padded[:, 1:-1] = notes.T
    change = np.diff(padded, axis=1)  # (pitch, time + 1)
    pitch, first = np.nonzero(change > 0)
    _, stop = np.nonzero(change < 0)  # in the same order: by pitch, then time
    left, right, low, high = first * step, stop * step, pitch - 0.45, pitch + 0.45
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)  # (note, corner, xy)
    axes.add_collection(PolyCollection(list(corners), facecolors=colour, edgecolors="none"))


def _set_limits(axes: Axes, rolls: Roll, frames: int, step: float) -> None:
    """The range of time, and of the pitches that are on anywhere, with names at the Cs, and between them if few."""
    pitches = np.flatnonzero(rolls.any(axis=0))
    low, high = (int(pitches[0]) - 2, int(pitches[-1]) + 2) if len(pitches) else (58, 74)
    named = (0,) if high - low > 30 else (0, 7) if high - low > 15 else (0, 4, 7)
    ticks = [pitch for pitch in range(max(low, 0), min(high, 127) + 1) if pitch % 12 in named]
    axes.set_xlim(0, frames * step)
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, [pitch_name(pitch) for pitch in ticks], fontsize=SMALL)
