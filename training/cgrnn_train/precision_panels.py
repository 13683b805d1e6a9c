"""Panels of conditional precisions: their level over time, and the partial correlations at some frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from cgrnn_train.panels import MARGIN, SMALL, WIDTH, Clock
from cgrnn_train.precisions import Precisions, partial_correlations

LEVEL_HEIGHT, MATRIX_HEIGHT = 1.9, 1.5
"""Inches: of the panel of levels, and of a row of matrices."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of the systems' levels: Okabe and Ito's."""

LEAST_LIMIT = 0.01
"""Of the colour scale: what is smaller is as good as none."""


def precision_panels(
    panels: Sequence[tuple[str, Precisions]],
    places: Sequence[int],
    rms: NDArray[np.floating],
    clock: Clock,
    unit: float = 1.0,
    entry: str = "sample",
) -> Figure | None:
    """The levels of titled precisions over time, and below a row of each: its matrices at frames ``places``.

    Colours are partial correlations on one scale, to the 99.5th percentile of the magnitudes; the diagonal is grey.

    Args:
        panels: titles and precisions of the same frames.
        places: of the frames whose matrices are drawn.
        rms: root mean square of each frame's samples, (time,), of full scale.
        clock: the time axis.
        unit: of the precisions, of full scale.
        entry: what a frame is of: "sample", or "residual" (of linear prediction, times its scale).

    Returns:
        The figure; None if ``panels`` are none.
    """
    if not panels:
        return None
    heights = [LEVEL_HEIGHT, *[MATRIX_HEIGHT] * len(panels)]
    figure = Figure(figsize=(WIDTH, MARGIN + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(1 + len(panels), len(places), height_ratios=heights)
    levels = figure.add_subplot(grid[0, :])
    _draw_levels(levels, panels, places, rms, clock, unit)
    levels.set_title(f"Standard deviation of a {entry} given the spikes and the rest of its frame", loc="left")
    shown = [_without_diagonal(partial_correlations(one.matrices[list(places)])) for _, one in panels]
    limit = max(LEAST_LIMIT, float(np.nanpercentile(np.abs(np.stack(shown)), 99.5)))
    matrices: list[Axes] = []
    image = None
    for row, ((title, one), correlations) in enumerate(zip(panels, shown, strict=True)):
        for column, (place, matrix) in enumerate(zip(places, correlations, strict=True)):
            axes = figure.add_subplot(grid[1 + row, column])
            axes.set_facecolor("0.6")
            image = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            when = f"{place * clock.step:.2f} s\n" if row == 0 else ""
            axes.set_title(f"{when}{one.active[place]} of {one.hidden} spikes", fontsize=SMALL)
            axes.set_xticks([0, len(matrix) - 1])
            axes.set_yticks([0, len(matrix) - 1], ["0", str(len(matrix) - 1)] if column == 0 else [])
            axes.tick_params(labelsize=SMALL, labelbottom=row == len(panels) - 1)
            if column == 0:
                axes.set_ylabel(f"{title}\n{entry} of the frame")
            matrices.append(axes)
    if image is not None:
        bar = figure.colorbar(image, ax=matrices, pad=0.02, extend="both", aspect=15 * len(panels))
        bar.set_label("partial correlation")
        bar.ax.tick_params(labelsize=SMALL)
    figure.legend(loc="outside lower center", ncols=len(panels) + 1, fontsize=SMALL, frameon=False)
    return figure


def _draw_levels(
    axes: Axes,
    panels: Sequence[tuple[str, Precisions]],
    places: Sequence[int],
    rms: NDArray[np.floating],
    clock: Clock,
    unit: float,
) -> None:
    time = (np.arange(len(rms)) + 0.5) * clock.step  # the middles of the frames
    for index, (title, one) in enumerate(panels):
        axes.plot(time, one.level * unit, color=COLOURS[index % len(COLOURS)], linewidth=1.2, label=title)
    axes.plot(time, rms, color="0.6", linewidth=1.0, label="the sound (root mean square)")
    for place in places:
        axes.axvline(time[place], color="0.8", linewidth=0.8, linestyle=":", zorder=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlim(0, len(rms) * clock.step)
    axes.set_xlabel(clock.label)
    axes.set_ylabel("of full scale")
    axes.tick_params(labelsize=SMALL)


def _without_diagonal(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN on the diagonals of (matrix, sample, sample): what a sample has to do with itself says nothing."""
    found = correlations.copy()
    np.einsum("...ii->...i", found)[...] = np.nan
    return found
