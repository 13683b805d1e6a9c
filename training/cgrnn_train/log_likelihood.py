"""Log-likelihoods of a trained system on a split, each with the kind of its estimator.

The rule (as published figures are): the mean over all frames of all sequences, the first frame included, in nats a
frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cgrnn_train.annealed import annealed, filtered
from cgrnn_train.frame_scores import FrameScores, Settings
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.system import BoundSystem, System

FRAMES_TOGETHER = 8192
"""Frames, padding included, of the sequences of about one length that a bound is computed of together."""


@torch.no_grad()
def log_likelihoods(
    model: System,
    pieces: Sequence[Tensor],
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
        key: what, besides the settings and the limit, the estimate depends on (see `in_chunks`).
        progress: called with the frames done since the last call.
    """
    settings = settings or Settings()
    was_training = model.training
    model.eval()
    owner = torch.cat([torch.full((len(piece),), index) for index, piece in enumerate(pieces)])
    pick = torch.randperm(len(owner), generator=torch.Generator().manual_seed(settings.seed))[:limit].sort().values
    owner = owner[pick]
    rows = _rows_in_pieces(pieces, pick, owner)
    key = {**(key or {}), "limit": limit}
    if isinstance(model, BoundSystem):
        scores = _bounds(model, pieces, rows, owner, settings, store, key, progress)
    elif isinstance(model, EnergySystem) and model.has_sampled_feed and settings.samples > 1:
        scores = filtered(model, pieces, rows, owner, settings, store, key, progress)
    elif isinstance(model, EnergySystem):
        scores = annealed(model, pieces, rows, owner, settings, store, key, progress)
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


def _rows_in_pieces(pieces: Sequence[Tensor], pick: Tensor, owner: Tensor) -> tuple[Tensor, ...]:
    """The frames of each piece that are among ``pick``, which counts the frames of all pieces and is in order."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    first = lengths.cumsum(0) - lengths
    return (pick - first[owner]).split(torch.bincount(owner, minlength=len(pieces)).tolist())


def _bounds(
    model: BoundSystem,
    pieces: Sequence[Tensor],
    rows: tuple[Tensor, ...],
    owner: Tensor,
    settings: Settings,
    store: Path | None,
    key: dict[str, object],
    progress: Callable[[int], None],
) -> FrameScores:
    """A chunk is some pieces of about one length: for one draw they run as a batch."""
    device = next(model.parameters()).device
    lengths = [len(piece) for piece in pieces]
    order = sorted((index for index, own in enumerate(rows) if len(own)), key=lambda index: lengths[index])
    groups = _groups(order, lengths)

    def estimate(part: slice) -> dict[str, Tensor]:
        (chosen,) = groups[part]
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

    counts = iter([sum(len(rows[index]) for index in group) for group in groups])
    found = in_chunks(
        len(groups),
        1,
        estimate,
        seed=settings.seed,
        store=store,
        key={**key, "samples": settings.samples},
        progress=lambda count: progress(sum(islice(counts, count))),
    )["log_likelihood"]
    shares = dict(zip(order, found.split([len(rows[index]) for index in order]), strict=True))
    return FrameScores(torch.cat([shares[index] for index in sorted(order)]), owner)


def _groups(order: list[int], lengths: list[int]) -> list[list[int]]:
    """Cut ``order``, from the shortest piece to the longest, where a batch would grow beyond `FRAMES_TOGETHER`."""
    groups: list[list[int]] = []
    for index in order:
        if not groups or (len(groups[-1]) + 1) * lengths[index] > FRAMES_TOGETHER:
            groups.append([])
        groups[-1].append(index)
    return groups
