"""Log-likelihoods of a trained system on a split, each with the kind of its estimator.

The rule (as published figures are): the mean over all frames of all sequences, the first frame included, in nats a
frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cgrnn_train.likelihood.ais import ais_log_partition
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.likelihood.particle import particle_log_likelihood
from cgrnn_train.models.energy import EnergySystem, Head, free_energy
from cgrnn_train.models.system import BoundSystem, System
from cgrnn_train.scores import Likelihood

PIECES_TOGETHER = 16
"""Sequences of about one length that a bound is computed of together."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a likelihood is estimated.

    Attributes:
        temperatures: of AIS.
        chains: of AIS, a frame.
        chunk: frames annealed together: bounds the memory.
        samples: draws of the latent path of a variational autoencoder, of which 1 is the bound that it is trained on;
            particles that follow the latent path of a sampled feed.
        seed: of the estimate and of ``limit``'s choice.
    """

    temperatures: int = 1000
    chains: int = 64
    chunk: int = 64
    samples: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FrameScores:
    """Per scored frame: log-likelihood, its standard error, effective share of chains, and the sequence it is of."""

    log_likelihood: Tensor
    standard_error: Tensor
    effective_share: Tensor
    sequence: Tensor

    def summary(self, kind: str, *, resamples: int = 1000, seed: int = 0) -> Likelihood:
        """The mean with its bootstrap interval by sequence."""
        values = self.log_likelihood.double().numpy()
        owner = self.sequence.numpy()
        counts = np.bincount(owner)
        scored = counts > 0  # with a limit, some sequences have no frame among those scored
        sums, counts = np.bincount(owner, values)[scored], counts[scored]
        pick = np.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
        means = sums[pick].sum(1) / counts[pick].sum(1)
        low, high = np.percentile(means, [2.5, 97.5])
        error = float(self.standard_error.double().square().sum().sqrt() / len(values))
        share = float(self.effective_share.mean())
        return Likelihood(float(values.mean()), (float(low), float(high)), kind, error, share)


@torch.no_grad()
def log_likelihoods(
    model: System,
    pieces: list[Tensor],
    settings: Settings | None = None,
    *,
    limit: int | None = None,
    store: Path | None = None,
    key: dict[str, object] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> FrameScores:
    """The log-likelihood of each frame of ``pieces``, each (time, visible), or of some of them.

    A `BoundSystem` is exact or a lower bound, whose shares of the frames only their sums mean anything; for an
    `EnergySystem` log Z is estimated by AIS: over-estimated; with a sampled feed, for one draw of the latent path or by
    a particle filter over it, which errs low.

    Args:
        model: the system.
        pieces: the sequences.
        settings: of the estimate.
        limit: score a random ``limit`` of the frames (the same ones for one seed) instead of all.
        store: a folder where finished parts are kept, so that the same call later goes on where this one stopped.
        key: what, besides the settings, the estimate depends on (see `in_chunks`).
        progress: called with the frames done since the last call.
    """
    settings = settings or Settings()
    was_training = model.training
    model.eval()
    owner = torch.cat([torch.full((len(piece),), index) for index, piece in enumerate(pieces)])
    pick = torch.randperm(len(owner), generator=torch.Generator().manual_seed(settings.seed))[:limit].sort().values
    owner = owner[pick]
    rows = _rows_in_pieces(pieces, pick, owner)
    if isinstance(model, BoundSystem):
        scores = _bounds(model, pieces, rows, owner, settings, store, key, progress)
    elif isinstance(model, EnergySystem) and model.has_sampled_feed and settings.samples > 1:
        scores = _filtered(model, pieces, rows, owner, settings, store, key, progress)
    elif isinstance(model, EnergySystem):
        scores = _annealed(model, pieces, rows, owner, settings, store, key, progress)
    else:
        raise TypeError(f"found {type(model).__name__}; expected a BoundSystem or an EnergySystem")
    model.train(was_training)
    return scores


def estimator(model: System, settings: Settings) -> str:
    """The kind of estimate that `log_likelihoods` makes, in words."""
    if isinstance(model, BoundSystem):
        return model.kind(settings.samples)
    kind = f"AIS, {settings.temperatures:,} temperatures x {settings.chains} chains (errs high)"
    if not (isinstance(model, EnergySystem) and model.has_sampled_feed):
        return kind
    if settings.samples > 1:
        return f"particle filter, {settings.samples} particles (errs low), of {kind}"
    return f"{kind}, one sample of the latent path"


def _rows_in_pieces(pieces: list[Tensor], pick: Tensor, owner: Tensor) -> tuple[Tensor, ...]:
    """The frames of each piece that are among ``pick``, which counts the frames of all pieces and is in order."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    first = lengths.cumsum(0) - lengths
    return (pick - first[owner]).split(torch.bincount(owner, minlength=len(pieces)).tolist())


