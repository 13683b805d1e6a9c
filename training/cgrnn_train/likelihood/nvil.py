"""The variational upper bound on log Z, log Z ≤ ½ log E_q[(p*/q)²] (Kuleshov and Ermon 2017), with the square.

By Jensen E_q[(p*/q)²] ≥ (E_q[p*/q])² = Z². A proposal with auxiliary variables, q(x, z) = q(z) q(x | z), has the
weight w = p*(x) r(z | x) / (q(z) q(x | z)) for any r; the best r is q's own posterior, with which w = p*(x) / q(x). For
binary frames the proposal is a mixture of K factorised Bernoullis, z its component, summed out exactly.

**A figure is never bare.** The expectation is estimated by the mean of finitely many draws, and the log of a sample
mean is biased *low*: where q misses mass, the "upper bound" can lie below log Z, and does so without warning from any
single number. Read the spread over independent repeats and the effective sample size of w² beside it. A likelihood
−F − bound errs low to the extent that the estimate of the bound has converged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.head import Head, free_energy


@dataclass(frozen=True, slots=True)
class UpperBound:
    """The bound on log Z of each frame, with what it takes to judge it.

    Attributes:
        bound: ½ log of the mean of w² over all draws, (frames,) float64, nats.
        spread: standard deviation of the same estimate over independent repeats, each of its own draws, (frames,).
        effective_sample_size: of w², (frames,) float64, at most ``draws``; a few are too few.
        draws: in all, per frame.
    """

    bound: Tensor
    spread: Tensor
    effective_sample_size: Tensor
    draws: int


@dataclass(frozen=True, slots=True)
class BernoulliMixture:
    """q(v) = 1/K Σ_z Π_j Bernoulli(v_j; σ(logits_zj)), one for each frame.

    Attributes:
        logits: (components, frames, visible).
    """

    logits: Tensor

    def draw(self, count: int) -> Tensor:
        """Samples, (count, frames, visible)."""
        components, frames, visible = self.logits.shape
        component = torch.randint(components, (count, frames, 1), device=self.logits.device)
        logits = self.logits.gather(0, component.expand(-1, -1, visible))
        return (torch.rand_like(logits) < torch.sigmoid(logits)).to(logits.dtype)

    def log_density(self, frame: Tensor) -> Tensor:
        """log q(v) of ``frame`` (count, frames, visible), the component summed out; (count, frames)."""
        linear = torch.einsum("cfv,kfv->kcf", frame, self.logits)
        return torch.logsumexp(linear - F.softplus(self.logits).sum(-1).unsqueeze(1), 0) - math.log(len(self.logits))


@torch.no_grad()
def gibbs_mixture(
    head: Head, visible_bias: Tensor, hidden_bias: Tensor, *, components: int = 64, sweeps: int = 50, clip: float = 0.02
) -> BernoulliMixture:
    """A proposal whose components are p(v | hidden) at the ends of independent short Gibbs runs.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        components: K.
        sweeps: of Gibbs before a component is read.
        clip: each probability is mixed with this much of an even coin's, so that no frame is out of reach.
    """
    doubles, visible_bias, hidden_bias = head.double(), visible_bias.double(), hidden_bias.double()
    frame = torch.rand(components, *visible_bias.shape, dtype=torch.float64, device=visible_bias.device)
    frame = (frame < torch.sigmoid(visible_bias)).double()
    for _ in range(sweeps):
        frame = doubles.sweep(frame, visible_bias, hidden_bias)
    hidden = doubles.draw_hidden(*doubles.spike_logits(frame, hidden_bias))
    probability = torch.sigmoid(doubles.pitch_logits(hidden, visible_bias))
    return BernoulliMixture(torch.logit((1 - clip) * probability + clip / 2))


@torch.no_grad()
def nvil_upper_bound(log_weights: Callable[[int], Tensor], *, draws: int = 10_000, repeats: int = 10) -> UpperBound:
    """½ log E_q[w²] from independent draws of w, whatever x is; an upper bound on log Z but for sampling.

    Args:
        log_weights: given a count, log w of as many draws, (count, frames): log p*(x) r(z | x) − log q(x | z) q(z).
        draws: per frame in all.
        repeats: equal parts of them, whose estimates make the spread.

    Raises:
        ValueError: fewer than two repeats, or fewer draws than repeats.
    """
    if not 2 <= repeats <= draws:
        raise ValueError(f"found {repeats} repeats of {draws} draws; expected two or more, each with a draw")
    count = draws // repeats
    squares = torch.stack([2 * log_weights(count).double() for _ in range(repeats)])  # (repeats, count, frames)
    each = 0.5 * (torch.logsumexp(squares, 1) - math.log(count))
    flat = squares.flatten(0, 1)
    total = torch.logsumexp(flat, 0)
    size = torch.exp(2 * total - torch.logsumexp(2 * flat, 0))
    bound = 0.5 * (total - math.log(count * repeats))
    return UpperBound(bound.cpu(), each.std(0).cpu(), size.cpu(), count * repeats)


def nvil_log_partition(
    head: Head,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    draws: int = 10_000,
    repeats: int = 10,
    components: int = 64,
) -> UpperBound:
    """The bound on log Z of each frame with `gibbs_mixture` as the proposal; the likelihood that follows errs low.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        draws: per frame in all.
        repeats: equal parts of them, whose estimates make the spread.
        components: of the mixture.
    """
    proposal = gibbs_mixture(head, visible_bias, hidden_bias, components=components)
    doubles, visible_bias, hidden_bias = head.double(), visible_bias.double(), hidden_bias.double()

    def log_weights(count: int) -> Tensor:
        frame = proposal.draw(count)
        return -free_energy(doubles, frame, visible_bias, hidden_bias) - proposal.log_density(frame)

    return nvil_upper_bound(log_weights, draws=draws, repeats=repeats)
