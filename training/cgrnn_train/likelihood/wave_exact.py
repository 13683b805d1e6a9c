"""Exact log Z of a conditional RBM over sound, by enumerating its 2^H spikes: the truth its estimators are tested with.

    Z = (2π)^(D/2) Σ_h exp{ b̃_hᵀh − ½ Σ mᵢ²hᵢ + ½ m_Aᵀ G⁻¹ m_A − ½ log |G| },      G = I − W_AᵀW_A,

for slabs (section 1 of the mended equations, with α = 1); for spikes alone Σ_h exp{ b̃_hᵀh + ½ |Wh|² }.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cgrnn_train.models.wave_units import WaveUnits

MAX_HIDDEN = 16


def all_spikes(hidden: int) -> Tensor:
    """Every h, (2^hidden, hidden) float64, in counting order.

    Raises:
        ValueError: more than `MAX_HIDDEN` units.
    """
    if hidden > MAX_HIDDEN:
        raise ValueError(
            f"found {hidden} hidden units; expected at most {MAX_HIDDEN}, for enumeration takes 2^H states"
        )
    codes = torch.arange(2**hidden).unsqueeze(1)
    return ((codes >> torch.arange(hidden)) & 1).double()


@torch.no_grad()
def exact_spike_log_weights(units: WaveUnits, hidden_bias: Tensor) -> Tensor:
    """log p*(h) of `all_spikes`, x and s integrated out, (rows, 2^hidden) float64, in units of (2π)^(D/2).

    Args:
        units: the RBM.
        hidden_bias: b̃_h, (rows, hidden).
    """
    spikes = all_spikes(hidden_bias.shape[-1])
    return hidden_bias.double() @ spikes.T + units.double().given_spikes(spikes).log_weight


def exact_wave_log_partition(units: WaveUnits, hidden_bias: Tensor) -> Tensor:
    """log Z(b̃_h), (rows,) float64, in units of (2π)^(D/2); see `exact_spike_log_weights`."""
    return torch.logsumexp(exact_spike_log_weights(units, hidden_bias), -1)
