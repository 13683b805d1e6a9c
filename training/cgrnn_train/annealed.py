"""Likelihoods of systems whose log Z is estimated by AIS, frame by frame, in chunks that survive an interruption."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cgrnn_train.frame_scores import FrameScores, Job
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.likelihood.particle import Conditional, particle_filter
from cgrnn_train.likelihood.summed import VERSION, summed_ais
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.head import Head, free_energy


def annealed(model: EnergySystem, job: Job) -> FrameScores:
    """Frames by AIS: a chunk is some of them, whatever pieces they are of; the recurrence runs once a piece."""
    settings, head = job.settings, model.rbm.head()
    biases = Biases(model, job.pieces, settings.seed)

    def estimate(part: slice) -> dict[str, Tensor]:
        frames, visible_bias, hidden_bias = biases.of(job.owner[part], job.places[part])
        found = summed_ais(head, visible_bias, hidden_bias, temperatures=settings.temperatures, chains=settings.chains)
        energy = free_energy(head, frames, visible_bias, hidden_bias).double()
        return {
            "log_likelihood": -energy - found.partition.value,
            "standard_error": found.partition.standard_error,
            "effective_share": found.partition.effective_sample_size / settings.chains,
            "marginals": found.marginals,
        }

    found = in_chunks(
        len(job.owner),
        settings.chunk,
        estimate,
        seed=settings.seed,
        store=job.store,
        key={**job.key, "estimator": VERSION, "temperatures": settings.temperatures, "chains": settings.chains},
        progress=job.progress,
    )
    return FrameScores(sequence=job.owner, **found)


def filtered(model: EnergySystem, job: Job) -> FrameScores:
    """Frames by a particle filter over the path of a sampled feed: a chunk is a whole piece."""
    device, settings, rows = next(model.parameters()).device, job.settings, job.rows

    def conditional(head: Head, visible_bias: Tensor, hidden_bias: Tensor) -> Conditional:
        parts: list[Conditional] = []
        for biases in zip(visible_bias.split(settings.chunk), hidden_bias.split(settings.chunk), strict=True):
            found = summed_ais(head, *biases, temperatures=settings.temperatures, chains=settings.chains)
            parts.append(Conditional(found.partition.value, found.marginals))
        return Conditional(*map(torch.cat, zip(*parts, strict=True)))

    def estimate(group: Sequence[int]) -> dict[str, Tensor]:
        (index,) = group
        found = particle_filter(model, job.pieces[index].to(device), settings.samples, conditional=conditional)
        return {name: values[rows[index]] for name, values in found._asdict().items()}

    found = job.by_pieces(
        [[index] for index, own in enumerate(rows) if len(own)],
        estimate,
        temperatures=settings.temperatures,
        chains=settings.chains,
        particles=settings.samples,
        estimator=VERSION,
    )
    return FrameScores(sequence=job.owner, **found)


class Biases:
    """The biases of some frames of a list of pieces, computed a piece at a time and kept for the last one."""

    def __init__(self, model: EnergySystem, pieces: Sequence[Tensor], seed: int) -> None:
        self._model, self._pieces, self._seed = model, pieces, seed
        self._index, self._kept = -1, (torch.empty(0), torch.empty(0), torch.empty(0))

    def of(self, owner: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames (rows, visible), b̃_v (rows, visible), b̃_h (rows, hidden) of frame ``places[i]`` of ``owner[i]``."""
        parts = [
            tuple(tensor[places[owner == index].to(tensor.device)] for tensor in self._piece(int(index)))
            for index in owner.unique_consecutive()
        ]
        frames, visible_bias, hidden_bias = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        return frames, visible_bias, hidden_bias

    def _piece(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        if index != self._index:
            device = next(self._model.parameters()).device
            frames = self._pieces[index].to(device)
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                torch.manual_seed(self._seed * 1_000_003 + index)  # a sampled feed draws the same wherever chunks begin
                visible_bias, hidden_bias = self._model(frames[None])
            self._index, self._kept = index, (frames, visible_bias[0], hidden_bias[0])
        return self._kept
