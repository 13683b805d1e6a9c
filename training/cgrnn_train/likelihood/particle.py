"""A particle filter over the latent path (h, s) of a sequence model whose recurrence draws it (the sampled feed).

p(v_1:N) = E over h, s ~ Π p(· | v_n, u_(n−1)) of Π p(v_n | u_(n−1)), and each particle is one such path, known by its
state u. The mean of the particles' p(v_n | u_(n−1)) is the increment; the state then advances by a draw of (h, s) given
v_n, and the particles are resampled (systematically) where their weights' effective size is below half their number.

E[p̂] = p(v_1:N) for any number of particles (Del Moral 2004; Andrieu, Doucet and Holenstein 2010), if log Z is exact.
So E[log p̂] ≤ log p: **it errs low**, by about half the variance of log p̂, and less with more particles. An AIS log Z
errs the other way; state both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cgrnn_train.models.conditional import Conditionals, each
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.resampling import systematic_ancestors


class Conditional(NamedTuple):
    """What an estimate says of p(v | u) of each particle.

    Attributes:
        log_z: log Z, (particles,).
        mean: E[v | u], (particles, visible).
    """

    log_z: Tensor
    mean: Tensor


class Filtered(NamedTuple):
    """What particles say of each frame of a sequence, on the CPU.

    Attributes:
        log_likelihood: log p̂(v_n | v_1:n−1), (time,) float64, nats; their sum errs low as an estimate of log p(v_1:N).
        means: E[v_n | v_1:n−1], (time, visible) float64: of the particles weighted by the frames before.
    """

    log_likelihood: Tensor
    means: Tensor


@torch.no_grad()
def particle_filter(
    model: EnergySystem,
    frames: Tensor,
    particles: int,
    *,
    conditional: Callable[[Conditionals], Conditional],
    resample_below: float = 0.5,
) -> Filtered:
    """Follow the latent path of one sequence.

    Without a sampled feed all particles are the same and the sum is log p(v_1:N) itself, as exact as log Z is.

    Args:
        model: in evaluation mode.
        frames: v, (time, visible).
        particles: how many.
        conditional: from what each particle says of the frame: enumeration, or AIS.
        resample_below: the fraction of ``particles`` that the effective sample size must fall under.
    """
    state = model.initial().expand(particles if model.has_sampled_feed else 1, -1)
    log_weight = torch.full((len(state),), -math.log(len(state)), dtype=torch.float64, device=state.device)
    increments, means = list[Tensor](), list[Tensor]()
    count = len(state)
    for frame in frames:
        conditionals = each(model.rbm.conditionals(state), lambda tensor: tensor.expand(count, -1))
        energy = model.rbm.free_energy(frame.double(), conditionals)
        found = conditional(conditionals)
        means.append(torch.exp(log_weight) @ found.mean.double())
        log_weight = log_weight - energy - found.log_z.to(energy)
        increments.append(torch.logsumexp(log_weight, 0))
        log_weight = log_weight - increments[-1]
        if torch.exp(-torch.logsumexp(2 * log_weight, 0)) < resample_below * len(state):
            state = state[systematic_ancestors(log_weight)]
            log_weight = torch.full_like(log_weight, -math.log(len(state)))
        state = model.advance(state, frame.expand(len(state), -1))
    if not increments:
        return Filtered(torch.zeros(0, dtype=torch.float64), torch.zeros(0, frames.shape[1], dtype=torch.float64))
    return Filtered(torch.stack(increments).cpu(), torch.stack(means).cpu())
