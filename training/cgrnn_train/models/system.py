"""What every system of the paper's Table 1 can do, whatever its kind.

    System           predict, reconstruct, generate, activations
    ├── BoundSystem  its likelihood, or a lower bound of it, has a gradient      rnn, storn, vrnn, srnn
    └── EnergySystem a conditional RBM over each frame; log Z is estimated       rnn_rbm, rnn_ssrbm, cgrnn   (energy.py)

`cgrnn_train.fit` trains both kinds; `cgrnn_train.evaluate` scores them. Shapes: frames are (batch, time, visible), of 0
and 1 (piano rolls) or of any numbers (sound, normalised); the mean of each unit, which for a pitch is the probability
that it is on, has the same shape. Randomness comes from PyTorch's global generator: seed it.

Two protocols that must not be mixed up (the paper's Table 1 does):

predict      p(v_n | v_1 … v_(n−1)): the past only.
reconstruct  what a model says of v_n after it has seen v_n: the paper's figures for VRNN, SRNN, RNN-RBM, RNN-ssRBM and
             CGRNN.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from cgrnn_train.models.start import FrameStatistics


class System(nn.Module, ABC):
    """A model of sequences of frames."""

    config: Any
    """The system's own dataclass; every one has ``visible``, ``state``, ``mlp``, ``dropout`` and ``state_dropout``."""

    @abstractmethod
    def start_from(self, start: FrameStatistics) -> None:
        """Set the output's biases so that an untrained model plays frames of these statistics."""

    @abstractmethod
    def predict(self, frames: Tensor) -> Tensor:
        """Mean of each unit of every frame given the frames before it, (batch, time, visible)."""

    @abstractmethod
    def reconstruct(self, frames: Tensor) -> Tensor | None:
        """Mean of each unit of every frame after the model has seen it; None if it has no latent variable."""

    @abstractmethod
    def generate(self, count: int, prompt: Tensor | None = None) -> Tensor:
        """Free play from the initial state, (count, visible), or from the state after ``prompt``.

        Args:
            count: frames to play.
            prompt: frames that were heard first, (time, visible), or (batch, time, visible) to go on from each: then
                (batch, count, visible). Latent variables of a prompt are drawn from the system's own posterior.
        """

    @abstractmethod
    def activations(self, frames: Tensor) -> Tensor | None:
        """Mean of the latent variables of every frame given the frames, (batch, time, latent); None if there are none.

        E[h∘s | v, u] of a C-ssRBM, E[h | v, u] of an RBM, the posterior mean of a variational autoencoder: Fig. 3.
        """


class BoundSystem(System):
    """A system trained by gradient ascent on its log-likelihood or on a lower bound of it."""

    @abstractmethod
    def bound(self, frames: Tensor, mask: Tensor | None = None, divergence_weight: float = 1.0) -> Tensor:
        """Share of each frame in log p(v_1 … v_N), or in a lower bound of it: (batch, time), nats, differentiable.

        Args:
            frames: (batch, time, visible).
            mask: (batch, time) bool, False on the padding that follows each sequence; None: no padding. Values on
                padding mean nothing, and padding never changes those of real frames.
            divergence_weight: of the KL term of a variational autoencoder. Only with 1 is it a bound; less is for the
                first epochs of training.
        """

    @abstractmethod
    def log_likelihood(self, frames: Tensor, samples: int) -> Tensor:
        """The best likelihood or lower bound that ``samples`` draws of the latent path give.

        Args:
            frames: one sequence, (time, visible).
            samples: draws of the latent path; 1: the bound that is trained. Ignored where the likelihood is exact.

        Returns:
            (time,) float64, nats: increments whose sum is the sequence's.
        """

    is_exact = False
    """Whether `bound` is the log-likelihood itself, so that draws of a latent path have nothing to add."""

    @abstractmethod
    def kind(self, samples: int) -> str:
        """What `log_likelihood` with so many ``samples`` is, in words."""
