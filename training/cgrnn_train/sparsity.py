"""How sparse hidden activations are: two measures of a (time, latent) array, both 0 to 1, both blind to scale.

near_zero  share of activations that are nearly nothing beside the largest of the piece.
hoyer      (√n − L1/L2) / (√n − 1) of each frame's n activations: 1 where one alone is active, 0 where all are equally
           active. Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 2004, section 3.1.

They answer different questions: a model whose units are rarely exactly silent has a low `near_zero`, however much a few
of them dominate, and then `hoyer` is still high.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def near_zero(activations: NDArray[np.floating], share: float = 0.01) -> float:
    """Share of ``activations`` (time, latent) whose magnitude is below ``share`` of the largest; 1 if all are zero.

    Raises:
        ValueError: another shape, or no activation at all.
    """
    magnitude = _magnitude(activations)
    largest = magnitude.max()
    return float((magnitude < share * largest).mean()) if largest > 0 else 1.0


def hoyer(activations: NDArray[np.floating]) -> float:
    """Mean over frames of Hoyer's sparsity of ``activations`` (time, latent).

    Frames where nothing is active have no sparsity and are left out; NaN if all are so.

    Raises:
        ValueError: another shape, or fewer than two latent units.
    """
    magnitude = _magnitude(activations)
    units = magnitude.shape[1]
    if units < 2:
        raise ValueError("found one latent unit; Hoyer's sparsity needs two at least")
    magnitude = magnitude[magnitude.any(axis=1)]
    if len(magnitude) == 0:
        return float("nan")
    magnitude = magnitude / magnitude.max(axis=1, keepdims=True)  # so that no square is lost to rounding
    ratio = magnitude.sum(axis=1) / np.sqrt(np.square(magnitude).sum(axis=1))  # L1/L2, (time,)
    return float(((np.sqrt(units) - ratio) / (np.sqrt(units) - 1)).mean())


def _magnitude(activations: NDArray[np.floating]) -> NDArray[np.float64]:
    if activations.ndim != 2 or activations.size == 0:
        raise ValueError(f"activations have shape {activations.shape}; expected (time, latent), neither of them 0")
    return np.abs(activations.astype(np.float64))
