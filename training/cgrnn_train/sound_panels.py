"""Panels of sound: each a waveform and, beside it, its spectrogram; all on one scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from cgrnn_bundle.waves import Samples
from cgrnn_train.panels import MARGIN, MISSED, RIGHT, SECONDS, SMALL, WIDTH
from cgrnn_train.spectrogram import Spectrogram, spectrogram

ROW_HEIGHT = 1.5
"""Inches."""

DECIBELS_SHOWN = 80
"""Below the loudest that is anywhere in a figure."""


def wave_panels(panels: Sequence[tuple[str, Samples]], sample_rate: int, truth: Samples | None = None) -> Figure | None:
    """A row under another of each titled sound, samples (time,) of full scale ±1; None if there is none.

    With ``truth`` (time,) what each sound but that one leaves out of it is drawn over it.
    """
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH, MARGIN + ROW_HEIGHT * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 2, sharex=True, squeeze=False)
    seconds = max(len(samples) for _, samples in panels) / sample_rate
    reach = 1.05 * max(float(np.abs(samples).max()) for _, samples in panels) or 1.0
    spectra = [spectrogram(samples, sample_rate) for _, samples in panels]
    loudest = max(float(one.decibels.max()) for one in spectra)
    image = None
    for (wave, spectral), (title, samples), spectrum in zip(rows, panels, spectra, strict=True):
        rest = None if truth is None or samples is truth else truth - samples
        _draw_wave(wave, samples, rest, sample_rate)
        wave.set_title(title, loc="left")
        wave.set_ylim(-reach, reach)
        image = _draw_spectrum(spectral, spectrum, loudest)
        spectral.set_ylim(0, spectrum.frequencies[-1] / 1000)
        spectral.set_xlim(0, seconds)
    for axes in rows[-1]:
        axes.set_xlabel(SECONDS)
    if image is not None:
        bar = figure.colorbar(image, ax=rows[:, 1], pad=0.02, extend="min", aspect=15 * len(panels))
        bar.set_label("decibels; 0 is a sine of full scale")
        bar.ax.tick_params(labelsize=SMALL)
    if truth is not None:
        kinds = {"the sound, or its reconstruction": RIGHT, "what the reconstruction leaves out": MISSED}
        handles = [Line2D([], [], color=colour, label=label) for label, colour in kinds.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return figure


def _draw_wave(axes: Axes, samples: Samples, rest: Samples | None, sample_rate: int) -> None:
    """The waveform, and what it leaves out: the weaker of the two in front."""
    time = np.arange(len(samples)) / sample_rate
    axes.plot(time, samples, color=RIGHT, linewidth=0.4, rasterized=True, zorder=2)
    if rest is not None:
        in_front = np.square(rest).sum() < np.square(samples).sum()
        axes.plot(time, rest, color=MISSED, linewidth=0.4, rasterized=True, zorder=3 if in_front else 1)
    axes.set_ylabel("of full scale")
    axes.tick_params(labelsize=SMALL)


def _draw_spectrum(axes: Axes, spectrum: Spectrogram, loudest: float) -> AxesImage:
    half = 0.5 * (spectrum.times[1] if len(spectrum.times) > 1 else 1.0)
    bin_width = spectrum.frequencies[1] / 1000
    extent = (-half, spectrum.times[-1] + half, -bin_width / 2, spectrum.frequencies[-1] / 1000 + bin_width / 2)
    image = axes.imshow(spectrum.decibels, cmap="magma", extent=extent, origin="lower", aspect="auto")
    image.set_clim(loudest - DECIBELS_SHOWN, loudest)
    axes.set_ylabel("kHz")
    axes.tick_params(labelsize=SMALL)
    return image
