"""What an untrained model knows of its data: the moments of the training frames."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FrameStatistics(NamedTuple):
    """Moments of the training frames, place by place.

    Attributes:
        mean: (visible,); of binary frames the share of frames in which a pitch is on, between 0 and 1.
        std: standard deviation of continuous frames, (visible,); None for binary ones.
    """

    mean: Tensor
    std: Tensor | None = None
