"""Whether an AIS figure can be believed: the same frames from above, from below, and with ten times the temperatures.

`Check.verdict` says what is asked of a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from cgrnn_train.annealed import Given
from cgrnn_train.frame_scores import Settings, chosen_frames, log_scales
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.likelihood.raise_ import raise_log_probabilities
from cgrnn_train.likelihood.reverse_ais import annealed_starts
from cgrnn_train.likelihood.summed import summed_ais, summed_from_above
from cgrnn_train.likelihood.wave_ais import reverse_wave_ais, wave_ais, wave_starts
from cgrnn_train.models.binary import BinaryFrames
from cgrnn_train.models.binary import Conditionals as Biases
from cgrnn_train.models.conditional import Conditionals
from cgrnn_train.models.continuous import ContinuousFrames, WaveConditionals
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.scores import Check

REVERSE = "samples from the ends of AIS with ten times the temperatures"
"""A heuristic, for the promise holds for exact samples."""


@torch.no_grad()
def check_annealing(
    model: EnergySystem,
    pieces: Sequence[Tensor],
    settings: Settings,
    frames: int,
    *,
    store: Path | None = None,
    key: dict[str, object] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Check:
    """Look at a random choice of frames from every side.

    Args:
        model: the system, in evaluation mode.
        pieces: the sequences, each (time, visible).
        settings: those of the figure that is checked.
        frames: how many of all frames to look at (all, if there are fewer).
        store: a folder where finished chunks are kept (`in_chunks`).
        key: what, besides the settings, the figures depend on.
        progress: called with the frames done since the last call.
    """
    owner, places = chosen_frames(pieces, frames, settings.seed)
    given = Given(model, pieces, settings.seed)

    def estimate(part: slice) -> dict[str, Tensor]:
        shown, conditionals = given.of(owner[part], places[part])
        if isinstance(model.rbm, BinaryFrames):
            return _pitches(model.rbm, shown, conditionals, settings)
        assert isinstance(model.rbm, ContinuousFrames)
        return _waves(model.rbm, shown, conditionals, settings)

    found = in_chunks(
        len(owner),
        settings.chunk,
        estimate,
        seed=settings.seed,
        store=store,
        key={
            **(key or {}),
            "estimator": model.rbm.estimator,
            "frames": frames,
            "temperatures": settings.temperatures,
            "chains": settings.chains,
        },
        progress=progress,
    )
    variance = found.pop("variance")
    scale = log_scales(pieces, owner, places).mean()
    return Check(
        len(owner),
        **{name: float(values.mean() - scale) for name, values in found.items()},
        standard_error=float(variance.sum().sqrt()) / len(owner),
        reverse=REVERSE,
    )


def _pitches(rbm: BinaryFrames, shown: Tensor, given: Conditionals, settings: Settings) -> dict[str, Tensor]:
    """Every side of some frames of pitches."""
    head, biases = rbm.head(), Biases(*given)
    temperatures, chains = settings.temperatures, settings.chains
    longer = summed_ais(head, *biases, temperatures=10 * temperatures, chains=chains)
    start = annealed_starts(head, *biases, annealed=longer.annealed)
    found = summed_ais(head, *biases, temperatures=temperatures, chains=chains)
    above = summed_from_above(head, *biases, found, start=start, temperatures=temperatures)
    by_raise = raise_log_probabilities(head, shown, *biases, temperatures=temperatures, chains=chains)
    energy = rbm.free_energy(shown, given).double()
    return {
        "log_likelihood": -energy - found.partition.value,
        "reverse_log_likelihood": -energy - above,
        "more_temperatures_log_likelihood": -energy - longer.partition.value,
        "raise_log_likelihood": by_raise.value,
        "variance": found.partition.standard_error.square(),
    }


def _waves(rbm: ContinuousFrames, shown: Tensor, given: Conditionals, settings: Settings) -> dict[str, Tensor]:
    """Every side of some frames of sound; RAISE is not among them."""
    bias = WaveConditionals(*given).hidden_bias
    temperatures, chains = settings.temperatures, settings.chains
    longer = wave_ais(rbm.path(10 * temperatures), bias, chains=chains)
    found = wave_ais(rbm.path(temperatures), bias, chains=chains)
    above = reverse_wave_ais(rbm.path(temperatures), bias, start=wave_starts(rbm.units(), bias, longer))
    energy = rbm.free_energy(shown, given).double()
    return {
        "log_likelihood": -energy - found.partition.value,
        "reverse_log_likelihood": -energy - above.value,
        "more_temperatures_log_likelihood": -energy - longer.partition.value,
        "variance": found.partition.standard_error.square(),
    }
