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

import torch
from torch import Tensor

from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.head import Head, free_energy
from cgrnn_train.models.resampling import systematic_ancestors

LogZ = Callable[[Head, Tensor, Tensor], Tensor]
"""log Z of rows, (rows,), from a head, b̃_v (rows, visible) and b̃_h (rows, hidden)."""


@torch.no_grad()
def particle_log_likelihood(
    model: EnergySystem, frames: Tensor, particles: int, *, log_partition: LogZ, resample_below: float = 0.5
) -> Tensor:
    """log p̂(v_n | v_1:n−1) of each frame of one sequence, nats; its sum errs low as an estimate of log p(v_1:N).

    Without a sampled feed all particles are the same and the sum is log p(v_1:N) itself, as exact as log Z is.

    Args:
        model: in evaluation mode.
        frames: v, (time, visible) of 0 and 1.
        particles: how many.
        log_partition: log Z of the particles' biases, `exact.exact_log_partition` or AIS.
        resample_below: the fraction of ``particles`` that the effective sample size must fall under.

    Returns:
        (time,) float64, on the CPU.
    """
    head = model.rbm.head()
    doubles = head.double()
    state = model.initial().expand(particles if model.has_sampled_feed else 1, -1)
    log_weight = torch.full((len(state),), -math.log(len(state)), dtype=torch.float64, device=state.device)
    increments: list[Tensor] = []
    for frame in frames:
        visible_bias, hidden_bias = model.rbm.biases(state)
        visible_bias = visible_bias.expand(len(state), -1)
        energy = free_energy(doubles, frame.double(), visible_bias.double(), hidden_bias.double())
        log_weight = log_weight - energy - log_partition(head, visible_bias, hidden_bias).to(energy)
        increments.append(torch.logsumexp(log_weight, 0))
        log_weight = log_weight - increments[-1]
        if torch.exp(-torch.logsumexp(2 * log_weight, 0)) < resample_below * len(state):
            state = state[systematic_ancestors(log_weight)]
            log_weight = torch.full_like(log_weight, -math.log(len(state)))
        state = model.advance(state, frame.expand(len(state), -1))
    return torch.stack(increments).cpu() if increments else torch.zeros(0, dtype=torch.float64)
