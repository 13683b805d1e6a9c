"""The last layer of the systems that draw each unit of a frame by itself, given their state.

    Emission        how a network's numbers are a distribution over one frame
    ├── Bernoulli   a pitch: one number, its logit
    └── Gaussian    an audio sample: two numbers, its mean and a raw standard deviation (`cgrnn_train.models.normal`)

Numbers are (..., visible · numbers a unit): the first ones of all units, then the second ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.kind import Kind
from cgrnn_train.models.normal import Normal, raw_of
from cgrnn_train.models.start import FrameStatistics


class Emission(ABC):
    """Independent units; their numbers come from a network."""

    outputs: int
    """Numbers that the network gives a unit."""

    @staticmethod
    @abstractmethod
    def log_probability(numbers: Tensor, frames: Tensor) -> Tensor:
        """log p(frame), (...), nats: summed over the units of ``frames`` (..., visible)."""

    @staticmethod
    @abstractmethod
    def mean(numbers: Tensor) -> Tensor:
        """Mean of each unit, (..., visible)."""

    @staticmethod
    @abstractmethod
    def draw(numbers: Tensor) -> Tensor:
        """A frame, (..., visible)."""

    @staticmethod
    @abstractmethod
    def numbers_of(start: FrameStatistics) -> Tensor:
        """The numbers (visible · numbers a unit,) of frames whose units have the statistics ``start``."""


class Bernoulli(Emission):
    """Independent pitches; their numbers are logits, and their mean is the probability of each."""

    outputs = 1

    @staticmethod
    def log_probability(numbers: Tensor, frames: Tensor) -> Tensor:
        """See `Emission.log_probability`."""
        return -F.binary_cross_entropy_with_logits(numbers, frames.expand_as(numbers), reduction="none").sum(-1)

    @staticmethod
    def mean(numbers: Tensor) -> Tensor:
        """See `Emission.mean`."""
        return torch.sigmoid(numbers)

    @staticmethod
    def draw(numbers: Tensor) -> Tensor:
        """See `Emission.draw`: of 0 and 1."""
        return torch.bernoulli(torch.sigmoid(numbers))

    @staticmethod
    def numbers_of(start: FrameStatistics) -> Tensor:
        """See `Emission.numbers_of`."""
        return torch.logit(start.mean)


class Gaussian(Emission):
    """Independent audio samples; a log-probability is a log-density, and may be above 0."""

    outputs = 2

    @staticmethod
    def log_probability(numbers: Tensor, frames: Tensor) -> Tensor:
        """See `Emission.log_probability`."""
        return Normal.of(numbers).log_density(frames)

    @staticmethod
    def mean(numbers: Tensor) -> Tensor:
        """See `Emission.mean`."""
        return numbers.chunk(2, dim=-1)[0]

    @staticmethod
    def draw(numbers: Tensor) -> Tensor:
        """See `Emission.draw`."""
        return Normal.of(numbers).draw()

    @staticmethod
    def numbers_of(start: FrameStatistics) -> Tensor:
        """See `Emission.numbers_of`; raises ValueError where ``start`` has no standard deviations."""
        if start.std is None:
            raise ValueError("found the mean frame of a piano roll; expected that of sound, with standard deviations")
        return torch.cat([start.mean, raw_of(start.std)])


def emission_of(kind: Kind) -> Emission:
    """The emission of frames of ``kind``."""
    return Gaussian() if kind == "continuous" else Bernoulli()
