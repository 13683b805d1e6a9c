"""Block Gibbs of a fixed shape in buffers of its own: the inner loop of training and of everything that anneals.

At β = 1 it draws from the same conditionals as `Head.sweep`; only what it costs differs. On one CPU core, for a row of
128 pitches and 150 hidden units, the two matrix products take about 0.85 µs. The rest is kept small by:

- memory: buffers are written again and again, for a fresh one of some MB costs a page fault every 4 KB;
- random numbers: 31 bits for a uniform, two from one 64-bit draw (`torch.rand` has 24, and draws for each);
- log p*_β − log p*_β': with p = σ(βη) and t = (β' − β)η, softplus(βη) − softplus(β'η) = −log(1 + p (eᵗ − 1)), and
  where t is small, several of these factors are multiplied before a logarithm is taken. What a factor exceeds 1 by is
  what is kept of it, so that float32 keeps its digits; the sums over a path are float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.head import Head
from cgrnn_train.models.hidden_units import Spikes, UnitSlabs

HALVINGS = 4
"""How often the factors are multiplied, the first half of them by the second, before the logarithms: 16 in one."""

LARGE_STEP = 4.0
"""The largest |t| in a product, summed over its factors (twice that, where an odd one joins): e⁻⁴ and more is left."""

TILE_ROWS = 1024
"""Chains that a CPU sweeps together, so that a sweep stays in its cache (at most, where a frame has no more)."""


class Sweeper:
    """Gibbs chains over frames that share a head, each frame with its own biases.

    Args:
        head: `UnitSlabs` or `Spikes`.
        hidden_bias: b̃_h, (frames, hidden).
        chains: chains a frame.

    Raises:
        TypeError: a head that is neither.
    """

    def __init__(self, head: Head, hidden_bias: Tensor, chains: int) -> None:
        if not isinstance(head, (UnitSlabs, Spikes)):
            raise TypeError(f"found a head {type(head).__name__}; expected UnitSlabs or Spikes: teach Sweeper its draw")
        self._weight, self._offset = head.weight, head.offset if isinstance(head, UnitSlabs) else None
        self._constant = hidden_bias if self._offset is None else hidden_bias - 0.5 * self._offset.square()
        shape = chains, len(hidden_bias)
        visible, hidden = head.weight.shape
        self._drive, self._logits, self._probability, self._spikes, self._work = (
            hidden_bias.new_empty(*shape, hidden) for _ in range(5)
        )
        self._frame, self._pitch_logits = (hidden_bias.new_empty(*shape, visible) for _ in range(2))
        self._beta = 1.0

    def look(self, frame: Tensor, beta: float) -> None:
        """Compute η of ``frame`` (chains, frames, visible) and σ(``beta`` η), of which the other methods speak."""
        self._beta = beta
        torch.matmul(frame, self._weight, out=self._drive)
        if self._offset is None:
            torch.add(self._drive, self._constant, out=self._logits)
        else:
            self._drive.add_(self._offset)
            torch.addcmul(self._constant, self._drive, self._drive, value=0.5, out=self._logits)
        torch.mul(self._logits, beta, out=self._probability).sigmoid_()

    def softplus_gain(self, previous: float) -> Tensor:
        """Σ softplus(β η) − softplus(``previous`` η), (chains, frames) float64."""
        step = previous - self._beta
        low, high = (float(bound) for bound in torch.aminmax(self._logits))
        largest = abs(step) * max(-low, high)
        if largest > LARGE_STEP:
            logits = self._logits.double()
            return (F.softplus(self._beta * logits) - F.softplus(previous * logits)).sum(-1)
        excess = torch.mul(self._logits, step, out=self._work).expm1_().mul_(self._probability)  # factor − 1
        for halving in range(1, HALVINGS + 1):
            half, odd = divmod(excess.shape[-1], 2)
            if not half or largest * 2**halving > LARGE_STEP:
                break
            _multiply(excess[..., :half], excess[..., half : 2 * half])
            if odd:
                _multiply(excess[..., :1], excess[..., 2 * half :])
            excess = excess[..., :half]
        return -excess.contiguous().log1p_().sum(-1).double()

    def draw(self, visible_bias: Tensor) -> Tensor:
        """Draw the hidden units and then v, the whole energy but for the visible bias at inverse temperature β.

        Args:
            visible_bias: b̃_v already annealed (`AnnealingPath`), (frames, visible).

        Returns:
            (chains, frames, visible), in a buffer that the next draw writes over.
        """
        spikes = _fill_uniform(self._spikes).lt_(self._probability)
        if self._offset is not None:
            spikes.mul_(self._work.normal_(std=self._beta**-0.5).add_(self._drive))
        pitch_logits = torch.matmul(spikes, self._weight.T, out=self._pitch_logits)
        pitch_logits.mul_(self._beta).add_(visible_bias)
        return _fill_uniform(self._frame).lt_(pitch_logits.sigmoid_())


@torch.no_grad()
def gibbs(
    head: Head,
    frames: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    sweeps: int,
    watch: Callable[[int, slice, Tensor], None] = lambda sweep, rows, frame: None,
) -> Tensor:
    """``sweeps`` of block Gibbs from each frame; no gradient.

    Args:
        head: see `Sweeper`.
        frames: v where the chains begin, (chains, frames, visible) of 0 and 1; left as it is.
        visible_bias: b̃_v, (frames, visible).
        hidden_bias: b̃_h, (frames, hidden).
        sweeps: how many; none returns a copy.
        watch: called after each sweep of some frames with its number, from 0, their rows and v, (chains, rows,
            visible), which the next sweep writes over.

    Returns:
        v where they end, (chains, frames, visible).
    """
    ends = frames.clone()
    chains, count, _ = frames.shape
    for rows in tiles(chains, count, frames.device):
        sweeper, frame = Sweeper(head, hidden_bias[rows], chains), frames[:, rows]
        for sweep in range(sweeps):
            sweeper.look(frame, 1.0)
            frame = sweeper.draw(visible_bias[rows])
            watch(sweep, rows, frame)
        ends[:, rows] = frame
    return ends


def tiles(chains: int, frames: int, device: torch.device) -> list[slice]:
    """Which of ``frames`` are swept together, ``chains`` each: all on a GPU, what its cache holds on a CPU."""
    tile = max(1, TILE_ROWS // chains) if device.type == "cpu" else max(1, frames)
    return [slice(row, row + tile) for row in range(0, frames, tile)]


def _multiply(excess: Tensor, other: Tensor) -> None:
    """(1 + ``excess``) ← (1 + ``excess``)(1 + ``other``), of which the small parts keep their digits."""
    excess.add_(torch.addcmul(other, excess, other))


def _fill_uniform(buffer: Tensor) -> Tensor:
    """Fill ``buffer`` with uniforms on a grid of 2⁻³¹, from torch's generator; returns it."""
    words = torch.empty((buffer.numel() + 1) // 2, dtype=torch.int64, device=buffer.device).random_()  # 63 bits each
    bits = words.view(torch.int32)[: buffer.numel()].bitwise_and_(2**31 - 1)
    return torch.mul(bits.view(buffer.shape), 2.0**-31, out=buffer)
