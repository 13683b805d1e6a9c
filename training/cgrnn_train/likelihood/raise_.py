"""RAISE, the reverse AIS estimator of a likelihood (Burda, Grosse and Salakhutdinov 2015).

The annealing model draws v_0 from the base and takes a transition at each inverse temperature β_1 … β_K = 1; its last
state has a distribution p_ann near the model's. A chain that starts **at the test frame** v, makes the transition at
β = 1 and descends to the base is an importance sample of the annealing model's path that ended in v:

    log w = −F(v) − log Z_0 + Σ [log p*_βk−1(v_k−1) − log p*_βk(v_k−1)],      E[w] = p_ann(v).

E[log mean w] ≤ log p_ann(v), and the mean of log p_ann over the model's own frames is below that of log p by a KL
divergence: **on those it errs low**. On others it promises nothing: p_ann is flatter than p, so on frames that a sharp
model finds unlikely the estimate can lie far above log p, in the mean over a test set too. With more temperatures p_ann
goes to p.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cgrnn_train.likelihood.ais import LogMean, log_mean
from cgrnn_train.likelihood.path import AnnealingPath
from cgrnn_train.models.head import Head, free_energy


@torch.no_grad()
def raise_log_probabilities(
    head: Head,
    frames: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    temperatures: int = 1000,
    chains: int = 64,
) -> LogMean:
    """Estimate log p(v | u) of each frame (Burda et al. 2015, algorithm 2); it errs low on the model's own frames only.

    Args:
        head: the RBM.
        frames: v, (frames, visible) of 0 and 1.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        temperatures: transitions of the annealing model, evenly spaced.
        chains: reverse chains a frame.

    Returns:
        Estimates for all frames, in nats.
    """
    path = AnnealingPath(head, visible_bias, hidden_bias, temperatures)  # its base knows nothing of the frames
    start = head.sweep(frames.expand(chains, -1, -1), visible_bias, hidden_bias)  # the transition at β = 1
    energy = free_energy(head.double(), frames.double(), visible_bias.double(), hidden_bias.double())
    return log_mean(path.descend(start).gain - path.log_base_partition - energy)
