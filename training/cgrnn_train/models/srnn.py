"""SRNN: a deterministic GRU over the past frames, and above it a Markov chain of Gaussian latent vectors.

    d_t = GRU(x_(t−1), d_(t−1))        p(z_t | z_(t−1), d_t)        x_t ~ p(x_t | z_t, d_t)        z_0 = 0
    q(z_t | z_(t−1), a_t)              smoothing: a_t = a GRU's state that runs backward over [d_t, x_t] (SRNN-s)
                                       filtering: a_t = ReLU layer of [d_t, x_t]                         (SRNN-f)
    residual: the posterior's mean is the prior's mean plus what a_t and z_(t−1) give (+res)

Fraccaro, Sønderby, Paquet and Winther, "Sequential neural models with stochastic layers", NIPS 2016; GRUs as there
(the comparison of the paper's Table 1 has LSTMs). d_1, before any frame, is the GRU's learned initial state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.gru import ScanGRU
from cgrnn_train.models.kind import Kind
from cgrnn_train.models.mlp import frame_mlp
from cgrnn_train.models.normal import Normal, std_of
from cgrnn_train.models.resampling import systematic_ancestors
from cgrnn_train.models.vae import JointMLP, LatentPath, SequentialVAE
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges

PARTICLES = 32
"""Of the particle filter behind `SRNN.predict`."""


@dataclass(frozen=True, slots=True)
class SRNNConfig:
    """The architecture; the defaults are the paper's sizes.

    Attributes:
        kind: of the frames: "binary" piano rolls, or "continuous" normalised audio samples.
        visible: pitches or samples in a frame.
        state: size of d and of a.
        latent: size of z.
        width: of the ReLU layer of the prior, the posterior and the decoder.
        inference: "smoothing", the posterior sees the whole sequence, or "filtering", the frames up to its own.
        residual: the posterior's mean is the prior's plus a correction.
        mlp: sizes of the ReLU layers through which the GRU and the posterior see the frame.
        dropout: probability of dropping a unit of the MLP's layers and of the decoder's ReLU layer.
        state_dropout: probability of dropping a unit of d where it gives the prior, the posterior or the frame.
    """

    kind: Kind = "binary"
    visible: int = 128
    state: int = 500
    latent: int = 500
    width: int = 400
    inference: Literal["smoothing", "filtering"] = "smoothing"
    residual: bool = False
    mlp: tuple[int, ...] = ()
    dropout: float = 0.0
    state_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, state=COUNT, latent=COUNT, width=COUNT)
        check_ranges(self, dropout=BELOW_ONE, state_dropout=BELOW_ONE)


class SRNN(SequentialVAE):
    """The model over frames of either kind."""

    config: SRNNConfig

    def __init__(self, config: SRNNConfig) -> None:
        super().__init__(config, (config.latent, config.state))
        self.mlp, width = frame_mlp(config.kind, config.visible, config.mlp, config.dropout)
        self.gru = ScanGRU(width, config.state)
        self.prior = JointMLP((config.latent, config.state), config.width, 2 * config.latent)
        self.posterior = JointMLP((config.latent, config.state), config.width, 2 * config.latent)
        seen = config.state + width
        is_smoothing = config.inference == "smoothing"
        self.inference = ScanGRU(seen, config.state) if is_smoothing else nn.Linear(seen, config.state)

    def infer(self, frames: Tensor, mask: Tensor | None, noise: Tensor) -> LatentPath:
        """See `SequentialVAE.infer`."""
        seen = self.mlp(frames)
        before = self.gru(seen)[:, :-1]
        heard = self.state_dropout(before)
        evidence = self._evidence(torch.cat([heard, seen], dim=-1), mask)
        posterior = Normal.of(self._moments(evidence, heard, noise))
        latent = posterior.at(noise)
        prior = Normal.of(self.prior(F.pad(latent, (0, 0, 1, 0))[:, :-1], heard))
        return LatentPath(self.decoder(latent, heard), posterior, prior, latent, before)

    def _evidence(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        """a_t, (batch, time, state), of [d_t, x_t]."""
        if isinstance(self.inference, nn.Linear):
            return torch.relu(self.inference(inputs))
        if mask is None:
            return self.inference(inputs.flip(1))[:, 1:].flip(1)
        # Each sequence is reversed within its own length, so its padding comes last here too; the order is its own
        # inverse.
        place = torch.arange(inputs.shape[1], device=inputs.device)
        lengths = mask.sum(1, keepdim=True)
        order = torch.where(place < lengths, lengths - 1 - place, place)[:, :, None]  # (batch, time, 1)
        states = self.inference(inputs.gather(1, order.expand_as(inputs)))[:, 1:]
        return states.gather(1, order.expand_as(states))

    def _moments(self, evidence: Tensor, heard: Tensor, noise: Tensor) -> Tensor:
        """What `Normal.of` makes the posterior of, along a path of ``noise``: (paths, time, 2·latent)."""
        q, p = self.posterior, self.prior
        base = F.linear(evidence, q.weights[1], q.bias)
        latent_weight, weight, bias = q.weights[0], q.output.weight, q.output.bias
        if self.config.residual:  # the prior's net runs along, and adds to the mean alone
            share, none = p.output.weight.chunk(2)[0], torch.zeros_like(p.output.weight.chunk(2)[1])
            base = torch.cat([base, F.linear(heard, p.weights[1], p.bias)], dim=-1)
            latent_weight = torch.cat([latent_weight, p.weights[0]])
            weight = torch.cat([weight, torch.cat([share, none])], dim=1)
            bias = bias + F.pad(p.output.bias.chunk(2)[0], (0, self.config.latent))
        base = base.expand(len(noise), -1, -1)
        return LatentScan.apply(base.transpose(0, 1), noise.transpose(0, 1), latent_weight, weight, bias).transpose(
            0, 1
        )

    @torch.no_grad()
    def predict(self, frames: Tensor) -> Tensor:
        """See `System.predict`; by a particle filter, since a smoothing posterior has seen the frames to come.

        z_t of each particle is drawn from the prior; the prediction is the mean over particles; then they are drawn
        again in proportion to p(x_t | z_t, d_t) (systematic resampling).
        """
        batch, time, _ = frames.shape
        states = self.gru(self.mlp(frames))[:, :-1]
        latent = states.new_zeros(batch, PARTICLES, self.config.latent)
        predictions = torch.empty_like(frames)
        for t in range(time):
            state = states[:, t, None]  # (batch, 1, state)
            latent = Normal.of(self.prior(latent, state)).draw()
            numbers = self.decoder(latent, state)
            predictions[:, t] = self.emission.mean(numbers).mean(1)
            chosen = systematic_ancestors(self.emission.log_probability(numbers, frames[:, t, None]))
            latent = latent.gather(1, chosen[:, :, None].expand_as(latent))
        return predictions

    def before(self) -> tuple[Tensor, ...]:
        """The state and z_0; see `SequentialVAE.before`."""
        state = self.gru.initial_state
        return state, state.new_zeros(self.config.latent)

    def after(self, frames: Tensor, path: LatentPath) -> tuple[Tensor, ...]:
        """The state and z_t; see `SequentialVAE.after`."""
        return self.gru.step(self.mlp(frames[:, -1]), path.state[:, -1]), path.latent[:, -1]

    def play(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `SequentialVAE.play`."""
        state, latent = memory
        latent = Normal.of(self.prior(latent, state)).draw()
        frame = self.emission.draw(self.decoder(latent, state))
        return frame, (self.gru.step(self.mlp(frame), state), latent)


