"""Log-likelihoods of a trained system on a split, each with the kind of its estimator.

The rule (as published figures are): the mean over all frames of all sequences, the first frame included, in nats a
frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from cgrnn_train.likelihood.ais import ais_log_partition
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.cssrbm import UnitSlabs, free_energy
from cgrnn_train.models.rnn import RNN


@dataclass(frozen=True, slots=True)
class Score:
    """A log-likelihood.

    Attributes:
        log_likelihood: mean over frames, nats a frame.
        interval: 95 % bootstrap interval by sequence.
        frames: how many were scored.
        kind: of the estimator.
        standard_error: of the mean that comes from estimating log Z (0 if exact).
        effective_sample_size: mean share of the AIS chains that count, 0 to 1 (1 if exact).
    """

    log_likelihood: float
    interval: tuple[float, float]
    frames: int
    kind: str
    standard_error: float
    effective_sample_size: float

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FrameScores:
    """Per scored frame: log-likelihood, its standard error, effective share of chains, and the sequence it is of."""

    log_likelihood: Tensor
    standard_error: Tensor
    effective_share: Tensor
    sequence: Tensor

    def summary(self, kind: str, *, resamples: int = 1000, seed: int = 0) -> Score:
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
        return Score(float(values.mean()), (float(low), float(high)), len(values), kind, error, share)


@torch.no_grad()
def log_likelihoods(
    model: CGRNN | RNN,
    pieces: list[Tensor],
    *,
    temperatures: int = 1000,
    chains: int = 64,
    chunk: int = 64,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> FrameScores:
    """log p(v_n | u_(n−1)) of the frames of ``pieces``, each (time, visible).

    Args:
        model: an RNN (exact) or a CGRNN (log Z by AIS: over-estimated; with a sampled feed, for one draw of the
            latent path).
        pieces: the sequences.
        temperatures: of AIS.
        chains: of AIS, a frame.
        chunk: frames annealed together.
        limit: score a random ``limit`` of the frames (the same ones for one ``seed``) instead of all.
        seed: of that choice and of the estimate.
        progress: called with the frames done since the last call.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    owner = torch.cat([torch.full((len(piece),), index) for index, piece in enumerate(pieces)])
    generator = torch.Generator().manual_seed(seed)
    pick = torch.randperm(len(owner), generator=generator)[:limit].sort().values
    owner = owner[pick]
    rows = _rows_in_pieces(pieces, pick, owner)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        if isinstance(model, RNN):
            values = torch.cat(
                [
                    model.log_likelihood(piece[None].to(device))[0].cpu()[own].double()
                    for piece, own in zip(pieces, rows, strict=True)
                    if len(own)
                ]
            )
            scores = FrameScores(values, torch.zeros_like(values), torch.ones_like(values), owner)
        else:
            scores = _cgrnn_scores(model, pieces, rows, owner, temperatures, chains, chunk, progress)
    model.train(was_training)
    return scores


def _rows_in_pieces(pieces: list[Tensor], pick: Tensor, owner: Tensor) -> tuple[Tensor, ...]:
    """The frames of each piece that are among ``pick``, which counts the frames of all pieces and is in order."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    first = lengths.cumsum(0) - lengths
    return (pick - first[owner]).split(torch.bincount(owner, minlength=len(pieces)).tolist())


def _cgrnn_scores(
    model: CGRNN,
    pieces: list[Tensor],
    rows: tuple[Tensor, ...],
    owner: Tensor,
    temperatures: int,
    chains: int,
    chunk: int,
    progress: Callable[[int], None],
) -> FrameScores:
    device = next(model.parameters()).device
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for piece, own in zip(pieces, rows, strict=True):
        if len(own) or model.has_sampled_feed:  # which draws for every piece, so that `limit` does not change the draws
            frames = piece.to(device)
            visible, hidden = model(frames[None])
            own = own.to(device)
            parts.append((frames[own], visible[0, own], hidden[0, own]))
    frames, visible_bias, hidden_bias = (torch.cat(part) for part in zip(*parts, strict=True))
    slabs = model.rbm.slabs()
    partition = ais_log_partition(
        UnitSlabs.of(slabs),
        visible_bias,
        hidden_bias,
        temperatures=temperatures,
        chains=chains,
        chunk=chunk,
        progress=progress,
    )
    energy = free_energy(slabs, frames, visible_bias, hidden_bias).double().cpu()
    return FrameScores(
        -energy - partition.log_z, partition.standard_error, partition.effective_sample_size / chains, owner
    )


def estimator(model: CGRNN | RNN, temperatures: int, chains: int) -> str:
    """The kind of estimate that `log_likelihoods` makes, in words."""
    if isinstance(model, RNN):
        return "exact"
    kind = f"AIS, {temperatures:,} temperatures x {chains} chains (errs high)"
    if model.has_sampled_feed:
        kind += ", one sample of the latent path"
    return kind
