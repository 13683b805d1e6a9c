"""What a model says of the rest of a frame when some of its pitches are known to be on: the question of `accompany`.

With the pitches K known and the others free,

    p(v_free | v_K, u) = exp(−F(v_K ∪ v_free | u)) / Σ exp(−F(v_K ∪ v'_free | u)),      the sum over v'_free,

in which Z(u) cancels. Two such conditionals:

one more    exactly one free pitch is on, and which is asked: one free energy for each of them, exact.
completion  every free pitch is on or off. The sum is a partition function, estimated by AIS as Z(u) is: it errs low,
            so that **the likelihood errs high**.

Where pitches are independent given u, K says nothing of the rest and both have a closed form.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.binary import BinaryFrames, Conditionals
from cgrnn_train.models.conditional import each

HELD = 100.0
"""Nats that a known pitch's bias is raised by, so that no chain leaves it: frames without it weigh e⁻¹⁰⁰ times what
they did, far less than any W makes up for."""

ROWS_TOGETHER = 32
"""Frames whose candidates are computed at once: bounds the memory."""


@torch.no_grad()
def log_one_more(rbm: BinaryFrames, known: Tensor, conditionals: Conditionals) -> Tensor:
    """log p(j | the pitches known and exactly one more, u) of every pitch j, exact.

    Args:
        rbm: in evaluation mode.
        known: the pitches known to be on, (rows, visible) of 0 and 1, one free at least in each row.
        conditionals: what u says of each row, (rows, …).

    Returns:
        (rows, visible) float64, nats; −∞ where a pitch is known.
    """
    parts = [
        _log_one_more(rbm, known[start : start + ROWS_TOGETHER].double(), _rows(conditionals, start))
        for start in range(0, len(known), ROWS_TOGETHER)
    ]
    return torch.cat(parts)


def _rows(conditionals: Conditionals, start: int) -> Conditionals:
    return each(conditionals, lambda tensor: tensor[start : start + ROWS_TOGETHER, None])


def _log_one_more(rbm: BinaryFrames, known: Tensor, conditionals: Conditionals) -> Tensor:
    each_added = torch.eye(known.shape[1], dtype=known.dtype)
    candidates = (known[:, None] + each_added).clamp(max=1)  # (rows, pitch added, visible)
    return _among_free(-rbm.free_energy(candidates, conditionals), known)


def independent_log_one_more(logits: Tensor, known: Tensor) -> Tensor:
    """`log_one_more` of independent pitches, p(j) ∝ p_j / (1 − p_j) among the free ones.

    Args:
        logits: log p_j / (1 − p_j), (rows, visible).
        known: (rows, visible) of 0 and 1.
    """
    return _among_free(logits.double(), known)


def _among_free(scores: Tensor, known: Tensor) -> Tensor:
    return torch.log_softmax(scores.masked_fill(known > 0, -torch.inf), dim=-1)


@torch.no_grad()
def log_completion(
    rbm: BinaryFrames, frames: Tensor, known: Tensor, conditionals: Conditionals, *, temperatures: int, chains: int
) -> Tensor:
    """log p(the free pitches as in ``frames`` | the known ones are on, u), by AIS: errs high.

    Args:
        rbm: in evaluation mode.
        frames: (rows, visible) of 0 and 1, the known pitches on in them.
        known: the pitches known to be on, (rows, visible) of 0 and 1.
        conditionals: what u says of each row, (rows, …).
        temperatures: of AIS, as in `BinaryFrames.anneal`.
        chains: of AIS, a row.

    Returns:
        (rows,) float64, nats.
    """
    held = Conditionals(conditionals.visible_bias + HELD * known, conditionals.hidden_bias)
    log_z = rbm.anneal(held, temperatures=temperatures, chains=chains).log_partition
    return -rbm.free_energy(frames.double(), held) - log_z


def independent_log_completion(logits: Tensor, frames: Tensor, known: Tensor) -> Tensor:
    """`log_completion` of independent pitches, exact: log p of every free one, (rows,)."""
    each_pitch = F.logsigmoid((2 * frames.double() - 1) * logits.double())
    return each_pitch.masked_fill(known > 0, 0).sum(-1)
