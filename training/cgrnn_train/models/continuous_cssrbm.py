"""The continuous conditional spike-and-slab RBM (C-ssRBM) of Liu, Xie and Wang, section 4.1, over whitened frames.

Its energy is that of `cgrnn_train.models.wave_units`, its whitening that of `cgrnn_train.models.continuous`; α and Φ of
the paper's (4) are 1 and 0 there. What is learned is R, of which W = L⁻¹R, LLᵀ = I + RRᵀ, keeps Z finite for any u.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cgrnn_train.models.conditional import Conditionals
from cgrnn_train.models.continuous import ContinuousFrames, WaveConditionals
from cgrnn_train.models.wave_units import WaveSlabs, WaveUnits, contraction


class ContinuousCSSRBM(ContinuousFrames):
    """A C-ssRBM over frames of sound.

    Args:
        visible: samples in a frame.
        hidden: spikes, and as many slabs.
        state: size of the recurrent state u.
        slab_mean: initial m.
        modulates_visible: whether u enters c; not in the paper's RNN-ssRBM.
        modulates_scale: whether u enters d; not in the paper's RNN-ssRBM.
    """

    def __init__(
        self,
        visible: int,
        hidden: int,
        state: int,
        *,
        slab_mean: float = 0.0,
        modulates_visible: bool = True,
        modulates_scale: bool = True,
    ) -> None:
        super().__init__(visible, hidden, state, modulates_visible=modulates_visible, modulates_scale=modulates_scale)
        self.raw_weight = nn.Parameter(torch.randn(visible, hidden) / math.sqrt(visible))  # R: unit columns
        self.slab_mean = nn.Parameter(torch.full((hidden,), slab_mean))

    def units(self) -> WaveSlabs:
        """See `ContinuousFrames.units`."""
        return WaveSlabs(contraction(self.raw_weight), self.slab_mean)

    @torch.no_grad()
    def path(self, temperatures: int) -> list[WaveUnits]:
        """See `ContinuousFrames.path`: R grows so that the log of the variance that it adds grows evenly."""
        added = math.expm1(float(torch.log1p(torch.linalg.svdvals(self.raw_weight).square()).mean()))  # σ²
        shares = [math.expm1(math.log1p(added) * step / temperatures) / added for step in range(temperatures)]
        units = [WaveSlabs(contraction(math.sqrt(share) * self.raw_weight), self.slab_mean) for share in shares]
        return [*units, self.units()]

    @torch.no_grad()
    def precision(self, spikes: Tensor, conditionals: Conditionals) -> Tensor:
        """(C^{v|h})⁻¹ = diag(1/d) (I − W diag(h) Wᵀ) diag(1/d), of p(v | h, u): slabs integrated out.

        The paper's Fig. 4 in our terms (docs/decisions/0010-waves-are-whitened.md); its authors' code for that figure
        adds the second part.

        Args:
            spikes: h, (..., hidden) of 0 and 1.
            conditionals: of the same frames.

        Returns:
            (..., visible, visible), positive definite. float64, for of 1 little is left where W is at its limit.
        """
        weight = contraction(self.raw_weight.double())
        inverse = 1 / WaveConditionals(*conditionals).visible_scale.double()
        identity = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        whitened = identity - (weight * spikes.double()[..., None, :]) @ weight.T
        return inverse[..., :, None] * whitened * inverse[..., None, :]

    def slow_parameters(self) -> list[nn.Parameter]:
        """R."""
        return [self.raw_weight]