class LatentScan(torch.autograd.Function):
    """The posterior's recurrence over whole sequences; each weight's gradient is one product over all steps.

    One step:  h = ReLU(e + A z)        m, ρ = halves of B h + b        z′ = m + std(ρ) ∘ noise
    """

    @staticmethod
    def forward(
        ctx: Any, encoder_input: Tensor, noise: Tensor, latent_weight: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Run the recurrence from z_0 = 0.

        Args:
            ctx: autograd's context.
            encoder_input: e, (time, batch, width).
            noise: standard normal, (time, batch, latent); it has no gradient.
            latent_weight: A, (width, latent).
            weight: B, (2·latent, width).
            bias: b, (2·latent).

        Returns:
            m ∥ ρ, (time, batch, 2·latent).
        """
        steps, batch, latent = noise.shape
        hidden = encoder_input.new_empty(encoder_input.shape)
        moments = encoder_input.new_empty(steps, batch, 2 * latent)
        latents = encoder_input.new_zeros(steps + 1, batch, latent)
        for t in range(steps):
            torch.addmm(encoder_input[t], latents[t], latent_weight.T, out=hidden[t]).relu_()
            torch.addmm(bias, hidden[t], weight.T, out=moments[t])
            torch.addcmul(moments[t, :, :latent], std_of(moments[t, :, latent:]), noise[t], out=latents[t + 1])
        ctx.save_for_backward(hidden, moments, latents, noise, latent_weight, weight)
        return moments

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Back-propagate through time."""
        hidden, moments, latents, noise, latent_weight, weight = ctx.saved_tensors
        latent = noise.shape[2]
        grad_m = gradients[0].clone()
        grad_h = torch.empty_like(hidden)
        drawn = noise * torch.sigmoid(moments[:, :, latent:])  # ∂z/∂ρ
        is_on = (hidden > 0).to(hidden)
        for t in reversed(range(len(noise))):
            if t + 1 < len(noise):
                dz = grad_h[t + 1] @ latent_weight
                grad_m[t, :, :latent] += dz
                grad_m[t, :, latent:].addcmul_(dz, drawn[t])
            torch.mm(grad_m[t], weight, out=grad_h[t]).mul_(is_on[t])
        flat_h, flat_m = grad_h.flatten(0, 1), grad_m.flatten(0, 1)
        return grad_h, None, flat_h.T @ latents[:-1].flatten(0, 1), flat_m.T @ hidden.flatten(0, 1), flat_m.sum(0)
