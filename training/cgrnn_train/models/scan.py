"""The recurrence of a CGRNN over whole sequences, forward and backward in one autograd function.

One step, with ``∥`` for concatenation and [·] for the slice of a product that belongs to a gate:

    z = A u + a                                A = W_r ∥ W_z ∥ W_n ∥ U₂,  (3·state + hidden, state)
    p = σ(base + [z]_h)                        the spikes' probabilities, `base` being what v and b_h give to η
    f = p ∘ slab                               the mean feed E[h∘s | v, u]     (or a given sample of it)
    g = x + B f                                x = what v gives to the gates
    r = σ(g_r + z_r),  c = σ(g_z + z_z),  n = tanh(g_n + r ∘ z_n)
    u′ = n + c ∘ (u − n)                       a GRU (Cho et al. 2014, in cuDNN's form)

PyTorch's own backward adds into every weight's gradient once a step, a pass over 3.5 MB each time. Here the loop
computes only what is truly sequential; each weight's gradient is one product over all steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class FeedbackScan(torch.autograd.Function):
    """All states for given inputs; differentiable in every tensor but ``noise``."""

    @staticmethod
    def forward(
        ctx: Any,
        gate_input: Tensor,
        spike_base: Tensor,
        slab: Tensor,
        initial: Tensor,
        state_weight: Tensor,
        state_bias: Tensor,
        feed_weight: Tensor,
        noise: Tensor | None,
    ) -> Tensor:
        """Run the recurrence.

        Args:
            ctx: autograd's context.
            gate_input: x, (time, batch, 3·state).
            spike_base: η without the state's share, (time, batch, hidden).
            slab: μ + a/α, (time, batch, hidden); with ``noise`` the slab's sample instead of its mean.
            initial: u₀, (batch, state).
            state_weight: A, (3·state + hidden, state).
            state_bias: a, (3·state + hidden).
            feed_weight: B, (3·state, hidden).
            noise: uniform numbers (time, batch, hidden): spikes are *sampled* as noise < p and, as in the paper's
                first training step, no gradient passes through the sample. None: the mean feed.

        Returns:
            u₀ … u_T, (time + 1, batch, state).
        """
        steps, batch, _ = gate_input.shape
        size = initial.shape[1]
        states = initial.new_empty(steps + 1, batch, size)
        gates = initial.new_empty(steps, batch, 3 * size)  # r, c, n
        candidate = initial.new_empty(steps, batch, size)  # z_n, what r gates
        spikes = torch.empty_like(spike_base)
        states[0] = initial
        for t in range(steps):
            u = states[t]
            z = torch.addmm(state_bias, u, state_weight.T)
            p = torch.sigmoid_(z[:, 3 * size :] + spike_base[t])
            spikes[t] = p if noise is None else (noise[t] < p)
            g = torch.addmm(gate_input[t], spikes[t] * slab[t], feed_weight.T)
            rc = torch.sigmoid_(g[:, : 2 * size] + z[:, : 2 * size])
            r, c = rc[:, :size], rc[:, size:]
            candidate[t] = z[:, 2 * size : 3 * size]
            n = torch.tanh_(torch.addcmul(g[:, 2 * size :], r, candidate[t]))
            gates[t, :, : 2 * size] = rc
            gates[t, :, 2 * size :] = n
            torch.addcmul(n, c, u - n, out=states[t + 1])
        ctx.is_sampled = noise is not None
        ctx.save_for_backward(states, gates, candidate, spikes, slab, state_weight, feed_weight)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Back-propagate through time; weight gradients in one product each."""
        (grad_states,) = gradients
        states, gates, candidate, spikes, slab, state_weight, feed_weight = ctx.saved_tensors
        steps, batch, size = candidate.shape
        hidden = spikes.shape[2]
        grad_g = torch.empty_like(gates)  # ∂L/∂g: also ∂L/∂x
        grad_z = gates.new_empty(steps, batch, 3 * size + hidden)
        grad_feed = torch.zeros_like(spikes)
        grad_u = grad_states[steps]  # ∂L/∂u_(t+1)
        slopes = gates * (1 - gates)  # of the sigmoids; the candidate's part is overwritten below
        slopes[:, :, 2 * size :] = 1 - gates[:, :, 2 * size :].square()
        spike_slope = None if ctx.is_sampled else spikes * (1 - spikes) * slab
        for t in reversed(range(steps)):
            r, c, n = gates[t].split(size, dim=1)
            slope_r, slope_c, slope_n = slopes[t].split(size, dim=1)
            dn = grad_u * (1 - c) * slope_n
            grad_g[t, :, :size] = dn * candidate[t] * slope_r
            grad_g[t, :, size : 2 * size] = grad_u * (states[t] - n) * slope_c
            grad_g[t, :, 2 * size :] = dn
            grad_z[t, :, : 2 * size] = grad_g[t, :, : 2 * size]
            grad_z[t, :, 2 * size : 3 * size] = dn * r
            if spike_slope is None:
                grad_z[t, :, 3 * size :] = 0
            else:
                torch.mm(grad_g[t], feed_weight, out=grad_feed[t])
                grad_z[t, :, 3 * size :] = grad_feed[t] * spike_slope[t]
            grad_u = torch.addcmul(grad_states[t], grad_u, c).addmm_(grad_z[t], state_weight)
        flat_g, flat_z = grad_g.flatten(0, 1), grad_z.flatten(0, 1)
        return (
            grad_g,
            grad_z[:, :, 3 * size :],
            None if spike_slope is None else grad_feed * spikes,
            grad_u,
            flat_z.T @ states[:-1].flatten(0, 1),
            flat_z.sum(0),
            flat_g.T @ (spikes * slab).flatten(0, 1),
            None,
        )
