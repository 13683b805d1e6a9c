"""Exact log Z of a conditional RBM by enumerating its 2^V frames: the truth that every estimator is tested against."""

from __future__ import annotations

import torch
from torch import Tensor

from cgrnn_train.models.head import Head, free_energy

MAX_VISIBLE = 20


def all_frames(visible: int) -> Tensor:
    """Every binary frame, (2^visible, visible) float64, in counting order.

    Raises:
        ValueError: more than `MAX_VISIBLE` units.
    """
    if visible > MAX_VISIBLE:
        raise ValueError(
            f"found {visible} visible units; expected at most {MAX_VISIBLE}, for enumeration takes 2^V frames"
        )
    codes = torch.arange(2**visible).unsqueeze(1)
    return ((codes >> torch.arange(visible)) & 1).double()


def exact_log_probabilities(head: Head, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """log p(v | u) of `all_frames`, (2^visible,), for one b̃_v (visible,) and one b̃_h (hidden,)."""
    doubles = head.double()
    energy = free_energy(doubles, all_frames(len(visible_bias)), visible_bias.double(), hidden_bias.double())
    return torch.log_softmax(-energy, dim=0)


def exact_log_partition(head: Head, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """log Z(u) without the constants that `head.free_energy` leaves out, (frames,) float64.

    Args:
        head: the RBM.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
    """
    doubles = head.double()
    frames = all_frames(visible_bias.shape[1])
    return torch.stack(
        [
            torch.logsumexp(-free_energy(doubles, frames, own_visible, own_hidden), dim=0)
            for own_visible, own_hidden in zip(visible_bias.double(), hidden_bias.double(), strict=True)
        ]
    )
