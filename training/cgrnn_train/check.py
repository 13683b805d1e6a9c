"""Whether an AIS figure can be believed: the same frames from above, from below, and with ten times the temperatures.

`Check.verdict` says what is asked of a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from cgrnn_train.annealed import Biases
from cgrnn_train.frame_scores import Settings, chosen_frames
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.likelihood.raise_ import raise_log_probabilities
from cgrnn_train.likelihood.reverse_ais import annealed_starts
from cgrnn_train.likelihood.summed import VERSION, summed_ais, summed_from_above
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.head import free_energy
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
    head, biases = model.rbm.head(), Biases(model, pieces, settings.seed)

    def estimate(part: slice) -> dict[str, Tensor]:
        shown, visible_bias, hidden_bias = biases.of(owner[part], places[part])
        conditionals = visible_bias, hidden_bias
        temperatures, chains = settings.temperatures, settings.chains
        longer = summed_ais(head, *conditionals, temperatures=10 * temperatures, chains=chains)
        start = annealed_starts(head, *conditionals, annealed=longer.annealed)
        found = summed_ais(head, *conditionals, temperatures=temperatures, chains=chains)
        above = summed_from_above(head, *conditionals, found, start=start, temperatures=temperatures)
        by_raise = raise_log_probabilities(head, shown, *conditionals, temperatures=temperatures, chains=chains)
        energy = free_energy(head, shown, *conditionals).double()
        return {
            "log_likelihood": -energy - found.partition.value,
            "reverse_log_likelihood": -energy - above,
            "more_temperatures_log_likelihood": -energy - longer.partition.value,
            "raise_log_likelihood": by_raise.value,
            "variance": found.partition.standard_error.square(),
        }

    found = in_chunks(
        len(owner),
        settings.chunk,
        estimate,
        seed=settings.seed,
        store=store,
        key={
            **(key or {}),
            "estimator": VERSION,
            "frames": frames,
            "temperatures": settings.temperatures,
            "chains": settings.chains,
        },
        progress=progress,
    )
    variance = found.pop("variance")
    return Check(
        len(owner),
        **{name: float(values.mean()) for name, values in found.items()},
        standard_error=float(variance.sum().sqrt()) / len(owner),
        reverse=REVERSE,
    )
