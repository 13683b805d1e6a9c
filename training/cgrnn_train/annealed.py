"""Likelihoods of systems whose log Z is estimated by AIS, frame by frame, in chunks that survive an interruption."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cgrnn_train.frame_scores import FrameScores, Job
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.likelihood.particle import Conditional, particle_filter
from cgrnn_train.models.conditional import Conditionals, each
from cgrnn_train.models.energy import EnergySystem


def annealed(model: EnergySystem, job: Job) -> FrameScores:
    """Frames by AIS: a chunk is some of them, whatever pieces they are of; the recurrence runs once a piece."""
    settings = job.settings
    given = Given(model, job.pieces, settings.seed)

    def estimate(part: slice) -> dict[str, Tensor]:
        frames, conditionals = given.of(job.owner[part], job.places[part])
        found = model.rbm.anneal(conditionals, temperatures=settings.temperatures, chains=settings.chains)
        return {
            "log_likelihood": -model.rbm.free_energy(frames, conditionals).double() - found.log_partition,
            "standard_error": found.standard_error,
            "effective_share": found.effective_sample_size / settings.chains,
            "means": found.mean,
        }

    found = in_chunks(
        len(job.owner),
        settings.chunk,
        estimate,
        seed=settings.seed,
        store=job.store,
        key={
            **job.key,
            "estimator": model.rbm.estimator,
            "temperatures": settings.temperatures,
            "chains": settings.chains,
        },
        progress=job.progress,
    )
    return FrameScores(sequence=job.owner, **found)


def filtered(model: EnergySystem, job: Job) -> FrameScores:
    """Frames by a particle filter over the path of a sampled feed: a chunk is a whole piece."""
    device, settings, rows = next(model.parameters()).device, job.settings, job.rows

    def conditional(conditionals: Conditionals) -> Conditional:
        parts: list[Conditional] = []
        for start in range(0, len(conditionals[0]), settings.chunk):
            rows = slice(start, start + settings.chunk)
            found = model.rbm.anneal(
                each(conditionals, lambda tensor, rows=rows: tensor[rows]),
                temperatures=settings.temperatures,
                chains=settings.chains,
            )
            parts.append(Conditional(found.log_partition, found.mean))
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
        estimator=model.rbm.estimator,
    )
    return FrameScores(sequence=job.owner, **found)


class Given:
    """What the frames before say of some frames of a list of pieces, computed a piece at a time, the last one kept."""

    def __init__(self, model: EnergySystem, pieces: Sequence[Tensor], seed: int) -> None:
        self._model, self._pieces, self._seed = model, pieces, seed
        self._index, self._kept = -1, (torch.empty(0), (torch.empty(0),))

    def of(self, owner: Tensor, places: Tensor) -> tuple[Tensor, Conditionals]:
        """Frames (rows, visible) and their conditionals, of frame ``places[i]`` of ``owner[i]``."""
        frames, parts = list[Tensor](), list[Conditionals]()
        for index in owner.unique_consecutive():
            piece, conditionals = self._piece(int(index))
            rows = places[owner == index].to(piece.device)
            frames.append(piece[rows])
            parts.append(each(conditionals, lambda tensor, rows=rows: tensor[rows]))
        columns = iter(zip(*parts, strict=True))
        return torch.cat(frames), each(parts[0], lambda _: torch.cat(next(columns)))

    def _piece(self, index: int) -> tuple[Tensor, Conditionals]:
        if index != self._index:
            device = next(self._model.parameters()).device
            frames = self._pieces[index].to(device)
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                torch.manual_seed(self._seed * 1_000_003 + index)  # a sampled feed draws the same wherever chunks begin
                conditionals = self._model(frames[None])
            self._index, self._kept = index, (frames, each(conditionals, lambda tensor: tensor[0]))
        return self._kept
