"""The ReLU layers through which a recurrent net sees a frame."""

from __future__ import annotations

from torch import nn


def frame_mlp(visible: int, sizes: tuple[int, ...], dropout: float) -> tuple[nn.Sequential, int]:
    """Build the layers and return them with the size of their output, which is ``visible`` if there are none.

    Args:
        visible: pitches or samples in a frame.
        sizes: of the layers.
        dropout: probability of dropping a unit of any layer.
    """
    layers: list[nn.Module] = []
    width = visible
    for size in sizes:
        layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
        width = size
    return nn.Sequential(*layers), width
