"""The ReLU layers through which a recurrent net sees a frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cgrnn_train.models.kind import Kind


class Companding(nn.Module):
    """asinh, elementwise: keeps a number's sign, is linear below 1 and logarithmic above it, as μ-law is (ITU-T G.711).

    A note that begins in silence is a thousand times what was expected; a net that saw it so would see nothing else.
    """

    def forward(self, frames: Tensor) -> Tensor:
        """Of any shape."""
        return torch.asinh(frames)


def frame_mlp(kind: Kind, visible: int, sizes: tuple[int, ...], dropout: float) -> tuple[nn.Sequential, int]:
    """Build the layers and return them with the size of their output, which is ``visible`` if there are none.

    Args:
        kind: of the frames; sound is companded.
        visible: pitches or samples in a frame.
        sizes: of the layers.
        dropout: probability of dropping a unit of any layer.
    """
    layers: list[nn.Module] = [Companding()] if kind == "continuous" else []
    width = visible
    for size in sizes:
        layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
        width = size
    return nn.Sequential(*layers), width
