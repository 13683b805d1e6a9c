"""What an untrained model knows of its data: the moments of the training frames."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FrameStatistics(NamedTuple):
    """Moments of the training frames.

    Attributes:
        mean: (visible,); of binary frames the share of frames in which a pitch is on, between 0 and 1.
        covariance: of continuous frames of the usual loudness, (visible, visible); None for binary ones.
    """

    mean: Tensor
    covariance: Tensor | None = None

    @property
    def std(self) -> Tensor | None:
        """Standard deviation of such frames, (visible,)."""
        return None if self.covariance is None else self.covariance.diagonal().sqrt()
