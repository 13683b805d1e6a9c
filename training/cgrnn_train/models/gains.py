"""The gain g of a frame of sound: how loud it is as a whole, a latent of few values beside the hidden units.

    log g_k = STEP (k − QUIETER),      k = 0 … gains − 1,      p(g_k | u) = softmax(b_g + U₄ u)

A frame v = c + d g x, with x of a C-ssRBM, is then a scale mixture of them (after the Gaussian scale mixtures of
Wainwright and Simoncelli, 2000), and Z, which knows of x alone, is the same for all. One gain, 1, is the paper's model.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

STEP = 0.3
"""Of log g, 2.6 dB."""

QUIETER = 4
"""Gains below 1, of at least four times as many."""


class AtGains(NamedTuple):
    """What each gain makes of some frames.

    Attributes:
        drive: y, (..., gains, hidden).
        logits: η, (..., gains, hidden).
        log_weight: log p(g | u) − F(x) − D log g, (..., gains): where the frame is known, the logits of p(g | v, u).
    """

    drive: Tensor
    logits: Tensor
    log_weight: Tensor


def gain_steps(gains: int) -> Tensor:
    """log g of ``gains`` values, in steps of `STEP`: (gains,)."""
    return STEP * (torch.arange(gains, dtype=torch.float64) - min(QUIETER, gains // 4)).float()
