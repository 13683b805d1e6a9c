"""Log-likelihoods of a trained system on a split, each with the kind of its estimator.

The rule (as published figures are): the mean over all frames of all sequences, the first frame included, in nats a
frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cgrnn_train.annealed import annealed, filtered
from cgrnn_train.frame_scores import FrameScores, Job, Settings, chosen_frames, log_scales
from cgrnn_train.models.binary import BinaryFrames
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
    owner, places = chosen_frames(pieces, limit, settings.seed)
    job = Job(pieces, owner, places, settings, store, {**(key or {}), "limit": limit}, progress)
    if isinstance(model, BoundSystem):
        scores = _bounds(model, job)
    elif isinstance(model, EnergySystem) and model.has_sampled_feed and settings.samples > 1:
        scores = filtered(model, job)
    elif isinstance(model, EnergySystem):
        scores = annealed(model, job)
    else:
        raise TypeError(f"found {type(model).__name__}; expected a BoundSystem or an EnergySystem")
    model.train(was_training)
    return replace(scores, log_likelihood=scores.log_likelihood - log_scales(pieces, owner, places))


def estimator(model: System, settings: Settings) -> str:
    """The kind of estimate that `log_likelihoods` makes, in words."""
    if isinstance(model, BoundSystem):
        return model.kind(settings.samples)
    assert isinstance(model, EnergySystem)
    sums = ", visited frames summed" if isinstance(model.rbm, BinaryFrames) else ""
    kind = f"AIS, {settings.temperatures:,} temperatures x {settings.chains} chains{sums} (errs high)"
    if not model.has_sampled_feed:
        return kind
    if settings.samples > 1:
        return f"particle filter, {settings.samples} particles (errs low), of {kind}"
    return f"{kind}, one sample of the latent path"


def _bounds(model: BoundSystem, job: Job) -> FrameScores:
    """A chunk is some pieces of about one length: for one draw they run as a batch."""
    device, pieces, rows = next(model.parameters()).device, job.pieces, job.rows
    lengths = [len(piece) for piece in pieces]
    order = sorted((index for index, own in enumerate(rows) if len(own)), key=lambda index: lengths[index])

    def estimate(group: Sequence[int]) -> dict[str, Tensor]:
        if job.settings.samples > 1 and not model.is_exact:
            values = [model.log_likelihood(pieces[index].to(device), job.settings.samples).cpu() for index in group]
        else:
            frames = pad_sequence([pieces[index] for index in group], batch_first=True).to(device)
            ends = torch.tensor([lengths[index] for index in group], device=device)
            mask = torch.arange(frames.shape[1], device=device) < ends[:, None]
            values = list(model.bound(frames, mask).double().cpu())
        return {"log_likelihood": torch.cat([value[rows[index]] for value, index in zip(values, group, strict=True)])}

    found = job.by_pieces(_groups(order, lengths), estimate, samples=job.settings.samples)["log_likelihood"]
    shares = dict(zip(order, found.split([len(rows[index]) for index in order]), strict=True))
    return FrameScores(torch.cat([shares[index] for index in sorted(order)]), job.owner)


def _groups(order: list[int], lengths: list[int]) -> list[list[int]]:
    """Cut ``order``, from the shortest piece to the longest, where a batch would grow beyond `FRAMES_TOGETHER`."""
    groups: list[list[int]] = []
    for index in order:
        if not groups or (len(groups[-1]) + 1) * lengths[index] > FRAMES_TOGETHER:
            groups.append([])
        groups[-1].append(index)
    return groups
