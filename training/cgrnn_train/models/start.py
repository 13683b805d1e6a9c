"""What an untrained model starts from: the statistics of the training frames."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FrameStatistics(NamedTuple):
    """Of all training frames, for each of their places.

    Attributes:
        mean: (visible,) float32; for binary frames inside 0 and 1.
        std: standard deviation, (visible,) float32; None for binary frames, whose mean says it all.
    """

    mean: Tensor
    std: Tensor | None
