"""The recurrence of a CGRNN over sound, where what h∘s feeds depends on u by way of the whitened frame.

One step, with [·] for the slice of a product:

    z = A u + a                                A = W_r ∥ W_z ∥ W_n ∥ U₃ ∥ U₁ ∥ U₂ ∥ U₄
    x = (v − b_v − [z]_v) / (g d),  d = 10⁻³ + softplus([z]_d), for each gain g
    y = Wᵀx + m,  η = ½ y² − ½ m² + [z]_h
    f = asinh(Σ_g p(g | v, u) σ(η) ∘ y)        of the mean feed E[h∘s | v, u], or of a sample of it, without a gradient
    g = [what v gives to the gates] + B f
    u′ = GRU(g, z, u)                          as `cgrnn_train.models.scan`

asinh as for what the net sees of the frame (`cgrnn_train.models.mlp.Companding`): where a note begins in silence, y is
hundreds, and would shut every gate.

Autograd walks back through the loop; what that costs is below the negative phase's share of a step.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.continuous import WaveConditionals
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.gru import gru_update


def wave_states(
    rbm: ContinuousCSSRBM,
    frames: Tensor,
    gate_input: Tensor,
    initial: Tensor,
    state_weight: Tensor,
    state_bias: Tensor,
    feed_weight: Tensor,
    *,
    is_sampled: bool,
    feed_dropout: float,
) -> Tensor:
    """All states for given frames.

    Args:
        rbm: what whitens the frames and feeds the recurrence.
        frames: v, (time, batch, visible).
        gate_input: what v gives to the gates, (time, batch, 3·state).
        initial: u₀, (batch, state).
        state_weight: W_r ∥ W_z ∥ W_n, (3·state, state).
        state_bias: of their product, (3·state).
        feed_weight: B, (3·state, hidden).
        is_sampled: whether h∘s is drawn, and has no gradient, or is its mean.
        feed_dropout: probability of dropping a unit of the feed.

    Returns:
        u₀ … u_T, (time + 1, batch, state).
    """
    units = rbm.units()
    states = [initial]
    for frame, gates in zip(frames, gate_input, strict=True):
        state = states[-1]
        given: WaveConditionals = rbm.conditionals(state)
        if is_sampled:
            whitened = given.whiten(frame) / rbm.draw_gain(frame, given)
            feed = units.draw_hidden(*units.look(whitened, given.hidden_bias)).detach()
        else:
            feed = rbm.mean_hidden(units, frame, given)
        feed = F.dropout(torch.asinh(feed), feed_dropout, training=feed_dropout > 0)
        past = F.linear(state, state_weight, state_bias)
        states.append(gru_update(torch.addmm(gates, feed, feed_weight.T), past, state))
    return torch.stack(states)
