"""Systematic resampling: particles drawn again in proportion to their weights, with the least noise.

Of N particles, one of weight w is drawn ⌊N w⌋ or ⌈N w⌉ times, N w on average (Carpenter, Clifford and Fearnhead 1999;
Douc, Cappé and Moulines 2005).
"""

from __future__ import annotations

import torch
from torch import Tensor


def systematic_ancestors(log_weights: Tensor) -> Tensor:
    """Draw as many particles as there are, with one random offset a row.

    Args:
        log_weights: (..., particles); of weights in any unit: only their ratios within a row matter.

    Returns:
        Indices, int64, of the same shape, ascending. A particle of weight 0 is never drawn; where all weights of a row
        are 0 (or one is not a number), each particle is kept once.
    """
    count = log_weights.shape[-1]
    edges = torch.softmax(log_weights.double(), dim=-1).nan_to_num(1 / count).cumsum(-1)
    edges = edges / edges[..., -1:]  # that no rounding leaves a gap at the end
    offset = torch.rand(*log_weights.shape[:-1], 1, dtype=log_weights.dtype, device=log_weights.device)
    places = (torch.arange(count, dtype=torch.float64, device=log_weights.device) + offset) / count
    return torch.searchsorted(edges, places.clamp_(max=1 - 2**-53), right=True)