def _bounds(
    model: BoundSystem,
    pieces: list[Tensor],
    rows: tuple[Tensor, ...],
    owner: Tensor,
    settings: Settings,
    store: Path | None,
    key: dict[str, object] | None,
    progress: Callable[[int], None],
) -> FrameScores:
    """A chunk is some pieces of about one length: for one draw they run as a batch."""
    device = next(model.parameters()).device
    order = sorted((index for index, own in enumerate(rows) if len(own)), key=lambda index: len(pieces[index]))

    def estimate(part: slice) -> dict[str, Tensor]:
        chosen = order[part]
        if settings.samples == 1:
            frames = pad_sequence([pieces[index] for index in chosen], batch_first=True).to(device)
            lengths = torch.tensor([len(pieces[index]) for index in chosen], device=device)
            mask = torch.arange(frames.shape[1], device=device) < lengths[:, None]
            found = model.bound(frames, mask).double().cpu()
            values = [row[rows[index]] for row, index in zip(found, chosen, strict=True)]
        else:
            values = [
                model.log_likelihood(pieces[index].to(device), settings.samples).cpu()[rows[index]] for index in chosen
            ]
        return {"log_likelihood": torch.cat(values)}

    lengths = iter([len(rows[index]) for index in order])
    found = in_chunks(
        len(order),
        PIECES_TOGETHER,
        estimate,
        seed=settings.seed,
        store=store,
        key={**(key or {}), "samples": settings.samples},
        progress=lambda count: progress(sum(islice(lengths, count))),
    )["log_likelihood"]
    shares = dict(zip(order, found.split([len(rows[index]) for index in order]), strict=True))
    values = torch.cat([shares[index] for index in sorted(order)])
    return FrameScores(values, torch.zeros_like(values), torch.ones_like(values), owner)


def _annealed(
    model: EnergySystem,
    pieces: list[Tensor],
    rows: tuple[Tensor, ...],
    owner: Tensor,
    settings: Settings,
    store: Path | None,
    key: dict[str, object] | None,
    progress: Callable[[int], None],
) -> FrameScores:
    """A chunk is some frames, whatever pieces they are of; the recurrence runs once a piece."""
    head = model.rbm.head()
    biases = Biases(model, pieces, settings.seed)
    places = torch.cat(rows)

    def estimate(part: slice) -> dict[str, Tensor]:
        frames, visible_bias, hidden_bias = biases.of(owner[part], places[part])
        partition = ais_log_partition(
            head,
            visible_bias,
            hidden_bias,
            temperatures=settings.temperatures,
            chains=settings.chains,
            chunk=settings.chunk,
            seed=int(torch.randint(2**62, ())),
        )
        energy = free_energy(head, frames, visible_bias, hidden_bias).double().cpu()
        return {
            "log_likelihood": -energy - partition.log_z,
            "standard_error": partition.standard_error,
            "effective_share": partition.effective_sample_size / settings.chains,
        }

    found = in_chunks(
        len(owner),
        settings.chunk,
        estimate,
        seed=settings.seed,
        store=store,
        key={**(key or {}), "temperatures": settings.temperatures, "chains": settings.chains},
        progress=progress,
    )
    return FrameScores(found["log_likelihood"], found["standard_error"], found["effective_share"], owner)


def _filtered(
    model: EnergySystem,
    pieces: list[Tensor],
    rows: tuple[Tensor, ...],
    owner: Tensor,
    settings: Settings,
    store: Path | None,
    key: dict[str, object] | None,
    progress: Callable[[int], None],
) -> FrameScores:
    """A chunk is a piece: its particles pass through all of it."""
    device = next(model.parameters()).device
    chosen = [index for index, own in enumerate(rows) if len(own)]

    def log_partition(head: Head, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
        return ais_log_partition(
            head,
            visible_bias,
            hidden_bias,
            temperatures=settings.temperatures,
            chains=settings.chains,
            chunk=settings.chunk,
            seed=int(torch.randint(2**62, ())),
        ).log_z

    def estimate(part: slice) -> dict[str, Tensor]:
        (index,) = chosen[part]
        values = particle_log_likelihood(model, pieces[index].to(device), settings.samples, log_partition=log_partition)
        return {"log_likelihood": values[rows[index]]}

    lengths = iter([len(rows[index]) for index in chosen])
    settled = {"temperatures": settings.temperatures, "chains": settings.chains, "particles": settings.samples}
    values = in_chunks(
        len(chosen),
        1,
        estimate,
        seed=settings.seed,
        store=store,
        key={**(key or {}), **settled},
        progress=lambda count: progress(sum(islice(lengths, count))),
    )["log_likelihood"]
    return FrameScores(values, torch.zeros_like(values), torch.ones_like(values), owner)


class Biases:
    """The biases of some frames of a list of pieces, computed a piece at a time and kept for the last one."""

    def __init__(self, model: EnergySystem, pieces: list[Tensor], seed: int) -> None:
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
