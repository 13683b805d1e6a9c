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
        sums = np.bincount(owner, values)
        counts = np.bincount(owner)
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
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        if isinstance(model, RNN):
            values = torch.cat([model.log_likelihood(piece[None].to(device))[0].cpu() for piece in pieces])[
                pick
            ].double()
            scores = FrameScores(values, torch.zeros_like(values), torch.ones_like(values), owner[pick])
        else:
            scores = _cgrnn_scores(model, pieces, pick, owner[pick], temperatures, chains, chunk, progress)
    model.train(was_training)
    return scores


def _cgrnn_scores(
    model: CGRNN,
    pieces: list[Tensor],
    pick: Tensor,
    owner: Tensor,
    temperatures: int,
    chains: int,
    chunk: int,
    progress: Callable[[int], None],
) -> FrameScores:
    device = next(model.parameters()).device
    conditionals = [model(piece[None].to(device)) for piece in pieces]
    visible_bias = torch.cat([c.visible_bias[0] for c in conditionals])[pick.to(device)]
    hidden_bias = torch.cat([c.hidden_bias[0] for c in conditionals])[pick.to(device)]
    frames = torch.cat(pieces)[pick].to(device)
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
    if model.config.feed == "sampled" and model.config.mode != "D":
        kind += ", one sample of the latent path"
    return kind
