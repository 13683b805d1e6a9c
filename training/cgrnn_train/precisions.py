"""The precision of a frame of sound given its spikes, over a clip: the paper's Fig. 4, and how it is made readable.

The precision's scale goes with the sound's level, by orders of magnitude in a clip, and would be all that is seen of
it. So it is taken apart: its level, and the partial correlations, which are −1 times the precision scaled to a unit
diagonal. By that scaling d drops out of them: what changes in them from frame to frame is the spikes.

Where a frame is the residual of a linear prediction (docs/decisions/0013), so are the samples spoken of here: the
partial correlations are then of what the prediction leaves, and not the paper's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_train.models.continuous import WaveConditionals
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.system import System

FRAMES_SHOWN = 5
"""At most: the first, the loudest, and those after it."""


class Precisions(NamedTuple):
    """The precision of every frame of a clip.

    Attributes:
        matrices: (C^{v|h})⁻¹ of the frames, in their units: normalised samples, or residuals; (time, sample, sample).
        level: standard deviation of a sample given h and the other samples of its frame, their geometric mean, in
            the same units: (time,).
        active: spikes that are on, (time,).
        hidden: spikes there are.
    """

    matrices: NDArray[np.float64]
    level: NDArray[np.float64]
    active: NDArray[np.int64]
    hidden: int


@torch.no_grad()
def precisions_of(model: System, frames: Tensor) -> Precisions | None:
    """The precisions of a clip, ``frames`` (1, time, sample); None if the model holds no C-ssRBM over sound.

    The spikes h of each frame, and its gain, are one draw of their posterior p(h, g | v, u).
    """
    if not isinstance(model, EnergySystem) or not isinstance(model.rbm, ContinuousCSSRBM):
        return None
    given = WaveConditionals(*(part[0] for part in model(frames)))
    gain = model.rbm.draw_gain(frames[0], given)  # (time, 1)
    spikes = model.rbm.units().draw_spikes(given.whiten(frames[0]) / gain, given.hidden_bias)  # (time, hidden)
    matrices = (model.rbm.precision(spikes, given) / gain[..., None].double() ** 2).numpy()
    diagonal = matrices.diagonal(axis1=1, axis2=2)  # (time, sample)
    level = np.exp(-0.5 * np.log(diagonal).mean(axis=1))
    return Precisions(matrices, level, spikes.sum(1).long().numpy(), spikes.shape[1])


def partial_correlations(precision: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of each two samples given all others, −1 to 1, of ``precision`` P (…, sample, sample): −P_ij / √(P_ii P_jj).

    Above 0 where two samples go up together; 1 on the diagonal.
    """
    scale = np.sqrt(precision.diagonal(axis1=-2, axis2=-1))
    found = -precision / (scale[..., :, None] * scale[..., None, :])
    np.einsum("...ii->...i", found)[...] = 1
    return found


def moments(frames: NDArray[np.floating]) -> list[int]:
    """Which of ``frames`` (time, sample) are shown: the first, the loudest, and some evenly from it to the last."""
    loudest = int(np.square(frames).sum(axis=1).argmax())
    after = np.linspace(loudest, len(frames) - 1, FRAMES_SHOWN - 1).round().astype(int)
    return sorted({0, *after.tolist()})
