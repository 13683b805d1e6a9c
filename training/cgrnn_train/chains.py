"""Persistent Gibbs chains, one per training frame: 128 bits each, or a float16 for each sample where frames are sound.

The negative phase of a conditional RBM needs a sample of p(v | u) for every u, and every u occurs with one frame
only. A chain per frame, met again once an epoch, has the whole run to mix, where contrastive divergence restarts at
the data each time.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BITS = 2 ** torch.arange(8, dtype=torch.uint8)


class Chains:
    """The last fantasy frame of every frame of a data set, packed; starts at the data themselves.

    Args:
        packed: the chains' storage, (frames, 16) uint8 as in `cgrnn_train.data.packed`: first pitch in the highest bit.
    """

    def __init__(self, packed: Tensor) -> None:
        self.packed = packed

    def read(self, rows: Tensor, shift: Tensor, first: Tensor) -> Tensor:
        """The chains of ``rows`` (frames,), each transposed by its ``shift`` in semitones: (frames, 128) float32. None
        needs ``first``, where it would restart.
        """
        bits = (self.packed[rows.cpu()].unsqueeze(-1) & _BITS.flip(0)) != 0  # (frames, 16, 8)
        return _roll(bits.flatten(1).float().to(rows.device), shift)

    def write(self, rows: Tensor, shift: Tensor, frames: Tensor) -> None:
        """Keep ``frames`` (frames, 128), given in the transposed key, as the chains of ``rows``."""
        bits = _roll(frames, -shift).to("cpu", torch.uint8).unflatten(1, (16, 8))
        self.packed[rows.cpu()] = (bits * _BITS.flip(0)).sum(-1, dtype=torch.uint8)


class WaveChains:
    """The last whitened fantasy frame of every frame of a data set of sound, float16; they start where they are told.

    Args:
        frames: of the data set.
        visible: samples in a frame.
    """

    def __init__(self, frames: int, visible: int) -> None:
        self.packed = torch.full((frames, visible), torch.nan, dtype=torch.float16)

    def read(self, rows: Tensor, shift: Tensor, first: Tensor) -> Tensor:
        """The chains of ``rows`` (frames,), or ``first`` (frames, visible) of those that have none yet.

        They are (frames, visible) float32. Nothing of sound is transposed by ``shift``.
        """
        kept = self.packed[rows.cpu()].float().to(rows.device)
        return torch.where(kept.isnan(), first, kept)

    def write(self, rows: Tensor, shift: Tensor, frames: Tensor) -> None:
        """Keep ``frames`` (frames, visible) as the chains of ``rows``."""
        most = torch.finfo(torch.float16).max
        self.packed[rows.cpu()] = frames.clamp(-most, most).to("cpu", torch.float16)


def _roll(frames: Tensor, shift: Tensor) -> Tensor:
    """Transpose each row of ``frames`` (frames, 128) by its own ``shift``."""
    if not shift.any():
        return frames
    index = (torch.arange(128, device=frames.device) - shift.unsqueeze(1)) % 128
    return frames.gather(1, index)
