"""Persistent Gibbs chains, one per training frame: 128 bits each, or a bit for each spike where frames are sound.

The negative phase of a conditional RBM needs a sample of p(v | u) for every u, and every u occurs with one frame
only. A chain per frame, met again once an epoch, has the whole run to mix, where contrastive divergence restarts at
the data each time.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_BITS = 2 ** torch.arange(8, dtype=torch.uint8)


class Chains:
    """The last fantasy frame of every frame of a data set, packed; starts at the data themselves.

    Args:
        packed: the chains' storage, (frames, 16) uint8 as in `cgrnn_train.data.packed`: first pitch in the highest bit.
    """

    def __init__(self, packed: Tensor) -> None:
        self.packed = packed

    def read(self, rows: Tensor, shift: Tensor) -> Tensor:
        """The chains of ``rows`` (frames,), each transposed by its ``shift`` in semitones: (frames, 128) float32."""
        bits = (self.packed[rows.cpu()].unsqueeze(-1) & _BITS.flip(0)) != 0  # (frames, 16, 8)
        return _roll(bits.flatten(1).float().to(rows.device), shift)

    def write(self, rows: Tensor, shift: Tensor, frames: Tensor) -> None:
        """Keep ``frames`` (frames, 128), given in the transposed key, as the chains of ``rows``."""
        bits = _roll(frames, -shift).to("cpu", torch.uint8).unflatten(1, (16, 8))
        self.packed[rows.cpu()] = (bits * _BITS.flip(0)).sum(-1, dtype=torch.uint8)


class SpikeChains:
    """The last spikes of every frame of a data set of sound, packed; they start silent, and forget that soon.

    Args:
        frames: of the data set.
        hidden: spikes of a frame.
    """

    def __init__(self, frames: int, hidden: int) -> None:
        self.packed = torch.zeros(frames, -(-hidden // 8), dtype=torch.uint8)
        self._hidden = hidden

    def read(self, rows: Tensor, shift: Tensor) -> Tensor:
        """The chains of ``rows`` (frames,): (frames, hidden) float32. Nothing of sound is transposed by ``shift``."""
        bits = (self.packed[rows.cpu()].unsqueeze(-1) & _BITS.flip(0)) != 0  # (frames, bytes, 8)
        return bits.flatten(1)[:, : self._hidden].float().to(rows.device)

    def write(self, rows: Tensor, shift: Tensor, spikes: Tensor) -> None:
        """Keep ``spikes`` (frames, hidden) as the chains of ``rows``."""
        padding = 8 * self.packed.shape[1] - self._hidden
        bits = F.pad(spikes, (0, padding)).to("cpu", torch.uint8).unflatten(1, (-1, 8))
        self.packed[rows.cpu()] = (bits * _BITS.flip(0)).sum(-1, dtype=torch.uint8)


def _roll(frames: Tensor, shift: Tensor) -> Tensor:
    """Transpose each row of ``frames`` (frames, 128) by its own ``shift``."""
    if not shift.any():
        return frames
    index = (torch.arange(128, device=frames.device) - shift.unsqueeze(1)) % 128
    return frames.gather(1, index)
