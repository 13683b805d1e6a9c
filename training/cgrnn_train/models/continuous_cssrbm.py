"""The continuous conditional spike-and-slab RBM (C-ssRBM) of Liu, Xie and Wang, section 4.1, over whitened frames.

Its energy is that of `cgrnn_train.models.wave_units`, its whitening that of `cgrnn_train.models.continuous`; α and Φ of
the paper's (4) are 1 and 0 there. What is learned is R, whose W keeps Z finite for any u.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cgrnn_train.models.conditional import Conditionals
from cgrnn_train.models.continuous import LEAST_SCALE, ContinuousFrames, WaveConditionals
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.wave_units import WaveSlabs, WaveUnits

QUIET, LOUD, SHARE_ON = 0.7, 12.0, 0.7
"""Of an untrained model: d, in standard deviations of the frames' narrowest mixtures; the variance that all spikes add,
in that of the frames along each axis; and the share of spikes that are on, by mean field and were W a tight frame."""

LEAST_NARROW = 1e-3
"""Least variance of those mixtures, the mean of all being 1: of fewer frames than samples some have none."""


class ContinuousCSSRBM(ContinuousFrames):
    """A C-ssRBM over frames of sound.

    Args:
        visible: samples in a frame.
        hidden: spikes, and as many slabs.
        state: size of the recurrent state u.
        slab_mean: initial m.
        modulates_visible: whether u enters c; not in the paper's RNN-ssRBM.
        modulates_scale: whether u enters d; not in the paper's RNN-ssRBM.
        gains: see `ContinuousFrames`.
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
        gains: int = 1,
    ) -> None:
        super().__init__(
            visible,
            hidden,
            state,
            modulates_visible=modulates_visible,
            modulates_scale=modulates_scale,
            gains=gains,
        )
        self.raw_weight = nn.Parameter(torch.randn(visible, hidden) / math.sqrt(visible))  # R: unit columns
        self.slab_mean = nn.Parameter(torch.full((hidden,), slab_mean))

    def units(self) -> WaveSlabs:
        """See `ContinuousFrames.units`."""
        return self._units(self.raw_weight)

    def _units(self, raw: Tensor) -> WaveSlabs:
        """The units of ``raw`` R, where `slab_mean` is how far a spike alone moves x, in standard deviations of x then:
        m times what R adds to them, σ, would move it by σm of them, and the widest by hundreds as m learns.
        """
        return WaveSlabs(raw, self.slab_mean * torch.rsqrt(1 + raw.square().sum(0)))

    def start_from(self, start: FrameStatistics) -> None:
        """Take the mean of the training frames for c and a common loudness for the spikes.

        With none on the model is quiet (`QUIET`), with all on it has `LOUD` QUIET² times the frames' covariance. R's
        columns are random in the frames' principal axes, so that each overlaps with all others: spikes then attract one
        another, and how many are on varies more than if each turned alone. Columns with a direction each can say of
        every direction that it is wide, and cannot say that all are. U₃ is learned in the axes too, for a step in
        samples that is little along the widest of them may be thousands of variances along the narrowest.
        """
        assert start.covariance is not None  # continuous frames have one
        visible, hidden = self.raw_weight.shape
        std = start.covariance.double().diagonal().sqrt().clamp(min=LEAST_SCALE)
        variance, axes = torch.linalg.eigh(start.covariance.double() / torch.outer(std, std))
        narrow = variance[: max(1, visible // 10)].mean().clamp(min=LEAST_NARROW)
        added = LOUD * variance.clamp(min=0) / narrow
        explained = added / (1 + added)  # of the variance with all spikes on
        with torch.no_grad():
            self._start(start.mean, std * QUIET * narrow.sqrt())
            self.axes.copy_(std[:, None] * axes * variance.clamp(min=0).sqrt())
            mixed = torch.randn(visible, hidden, dtype=torch.float64) / math.sqrt(hidden)
            self.raw_weight.copy_(axes @ (added.sqrt()[:, None] * mixed))
            pull = (explained / (1 - SHARE_ON * explained)).sum() / (2 * hidden)  # of the other spikes on one
            self.hidden_bias.fill_(math.log(SHARE_ON / (1 - SHARE_ON)) - float(pull))

    @torch.no_grad()
    def path(self, temperatures: int) -> list[WaveUnits]:
        """See `ContinuousFrames.path`: the log of the variance grows evenly, in each direction of R."""
        left, sizes, right = torch.linalg.svd(self.raw_weight.double(), full_matrices=False)
        logs = torch.log1p(sizes.square())
        raws = [(left * torch.expm1(logs * step / temperatures).sqrt()) @ right for step in range(temperatures)]
        return [*(self._units(raw.to(self.raw_weight.dtype)) for raw in raws), self.units()]

    @torch.no_grad()
    def precision(self, spikes: Tensor, conditionals: Conditionals) -> Tensor:
        """(C^{v|h})⁻¹ = diag(1/d) (I − W diag(h) Wᵀ) diag(1/d), of p(v | h, g = 1, u): slabs integrated out.

        The paper's Fig. 4 in our terms (docs/decisions/0010-waves-are-whitened.md); its authors' code for that figure
        adds the second part.

        Args:
            spikes: h, (..., hidden) of 0 and 1.
            conditionals: of the same frames.

        Returns:
            (..., visible, visible), positive definite; of another gain it is g⁻² times that. float64, for of 1 little
            is left where W is at its limit.
        """
        weight = self.units().double().weight
        inverse = 1 / WaveConditionals(*conditionals).visible_scale.double()
        identity = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        whitened = identity - (weight * spikes.double()[..., None, :]) @ weight.T
        return inverse[..., :, None] * whitened * inverse[..., None, :]

    def slow_parameters(self) -> list[nn.Parameter]:
        """R."""
        return [self.raw_weight]
