"""Per-frame log-likelihoods, how they were estimated, and their summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.bootstrap import RESAMPLES, bootstrap_ratio
from cgrnn_train.data.sequences import Sequences
from cgrnn_train.likelihood.chunks import in_chunks
from cgrnn_train.scores import Likelihood


@dataclass(frozen=True, slots=True)
class Settings:
    """How a likelihood is estimated.

    Attributes:
        temperatures: of AIS, and sweeps after its path.
        chains: of AIS, a frame.
        chunk: frames annealed together: bounds the memory.
        samples: draws of the latent path of a variational autoencoder, of which 1 is the bound that it is trained on;
            particles that follow the latent path of a sampled feed.
        seed: of the estimate and of ``limit``'s choice.
    """

    temperatures: int = 300
    chains: int = 16
    chunk: int = 64
    samples: int = 1
    seed: int = 0


def chosen_frames(pieces: Sequence[Tensor], limit: int | None, seed: int) -> tuple[Tensor, Tensor]:
    """A random ``limit`` of all frames, the same ones for one seed, or all of them: their pieces and places, in order.

    Returns:
        (owner, places), each (frames,) int64: the index of a frame's piece, and of the frame in it.
    """
    lengths = [len(piece) for piece in pieces]
    owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    places = torch.cat([torch.arange(length) for length in lengths])
    pick = torch.randperm(len(owner), generator=torch.Generator().manual_seed(seed))[:limit].sort().values
    return owner[pick], places[pick]


def log_scales(pieces: Sequence[Tensor], owner: Tensor, places: Tensor) -> Tensor:
    """What the log-density of the normalised values has less than that of the frames, (frames,) float64.

    Frame i is ``places[i]`` of ``pieces[owner[i]]``; pieces that are no `Sequences` are of normalised values.
    """
    found = torch.zeros(len(owner), dtype=torch.float64)
    if isinstance(pieces, Sequences):
        for index in owner.unique().tolist():
            scale = pieces.log_scale(index)
            if scale is not None:
                found[owner == index] = scale[places[owner == index]]
    return found


@dataclass(frozen=True, slots=True)
class FrameScores:
    """Per scored frame: log-likelihood (of its normalised values) and the sequence it is of.

    Where log Z is annealed, its standard error, the share of chains that count, and what was predicted, E[v | u],
    (frames, visible).
    """

    log_likelihood: Tensor
    sequence: Tensor
    standard_error: Tensor | None = None
    effective_share: Tensor | None = None
    means: Tensor | None = None

    def summary(
        self, kind: str, songs: NDArray[np.int64] | None = None, *, resamples: int = RESAMPLES, seed: int = 0
    ) -> Likelihood:
        """The mean with its bootstrap interval by sequence, or by song if ``songs`` (sequences,) says whose each is."""
        values, owner = self.log_likelihood.double().numpy(), self.sequence.numpy()
        _, unit = np.unique(owner if songs is None else songs[owner], return_inverse=True)
        sums, lengths = np.bincount(unit, values), np.bincount(unit)
        mean = bootstrap_ratio(sums, lengths, resamples=resamples, seed=seed)
        error = self.standard_error
        share = self.effective_share
        return Likelihood(
            mean.value,
            mean.interval,
            kind,
            None if error is None else float(error.double().square().sum().sqrt() / len(values)),
            None if share is None else float(share.mean()),
            tuple(sums.tolist()),
            tuple(lengths.tolist()),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Which frames are scored, how, and where finished parts are kept.

    Attributes:
        pieces: the sequences, each (time, visible).
        owner: the piece of each frame that is scored, in order.
        places: which of its piece's frames each is.
        settings: of the estimate.
        store: see `cgrnn_train.likelihood.chunks.in_chunks`.
        key: see there.
        progress: called with the frames done since the last call.
    """

    pieces: Sequence[Tensor]
    owner: Tensor
    places: Tensor
    settings: Settings
    store: Path | None
    key: dict[str, object]
    progress: Callable[[int], None]

    @property
    def rows(self) -> tuple[Tensor, ...]:
        """Which frames of each piece are scored."""
        return self.places.split(torch.bincount(self.owner, minlength=len(self.pieces)).tolist())

    def by_pieces(
        self, groups: Sequence[Sequence[int]], estimate: Callable[[Sequence[int]], dict[str, Tensor]], **key: object
    ) -> dict[str, Tensor]:
        """Run ``estimate`` on groups of pieces, a chunk each; what it returns, a row for each scored frame, joined."""
        rows = self.rows
        counts = iter([sum(len(rows[index]) for index in group) for group in groups])
        return in_chunks(
            len(groups),
            1,
            lambda part: estimate(groups[part.start]),
            seed=self.settings.seed,
            store=self.store,
            key={**self.key, **key},
            progress=lambda done: self.progress(sum(islice(counts, done))),
        )
