"""The variational upper bound on log Z, with its square, for the conditional RBM over whitened frames of sound.

log Z ≤ ½ log E_q[(p*/q)²], with what `cgrnn_train.likelihood.nvil` says of such figures. The proposal is a mixture over
x of K Gaussians p(x | h) of the RBM itself, each with the spikes at the end of a short Gibbs run, their covariances
widened: (p*/q)² is integrable only where q's tails are wider than half of p's. The widest p(x | h) has all spikes on,
and one such component is always among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cgrnn_train.likelihood.nvil import UpperBound, nvil_upper_bound
from cgrnn_train.models.wave_units import WaveSlabs, WaveUnits


@dataclass(frozen=True, slots=True)
class GaussianMixture:
    """q(x) = 1/K Σ_z N(x; mean_z, (F_z F_zᵀ)⁻¹) for each frame, densities in units of (2π)^(−D/2).

    Attributes:
        mean: (components, frames, visible).
        factor: F, the lower Cholesky factor of the precision, (components, frames, visible, visible).
    """

    mean: Tensor
    factor: Tensor

    def draw(self, count: int) -> Tensor:
        """Samples, (count, frames, visible)."""
        components, frames, visible = self.mean.shape
        component, frame = torch.randint(components, (count, frames)), torch.arange(frames)
        noise = torch.randn(count, frames, visible, 1, dtype=self.mean.dtype)
        spread = torch.linalg.solve_triangular(self.factor[component, frame].mT, noise, upper=True)
        return self.mean[component, frame] + spread[..., 0]

    def log_density(self, frame: Tensor) -> Tensor:
        """log q(x) of ``frame`` (count, frames, visible) in units of (2π)^(−D/2), the component summed out."""
        each = list[Tensor]()
        for mean, factor in zip(self.mean, self.factor, strict=True):
            white = ((frame - mean)[..., None, :] @ factor)[..., 0, :]  # Fᵀ(x − mean)
            volume = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            each.append(volume - 0.5 * white.square().sum(-1))
        return torch.logsumexp(torch.stack(each), 0) - math.log(len(each))


@torch.no_grad()
def gibbs_mixture(
    units: WaveUnits, hidden_bias: Tensor, *, components: int = 32, sweeps: int = 50, widening: float = 1.5
) -> GaussianMixture:
    """The proposal: p(x | h) at the ends of independent Gibbs runs, and that with all spikes on, all widened.

    Args:
        units: the RBM.
        hidden_bias: b̃_h, (frames, hidden).
        components: K.
        sweeps: of Gibbs before spikes are read.
        widening: what each covariance is multiplied by.
    """
    units, bias = units.double(), hidden_bias.double()
    spikes = torch.zeros(components * len(bias), bias.shape[1], dtype=torch.float64)
    every = bias.repeat(components, 1)
    for _ in range(sweeps):
        spikes = units.draw_spikes(units.given_spikes(spikes).sample, every)
    spikes = spikes.view(components, *bias.shape)
    spikes[0] = 1
    identity = torch.eye(len(units.weight), dtype=torch.float64)
    precision = identity.expand(*spikes.shape[:2], -1, -1)
    if isinstance(units, WaveSlabs):
        precision = identity - (units.weight * spikes[..., None, :]) @ units.weight.T
    mean = units.given_spikes(spikes.flatten(0, 1)).mean.view(*spikes.shape[:2], -1)
    return GaussianMixture(mean, torch.linalg.cholesky(precision / widening))


def wave_nvil_log_partition(
    units: WaveUnits, hidden_bias: Tensor, *, draws: int = 10_000, repeats: int = 10, components: int = 32
) -> UpperBound:
    """The bound on log Z of each row of ``hidden_bias`` (frames, hidden), in units of (2π)^(D/2).

    Args:
        units: the RBM.
        hidden_bias: b̃_h.
        draws: per frame in all.
        repeats: equal parts of them, whose estimates make the spread.
        components: of the mixture.
    """
    proposal = gibbs_mixture(units, hidden_bias, components=components)
    doubles, bias = units.double(), hidden_bias.double()

    def log_weights(count: int) -> Tensor:
        frame = proposal.draw(count)
        return -doubles.free_energy(frame, bias) - proposal.log_density(frame)

    return nvil_upper_bound(log_weights, draws=draws, repeats=repeats)
