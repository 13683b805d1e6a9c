"""What figures of pitches and of sound share: how a run is asked, and what is said of its hidden activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cgrnn_train.sparsity import hoyer, near_zero

Answer = TypeVar("Answer")

TitledRuns = Sequence[tuple[str, Path]]
"""Run folders, each after the title of its panels."""


class Drawing(NamedTuple):
    """What is drawn of some runs.

    Attributes:
        figures: by name; None where there is nothing to show.
        numbers: what figures.json says of each run; null where there is nothing to measure.
    """

    figures: dict[str, Figure | None]
    numbers: list[dict[str, Any]]


@torch.no_grad()
def ask(question: Callable[[], Answer], seed: int) -> Answer:
    """The answer to ``question``, its randomness begun at ``seed``; the caller's is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return question()


def activation_title(title: str, activations: NDArray[np.float32]) -> str:
    """The title of a panel of ``activations`` (time, latent): the run's, and how sparse they are."""
    return f"{title}\n{100 * near_zero(activations):.0f} % near zero, Hoyer {hoyer(activations):.2f}"


def activation_numbers(activations: NDArray[np.float32] | None) -> dict[str, Any]:
    """What figures.json says of ``activations`` (time, latent)."""
    if activations is None:
        return {"latent": None, "near_zero": None, "hoyer": None}
    sparsity = hoyer(activations)
    return {
        "latent": activations.shape[1],
        "near_zero": round(near_zero(activations), 4),
        "hoyer": None if math.isnan(sparsity) else round(sparsity, 4),
    }
