"""A conditional RBM over one frame, as the systems that hold one see it, whatever their frames are.

    ConditionalRBM
    ├── BinaryFrames      pitches of 0 and 1: BinaryRBM, BinaryCSSRBM            (binary.py, rbm.py, cssrbm.py)
    └── ContinuousFrames  samples of sound: GaussianRBM, ContinuousCSSRBM  (continuous.py, gaussian_rbm.py, …)

What u says of a frame is a tuple of tensors, its *conditionals*: (rows…, numbers) each, of which rows can be picked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from cgrnn_train.models.start import FrameStatistics

Conditionals = tuple[Tensor, ...]
"""What u_(n−1) says of frame n; a named tuple of the RBM's own."""

Given = TypeVar("Given", bound=Conditionals)


def each(conditionals: Given, change: Any) -> Given:
    """Apply ``change`` to every tensor of ``conditionals``: pick rows, cast, move."""
    return type(conditionals)(*(change(tensor) for tensor in conditionals))  # pyright: ignore[reportCallIssue]


@dataclass(frozen=True, slots=True)
class Annealing:
    """What annealed chains say of p(v | u) of some rows.

    Attributes:
        log_partition: log Z without the constants that `ConditionalRBM.free_energy` leaves out, (rows,) float64.
        standard_error: of it, from the chains' chance, (rows,) float64.
        effective_sample_size: of the chains' weights, (rows,) float64, at most their number.
        mean: E[v | u], (rows, visible): probabilities of pitches, or samples.
    """

    log_partition: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor
    mean: Tensor


class ConditionalRBM(nn.Module, ABC):
    """An RBM over frames whose biases (and scale) are modulated by a recurrent state."""

    estimator: ClassVar[str]
    """What `anneal` does, in words, for the keys of kept parts: new where it changes."""

    @abstractmethod
    def start_from(self, start: FrameStatistics) -> None:
        """As `System.start_from`."""

    @abstractmethod
    def conditionals(self, state: Tensor) -> Conditionals:
        """What ``state`` (..., state) says of the frame after it; each (..., numbers), differentiable."""

    @abstractmethod
    def free_energy(self, frames: Tensor, conditionals: Conditionals) -> Tensor:
        """F(v | u) per frame, (...), differentiable: log p(v | u) = −F − log Z."""

    @abstractmethod
    def contrast(self, frames: Tensor, fantasy: Tensor, conditionals: Conditionals) -> Tensor:
        """What has the gradient of −log p(v | u) in expectation over ``fantasy``, that of `gibbs`; (...)."""

    @abstractmethod
    def first_chains(self, frames: Tensor, conditionals: Conditionals) -> Tensor:
        """Where chains begin that restart at ``frames`` (rows, visible), as in contrastive divergence: (rows, …)."""

    @abstractmethod
    def gibbs(
        self, chains: Tensor, conditionals: Conditionals, sweeps: int, *, collapsed: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Move chains of p(v, h | u) by block Gibbs, no gradient.

        Args:
            chains: where they are, (rows, …), as a run keeps them (`cgrnn_train.chains`).
            conditionals: a row each.
            sweeps: how many.
            collapsed: of sound with slabs: whether these are integrated out where a frame is drawn, or drawn too.

        Returns:
            The fantasy for `contrast`, (rows, visible), and the chains, (rows, …).
        """

    @abstractmethod
    def anneal(self, conditionals: Conditionals, *, temperatures: int, chains: int) -> Annealing:
        """Estimate log Z and E[v | u] of each row by annealed chains that never see the frame."""

    @abstractmethod
    def draw(self, previous: Tensor, conditionals: Conditionals, sweeps: int) -> Tensor:
        """Draw the next frame (rows, visible) by ``sweeps`` of Gibbs; ``previous`` is the frame before it."""

    @abstractmethod
    def reconstruct(self, frames: Tensor, conditionals: Conditionals) -> Tensor:
        """E[v | hidden units drawn given v], (..., visible): one Gibbs step, its last draw left out."""

    @abstractmethod
    def activations(self, frames: Tensor, conditionals: Conditionals) -> Tensor:
        """E[h∘s | v, u] or, where there are no slabs, E[h | v, u]: (..., hidden)."""

    @abstractmethod
    def slow_parameters(self) -> list[nn.Parameter]:
        """Those with a learning rate of their own (``weight_learning_rate``)."""
