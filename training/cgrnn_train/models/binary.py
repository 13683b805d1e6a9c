"""What the conditional RBMs over pitches share: everything that samples and estimates goes through a `Head`."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, cast

import torch
from torch import Tensor

from cgrnn_train.likelihood.summed import VERSION, summed_ais
from cgrnn_train.likelihood.sweep import gibbs
from cgrnn_train.models.conditional import Annealing, ConditionalRBM
from cgrnn_train.models.conditional import Conditionals as AnyConditionals
from cgrnn_train.models.head import Head, free_energy


class Conditionals(NamedTuple):
    """What u_(n−1) says of frame n: b̃_v (..., visible) and the uncentred b̃_h (..., hidden)."""

    visible_bias: Tensor
    hidden_bias: Tensor


class BinaryFrames(ConditionalRBM):
    """An RBM over frames of 0 and 1."""

    estimator = VERSION

    @abstractmethod
    def head(self) -> Head:
        """The present parameters, differentiable."""

    @abstractmethod
    def hidden_scale(self) -> Tensor:
        """What the head's hidden units are to be multiplied by, (hidden,) or (): its slabs have unit precision."""

    @abstractmethod
    def conditionals(self, state: Tensor) -> Conditionals:
        """See `ConditionalRBM.conditionals`."""

    def free_energy(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.free_energy`; float64 where the frames are."""
        head = self.head()
        visible_bias, hidden_bias = conditionals
        if frames.dtype == torch.float64:
            head, visible_bias, hidden_bias = head.double(), visible_bias.double(), hidden_bias.double()
        return free_energy(head, frames, visible_bias, hidden_bias)

    def contrast(self, frames: Tensor, fantasy: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.contrast`: F(frames) − F(fantasy)."""
        head = self.head()
        return free_energy(head, frames, *conditionals) - free_energy(head, fantasy, *conditionals)

    def first_chains(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.first_chains`: the frames."""
        return frames

    def gibbs(
        self, chains: Tensor, conditionals: AnyConditionals, sweeps: int, *, collapsed: bool = True
    ) -> tuple[Tensor, Tensor]:
        """See `ConditionalRBM.gibbs`; a chain is its frame."""
        ends = gibbs(self.head(), chains[None], *cast(Conditionals, conditionals), sweeps)[0]
        return ends, ends

    def anneal(self, conditionals: AnyConditionals, *, temperatures: int, chains: int) -> Annealing:
        """See `ConditionalRBM.anneal`: visited frames summed."""
        found = summed_ais(self.head(), *cast(Conditionals, conditionals), temperatures=temperatures, chains=chains)
        log_z = found.partition
        return Annealing(log_z.value, log_z.standard_error, log_z.effective_sample_size, found.marginals)

    @torch.no_grad()
    def draw(self, previous: Tensor, conditionals: AnyConditionals, sweeps: int) -> Tensor:
        """See `ConditionalRBM.draw`: from the frame before it."""
        head, frame = self.head(), previous
        for _ in range(sweeps):
            frame = head.sweep(frame, *conditionals)
        return frame

    @torch.no_grad()
    def reconstruct(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.reconstruct`: probabilities."""
        head, (visible_bias, hidden_bias) = self.head(), conditionals
        hidden = head.draw_hidden(*head.spike_logits(frames, hidden_bias))
        return torch.sigmoid(head.pitch_logits(hidden, visible_bias))

    @torch.no_grad()
    def activations(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.activations`."""
        head, (_, hidden_bias) = self.head(), conditionals
        return self.hidden_scale() * head.mean_hidden(*head.spike_logits(frames, hidden_bias))
