"""What the conditional RBMs over sound share: a frame is whitened by what u says of it, and the RBM is over the rest.

    x = (v − c(u)) / (g d(u)),      c = b_v + U₃ u,      d = 10⁻³ + softplus(Λ₀ + U₁ u) > 0,      b̃_h = b_h + U₂ u,
    log p(v | g, u) = −F(x | b̃_h) − log Z(b̃_h) − Σ log d_j − D log g − D/2 log 2π,

with F and Z of `cgrnn_train.models.wave_units`, Z in units of (2π)^(D/2). The gain g is latent, one of a few
(`cgrnn_train.models.gains`), and 1 but for a CGRNN's: p(v | u) = Σ_g p(g | u) p(v | g, u), of one Z. The paper's (4)
has W act on v itself, and precision Λ̃ = Λ + diag(U₁ u) beside it; docs/decisions/0010-waves-are-whitened.md says why
ours acts on x. Gibbs is collapsed: h | x, then x | h with the slabs integrated out, for a chain that draws the slabs
takes about as many sweeps as a unit adds variance. Training may do without (`cgrnn_train.config.FitConfig`): such a
sweep costs a hundredth.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.likelihood.wave_ais import VERSION, wave_ais
from cgrnn_train.models.conditional import Annealing, ConditionalRBM
from cgrnn_train.models.conditional import Conditionals as AnyConditionals
from cgrnn_train.models.gains import AtGains, gain_steps
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.wave_units import WaveUnits

LEAST_SCALE = 1e-3
"""Added to d: silence would have any, and the samples themselves have 16 bits."""


class WaveConditionals(NamedTuple):
    """What u_(n−1) says of frame n: c and d > 0 (..., visible), b̃_h (..., hidden), logits of p(g | u) (..., gains)."""

    visible_mean: Tensor
    visible_scale: Tensor
    hidden_bias: Tensor
    gain_logits: Tensor

    def whiten(self, frames: Tensor) -> Tensor:
        """g x of ``frames`` v (..., visible)."""
        return (frames - self.visible_mean) / self.visible_scale

    def colour(self, whitened: Tensor) -> Tensor:
        """v of ``whitened`` g x (..., visible)."""
        return self.visible_mean + self.visible_scale * whitened


class ContinuousFrames(ConditionalRBM):
    """An RBM over frames of sound.

    Args:
        visible: samples in a frame.
        hidden: hidden units.
        state: size of the recurrent state u.
        modulates_visible: whether u enters c.
        modulates_scale: whether u enters d.
        gains: that a frame may have; if more than one, u enters their probabilities.
    """

    estimator = VERSION

    axes: Tensor
    """What U₃ is learned in, (visible, visible): columns, each with the size that the frames have along it."""
    log_gains: Tensor
    """log g, (gains,)."""

    def __init__(
        self,
        visible: int,
        hidden: int,
        state: int,
        *,
        modulates_visible: bool = True,
        modulates_scale: bool = True,
        gains: int = 1,
    ) -> None:
        super().__init__()
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.scale_bias = nn.Parameter(torch.zeros(visible))  # Λ₀
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.visible_modulation = nn.Linear(state, visible, bias=False) if modulates_visible else None  # of U₃
        self.register_buffer("axes", torch.eye(visible))
        self.scale_modulation = nn.Linear(state, visible, bias=False) if modulates_scale else None  # U₁
        self.hidden_modulation = nn.Linear(state, hidden, bias=False)  # U₂
        self.register_buffer("log_gains", gain_steps(gains), persistent=False)
        self.gain_modulation = nn.Linear(state, gains) if gains > 1 else None

    @abstractmethod
    def units(self) -> WaveUnits:
        """The present parameters, differentiable."""

    @abstractmethod
    def path(self, temperatures: int) -> list[WaveUnits]:
        """The units at ``temperatures`` + 1 places from W = 0 to the present ones, Z finite at each; no gradient."""

    def start_from(self, start: FrameStatistics) -> None:
        """Take the mean of the training frames for c and their standard deviation for d; u says nothing at first."""
        assert start.std is not None  # continuous frames have one
        self._start(start.mean, start.std)

    @torch.no_grad()
    def _start(self, mean: Tensor, scale: Tensor) -> None:
        """Let c be ``mean`` and d ``scale``, both (visible,), whatever u is."""
        self.visible_bias.copy_(mean)
        raw = (scale - LEAST_SCALE).clamp(min=LEAST_SCALE)
        self.scale_bias.copy_(raw + torch.log(-torch.expm1(-raw)))  # softplus's inverse
        modulations = (self.visible_modulation, self.scale_modulation, self.hidden_modulation, self.gain_modulation)
        for modulation in modulations:
            if modulation is not None:
                modulation.weight.zero_()
        if self.gain_modulation is not None:
            self.gain_modulation.bias.zero_()

    def mean_weight(self) -> Tensor | None:
        """U₃, (visible, state); None if u does not enter c."""
        return None if self.visible_modulation is None else self.axes @ self.visible_modulation.weight

    def conditionals(self, state: Tensor) -> WaveConditionals:
        """See `ConditionalRBM.conditionals`."""
        rows = state.shape[:-1]
        mean = self.visible_bias.expand(*rows, -1)
        if self.visible_modulation is not None:
            mean = mean + F.linear(self.visible_modulation(state), self.axes)
        raw = self.scale_bias.expand(*rows, -1)
        if self.scale_modulation is not None:
            raw = raw + self.scale_modulation(state)
        gains = state.new_zeros(*rows, 1) if self.gain_modulation is None else self.gain_modulation(state)
        bias = self.hidden_bias + self.hidden_modulation(state)
        return WaveConditionals(mean, F.softplus(raw) + LEAST_SCALE, bias, gains)

    def at_gains(self, units: WaveUnits, frames: Tensor, given: WaveConditionals) -> AtGains:
        """What each gain makes of ``frames`` v (..., visible), whose ``units`` are those of `units`."""
        whitened, log_gains = given.whiten(frames), self.log_gains.to(frames.dtype)
        inverse = torch.exp(-log_gains)
        pull = (whitened @ units.weight)[..., None, :] * inverse[:, None]
        drive, logits = units.answer(pull, given.hidden_bias[..., None, :])
        energy = 0.5 * whitened.square().sum(-1, keepdim=True) * inverse.square() - F.softplus(logits).sum(-1)
        weight = torch.log_softmax(given.gain_logits, -1) - energy - frames.shape[-1] * log_gains
        return AtGains(drive, logits, weight)

    def free_energy(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.free_energy`: of v, the whitening's volume included; float64 where the frames are."""
        units, given = self.units(), WaveConditionals(*conditionals)
        if frames.dtype == torch.float64:
            units, given = units.double(), WaveConditionals(*(part.double() for part in given))
        volume = given.visible_scale.log().sum(-1) + 0.5 * frames.shape[-1] * math.log(2 * math.pi)
        return volume - self.at_gains(units, frames, given).log_weight.logsumexp(-1)

    def contrast(self, frames: Tensor, fantasy: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.contrast`; ``fantasy`` is whitened, and of its F only Σ softplus(η) has parameters."""
        units, given = self.units(), WaveConditionals(*conditionals)
        data = given.visible_scale.log().sum(-1) - self.at_gains(units, frames, given).log_weight.logsumexp(-1)
        return data - units.free_energy(fantasy, given.hidden_bias)

    @torch.no_grad()
    def draw_gain(self, frames: Tensor, given: WaveConditionals) -> Tensor:
        """g given ``frames`` v (..., visible), hidden units summed out: (..., 1)."""
        return self._drawn(self.at_gains(self.units(), frames, given).log_weight)

    def _drawn(self, logits: Tensor) -> Tensor:
        """g of probabilities that have ``logits`` (..., gains): (..., 1)."""
        if len(self.log_gains) == 1:
            return torch.ones_like(logits)
        return self.log_gains.exp()[torch.distributions.Categorical(logits=logits).sample()][..., None]

    @torch.no_grad()
    def first_chains(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.first_chains`; a chain is its whitened frame."""
        given = WaveConditionals(*conditionals)
        return given.whiten(frames) / self.draw_gain(frames, given)

    @torch.no_grad()
    def gibbs(
        self, chains: Tensor, conditionals: AnyConditionals, sweeps: int, *, collapsed: bool = True
    ) -> tuple[Tensor, Tensor]:
        """See `ConditionalRBM.gibbs`; fantasy and chain are the whitened frame, which knows no gain."""
        units, bias, frame = self.units(), WaveConditionals(*conditionals).hidden_bias, chains
        for _ in range(sweeps):
            if collapsed:
                frame = units.given_spikes(units.draw_spikes(frame, bias)).sample
            else:
                frame = units.given_hidden(units.draw_hidden(*units.look(frame, bias)))
        return frame, frame

    @torch.no_grad()
    def anneal(self, conditionals: AnyConditionals, *, temperatures: int, chains: int) -> Annealing:
        """See `ConditionalRBM.anneal`."""
        given = WaveConditionals(*conditionals)
        found = wave_ais(self.path(temperatures), given.hidden_bias, chains=chains)
        log_z = found.partition
        gain = (torch.softmax(given.gain_logits, -1) * self.log_gains.exp()).sum(-1, keepdim=True)
        return Annealing(
            log_z.value,
            log_z.standard_error,
            log_z.effective_sample_size,
            given.colour(gain * found.mean.to(given[0].dtype)),
        )

    @torch.no_grad()
    def draw(self, previous: Tensor, conditionals: AnyConditionals, sweeps: int) -> Tensor:
        """See `ConditionalRBM.draw`: from the silent RBM, x ~ N(0, I)."""
        given = WaveConditionals(*conditionals)
        frame, _ = self.gibbs(torch.randn_like(given.visible_mean), given, sweeps)
        return given.colour(self._drawn(given.gain_logits) * frame)

    @torch.no_grad()
    def reconstruct(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.reconstruct`: the mean of p(v | g, hidden), which (slabs too) are drawn given v."""
        units, given = self.units(), WaveConditionals(*conditionals)
        gain = self.draw_gain(frames, given)
        hidden = units.draw_hidden(*units.look(given.whiten(frames) / gain, given.hidden_bias))
        return given.colour(gain * (hidden @ units.weight.T))

    def mean_hidden(self, units: WaveUnits, frames: Tensor, given: WaveConditionals) -> Tensor:
        """E[h∘s | v, u], or E[h | v, u] where there are no slabs, of ``frames`` v (..., visible): (..., hidden)."""
        at = self.at_gains(units, frames, given)
        share = torch.softmax(at.log_weight, -1)
        return (share[..., None] * units.mean_hidden(at.drive, at.logits)).sum(-2)

    @torch.no_grad()
    def activations(self, frames: Tensor, conditionals: AnyConditionals) -> Tensor:
        """See `ConditionalRBM.activations`."""
        return self.mean_hidden(self.units(), frames, WaveConditionals(*conditionals))
