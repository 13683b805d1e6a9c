"""VRNN: a GRU whose state gives the prior of a Gaussian latent vector in every frame, and sees it afterwards.

    p(z_t | d_(t−1))        q(z_t | φ(x_t), d_(t−1))        x_t ~ p(x_t | ψ(z_t), d_(t−1))
    d_t = GRU([φ(x_t), ψ(z_t)], d_(t−1))                    φ an MLP, ψ a ReLU layer

Chung, Kastner, Dinh, Goel, Courville and Bengio, "A recurrent latent variable model for sequential data", NIPS 2015,
with a GRU in the place of their LSTM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.gru import ScanGRU
from cgrnn_train.models.kind import Kind
from cgrnn_train.models.mlp import frame_mlp
from cgrnn_train.models.normal import Normal, std_of
from cgrnn_train.models.vae import JointMLP, LatentPath, SequentialVAE
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges


@dataclass(frozen=True, slots=True)
class VRNNConfig:
    """The architecture; the defaults are the paper's sizes.

    Attributes:
        kind: of the frames: "binary" piano rolls, or "continuous" normalised audio samples.
        visible: pitches or samples in a frame.
        state: size of the GRU's state d.
        latent: size of z.
        width: of ψ, and of the ReLU layer of the prior, the posterior and the decoder.
        mlp: sizes of the ReLU layers of φ, through which the GRU and the posterior see the frame.
        dropout: probability of dropping a unit of φ's layers and of the decoder's ReLU layer.
        state_dropout: probability of dropping a unit of d where it gives the prior or the frame.
    """

    kind: Kind = "binary"
    visible: int = 128
    state: int = 500
    latent: int = 500
    width: int = 400
    mlp: tuple[int, ...] = (400,)
    dropout: float = 0.0
    state_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, state=COUNT, latent=COUNT, width=COUNT)
        check_ranges(self, dropout=BELOW_ONE, state_dropout=BELOW_ONE)


class VRNN(SequentialVAE):
    """The model over frames of either kind."""

    config: VRNNConfig

    def __init__(self, config: VRNNConfig) -> None:
        super().__init__(config, (config.width, config.state))
        self.mlp, width = frame_mlp(config.kind, config.visible, config.mlp, config.dropout)
        self.feature = nn.Linear(config.latent, config.width)
        self.prior = JointMLP((config.state,), config.width, 2 * config.latent)
        self.posterior = JointMLP((width, config.state), config.width, 2 * config.latent)
        self.gru = ScanGRU(width + config.width, config.state)

    def infer(self, frames: Tensor, mask: Tensor | None, noise: Tensor) -> LatentPath:
        """See `SequentialVAE.infer`: filtering."""
        seen, gru, posterior = self.mlp(frames), self.gru, self.posterior
        paths, width = len(noise), seen.shape[-1]
        gate_input = F.linear(seen, gru.input_weight[:, :width], gru.input_bias)
        encoder_input = F.linear(seen, posterior.weights[0])
        states, moments, features = VRNNScan.apply(
            gate_input.expand(paths, -1, -1).transpose(0, 1),
            encoder_input.expand(paths, -1, -1).transpose(0, 1),
            noise.transpose(0, 1),
            gru.initial_state.expand(paths, -1),
            torch.cat([gru.state_weight, posterior.weights[1]]),
            torch.cat([gru.state_bias, posterior.bias]),
            posterior.output.weight,
            posterior.output.bias,
            self.feature.weight,
            self.feature.bias,
            gru.input_weight[:, width:],
        )
        before = states[:-1].transpose(0, 1)
        heard = self.state_dropout(before)
        q = Normal.of(moments.transpose(0, 1))
        numbers = self.decoder(features.transpose(0, 1), heard)
        return LatentPath(numbers, q, Normal.of(self.prior(heard)), q.at(noise), before)

    @torch.no_grad()
    def predict(self, frames: Tensor) -> Tensor:
        """See `System.predict`: z of earlier frames from the posterior, the frame's own from the prior."""
        return self._predict_from(frames, lambda _, path: self._imagine(path.prior, path.state)[0])

    def _imagine(self, prior: Normal, state: Tensor) -> tuple[Tensor, Tensor]:
        """The emission's numbers of the frame that follows ``state``, z drawn from ``prior``, and ψ(z)."""
        feature = torch.relu(self.feature(prior.draw()))
        return self.decoder(feature, state), feature

    def before(self) -> tuple[Tensor, ...]:
        """The state; see `SequentialVAE.before`."""
        return (self.gru.initial_state,)

    def after(self, frames: Tensor, path: LatentPath) -> tuple[Tensor, ...]:
        """The state; see `SequentialVAE.after`."""
        feature = torch.relu(self.feature(path.latent[:, -1]))
        return (self._advance(frames[:, -1], feature, path.state[:, -1]),)

    def _advance(self, frame: Tensor, feature: Tensor, state: Tensor) -> Tensor:
        """The state that follows ``state`` (..., state) after ``frame`` (..., visible), ``feature`` being ψ(z)."""
        return self.gru.step(torch.cat([self.mlp(frame), feature], dim=-1), state)

    def play(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `SequentialVAE.play`."""
        (state,) = memory
        numbers, feature = self._imagine(Normal.of(self.prior(state)), state)
        frame = self.emission.draw(numbers)
        return frame, (self._advance(frame, feature, state),)


class VRNNScan(torch.autograd.Function):
    """The recurrence over whole sequences, with a backward whose weight gradients are one product over all steps.

    One step, with [·] for the slice of a product, as in `cgrnn_train.models.scan`:

        y = A d + a                                A = W_r ∥ W_z ∥ W_n ∥ E, E being the posterior's weight of d
        h = ReLU(e + [y]_E)                        e = what x gives to the posterior's ReLU layer
        m, ρ = halves of B h + b                   the posterior's mean and raw standard deviation
        f = ReLU(C (m + std(ρ) ∘ noise) + c)       ψ(z)
        d′ = GRU's gates of g = x's share + G f and of y
    """

    @staticmethod
    def forward(
        ctx: Any,
        gate_input: Tensor,
        encoder_input: Tensor,
        noise: Tensor,
        initial: Tensor,
        state_weight: Tensor,
        state_bias: Tensor,
        moment_weight: Tensor,
        moment_bias: Tensor,
        feature_weight: Tensor,
        feature_bias: Tensor,
        feed_weight: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the recurrence.

        Args:
            ctx: autograd's context.
            gate_input: what x gives to the gates r, z, n, (time, batch, 3·state).
            encoder_input: e, (time, batch, width).
            noise: standard normal, (time, batch, latent); it has no gradient.
            initial: d_0, (batch, state).
            state_weight: A, (3·state + width, state).
            state_bias: a, (3·state + width).
            moment_weight: B, (2·latent, width).
            moment_bias: b, (2·latent).
            feature_weight: C, (features, latent).
            feature_bias: c, (features).
            feed_weight: G, (3·state, features).

        Returns:
            d_0 … d_T (time + 1, batch, state), m ∥ ρ (time, batch, 2·latent) and f (time, batch, features).
        """
        steps, batch, latent = noise.shape
        size = initial.shape[1]
        states = initial.new_empty(steps + 1, batch, size)
        gates = initial.new_empty(steps, batch, 3 * size)  # r, c, n
        candidate = initial.new_empty(steps, batch, size)  # y_n, what r gates
        hidden = initial.new_empty(encoder_input.shape)
        moments = initial.new_empty(steps, batch, 2 * latent)
        features = initial.new_empty(steps, batch, len(feature_weight))
        states[0] = initial
        for t in range(steps):
            d = states[t]
            y = torch.addmm(state_bias, d, state_weight.T)
            torch.add(y[:, 3 * size :], encoder_input[t], out=hidden[t]).relu_()
            torch.addmm(moment_bias, hidden[t], moment_weight.T, out=moments[t])
            z = torch.addcmul(moments[t, :, :latent], std_of(moments[t, :, latent:]), noise[t])
            torch.addmm(feature_bias, z, feature_weight.T, out=features[t]).relu_()
            g = torch.addmm(gate_input[t], features[t], feed_weight.T)
            rc = torch.sigmoid_(g[:, : 2 * size].add_(y[:, : 2 * size]))
            r, c = rc[:, :size], rc[:, size:]
            candidate[t] = y[:, 2 * size : 3 * size]
            n = torch.tanh_(g[:, 2 * size :].addcmul_(r, candidate[t]))
            gates[t] = g
            torch.addcmul(n, c, d - n, out=states[t + 1])
        ctx.save_for_backward(
            states, gates, candidate, hidden, moments, features, noise,
            state_weight, moment_weight, feature_weight, feed_weight,
        )  # fmt: skip
        return states, moments, features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Back-propagate through time."""
        grad_states, grad_moments, grad_features = gradients
        states, gates, candidate, hidden, moments, features, noise, *weights = ctx.saved_tensors
        state_weight, moment_weight, feature_weight, feed_weight = weights
        steps, batch, latent = noise.shape
        size = candidate.shape[2]
        grad_g = torch.empty_like(gates)
        grad_y = gates.new_empty(steps, batch, len(state_weight))
        grad_m = grad_moments.clone()
        grad_f = torch.empty_like(features)
        slopes = gates * (1 - gates)  # of the sigmoids; the candidate's part is overwritten below
        slopes[:, :, 2 * size :] = 1 - gates[:, :, 2 * size :].square()
        drawn = noise * torch.sigmoid(moments[:, :, latent:])  # ∂z/∂ρ
        is_hidden_on, is_feature_on = (hidden > 0).to(hidden), (features > 0).to(features)
        grad_d = grad_states[steps]  # ∂L/∂d_(t+1)
        for t in reversed(range(steps)):
            r, c, n = gates[t].split(size, dim=1)
            slope_r, slope_c, slope_n = slopes[t].split(size, dim=1)
            dn = grad_d * (1 - c) * slope_n
            grad_g[t, :, :size] = dn * candidate[t] * slope_r
            grad_g[t, :, size : 2 * size] = grad_d * (states[t] - n) * slope_c
            grad_g[t, :, 2 * size :] = dn
            torch.addmm(grad_features[t], grad_g[t], feed_weight, out=grad_f[t]).mul_(is_feature_on[t])
            dz = grad_f[t] @ feature_weight
            grad_m[t, :, :latent] += dz
            grad_m[t, :, latent:].addcmul_(dz, drawn[t])
            grad_y[t, :, : 2 * size] = grad_g[t, :, : 2 * size]
            grad_y[t, :, 2 * size : 3 * size] = dn * r
            grad_y[t, :, 3 * size :] = (grad_m[t] @ moment_weight).mul_(is_hidden_on[t])
            grad_d = torch.addcmul(grad_states[t], grad_d, c).addmm_(grad_y[t], state_weight)
        latents = torch.addcmul(moments[:, :, :latent], std_of(moments[:, :, latent:]), noise).flatten(0, 1)
        flat_g, flat_y, flat_m, flat_f = (grad.flatten(0, 1) for grad in (grad_g, grad_y, grad_m, grad_f))
        return (
            grad_g,
            grad_y[:, :, 3 * size :],
            None,
            grad_d,
            flat_y.T @ states[:-1].flatten(0, 1),
            flat_y.sum(0),
            flat_m.T @ hidden.flatten(0, 1),
            flat_m.sum(0),
            flat_f.T @ latents,
            flat_f.sum(0),
            flat_g.T @ features.flatten(0, 1),
        )
