"""Whether an AIS figure can be believed: the same frames from above, from below, and with ten times the temperatures.

A figure stands when forward and reverse AIS differ by less than 0.02 nat a frame, ten times the temperatures change it
by less than 0.01, and more than a tenth of the chains count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cgrnn_train.evaluate import Biases, Settings
from cgrnn_train.likelihood.ais import ais_log_partition
from cgrnn_train.likelihood.raise_ import raise_log_probabilities
from cgrnn_train.likelihood.reverse_ais import long_gibbs, sandwich
from cgrnn_train.models.energy import EnergySystem, free_energy
from cgrnn_train.scores import Check

START_SWEEPS = 1000
"""Of Gibbs before the reverse chains start: a heuristic, for the promise of reverse AIS holds for exact samples."""


@torch.no_grad()
def check_annealing(model: EnergySystem, pieces: list[Tensor], settings: Settings, frames: int) -> Check:
    """Look at a random choice of frames from every side.

    Args:
        model: the system, in evaluation mode.
        pieces: the sequences, each (time, visible).
        settings: those of the figure that is checked.
        frames: how many of all frames to look at (all, if there are fewer).
    """
    owner = torch.cat([torch.full((len(piece),), index) for index, piece in enumerate(pieces)])
    places = torch.cat([torch.arange(len(piece)) for piece in pieces])
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        pick = torch.randperm(len(owner))[:frames].sort().values
        head = model.rbm.head()
        shown, visible_bias, hidden_bias = Biases(model, pieces, settings.seed).of(owner[pick], places[pick])
        parts: list[Tensor] = []
        for rows in torch.arange(len(pick)).split(settings.chunk):
            biases = visible_bias[rows], hidden_bias[rows]
            start = long_gibbs(head, *biases, chains=settings.chains, sweeps=START_SWEEPS)
            both = sandwich(head, *biases, start=start, temperatures=settings.temperatures)
            longer = ais_log_partition(
                head,
                *biases,
                temperatures=10 * settings.temperatures,
                chains=settings.chains,
                seed=int(torch.randint(2**62, ())),
            )
            below = raise_log_probabilities(
                head, shown[rows], *biases, temperatures=settings.temperatures, chains=settings.chains
            )
            energy = free_energy(head, shown[rows], *biases).double().cpu()
            forward, reverse = -energy - both.forward.log_z, -energy - both.reverse.log_z
            parts.append(torch.stack([forward, reverse, -energy - longer.log_z, below.log_probability]))
    forward, reverse, longer, below = torch.cat(parts, dim=1).mean(1).tolist()
    return Check(
        frames=len(pick),
        log_likelihood=forward,
        reverse_log_likelihood=reverse,
        more_temperatures_log_likelihood=longer,
        raise_log_likelihood=below,
    )
