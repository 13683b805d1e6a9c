"""A limiter that looks ahead: no model, however bad, gets louder than this.

Three things bound what leaves it. A peak is at most `CEILING`: the gain falls before the peak arrives, within
`LOOKAHEAD_SECONDS`, so that it does not click. The level over `LOUDNESS_SECONDS` settles at `LOUDEST` at most (root
mean square): a model that has diverged makes a square wave of full scale, which has no peak to speak of and is a dozen
decibels louder than loud music. And what is left of rounding is cut off.

Sound that stays below both passes unchanged, bit for bit, one look-ahead later.

    t[n]  the gain that sample n may have: 1, or less where the peak or the level is too high
    m[n]  min t[n−L..n]                  the lowest that a sample within the look-ahead L asks for
    r[n]  min(m[n], r[n−1] · release)    back up at a constant rate in decibels, never above 1
    y[n]  x[n−L] · mean r[n−L+1..n]      each of these r is at most t[n−L]

The work is done in blocks of L samples, whatever is given at a time, so the same samples come out for any division.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Gains = NDArray[np.float64]

CEILING = 10 ** (-1 / 20)
"""The highest sample, 1 dB below full scale: converters of cheap devices clip between samples that are at it."""

LOUDEST = 10 ** (-12 / 20)
"""The highest root mean square, 12 dB below full scale: that of loud music."""

LOOKAHEAD_SECONDS = 0.005
LOUDNESS_SECONDS = 0.3
"""How long a sound must last to be loud: about what hearing sums over."""

RELEASE_DB_PER_SECOND = 60.0


class Limiter:
    """Limits one channel of samples, chunk after chunk.

    Attributes:
        delay: how much later samples leave than they enter, and how many a block has.
        limited: samples so far that were made quieter.
    """

    def __init__(self, sample_rate: int) -> None:
        """Begin in silence."""
        self.delay = max(1, round(LOOKAHEAD_SECONDS * sample_rate))
        self.limited = 0
        self._waiting: Samples = np.zeros(0, np.float32)  # less than a block
        self._last: Samples = np.zeros(self.delay, np.float32)
        self._last_target: Gains = np.ones(self.delay)
        self._last_gain: Gains = np.ones(self.delay)
        self._mean_square = 0.0
        self._memory = math.exp(-self.delay / (LOUDNESS_SECONDS * sample_rate))  # of the mean square, a block on
        self._rise = RELEASE_DB_PER_SECOND / 20 * math.log(10) / sample_rate * np.arange(self.delay + 1)  # in log gain

    def process(self, samples: Samples) -> Samples:
        """Take ``samples`` (time,), all finite, and return those that are ready: whole blocks."""
        waiting = np.concatenate([self._waiting, samples])
        whole = len(waiting) - len(waiting) % self.delay
        self._waiting = waiting[whole:]
        blocks = [self._block(block) for block in waiting[:whole].reshape(-1, self.delay)]
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)

    def _block(self, samples: Samples) -> Samples:
        """Return the block before ``samples``, limited."""
        target = self._target(samples)
        gain = self._release(self._hold(target))
        if gain.min() == 1.0 and self._last_gain.min() == 1.0:
            ready = self._last
        else:
            total = np.append(np.cumsum(self._last_gain[::-1])[-2::-1], 0.0) + np.cumsum(gain)
            mean = np.minimum(total / self.delay, 1.0)
            self.limited += int(np.count_nonzero(mean < 1.0))
            ready = np.clip(mean * self._last, -CEILING, CEILING).astype(np.float32)
        self._last, self._last_target, self._last_gain = samples.copy(), target, gain
        return ready

    def _target(self, samples: Samples) -> Gains:
        """Return t: what each sample's own height allows, and what the level up to the block's end allows."""
        height = np.abs(samples.astype(np.float64))
        heard = np.minimum(height, CEILING)  # a single peak, cut off anyway, is no loudness
        self._mean_square = self._memory * self._mean_square + (1 - self._memory) * float(np.mean(heard * heard))
        level = math.sqrt(self._mean_square)
        allowed = min(1.0, LOUDEST / level) if level > 0 else 1.0
        return allowed * (CEILING / np.maximum(height, CEILING))

    def _hold(self, target: Gains) -> Gains:
        """Return m: the minimum over the sample and the ``delay`` before it, from the last block's end on."""
        later_of_the_last = np.minimum.accumulate(self._last_target[::-1])[::-1]
        return np.minimum(later_of_the_last, np.minimum.accumulate(target))

    def _release(self, held: Gains) -> Gains:
        """Return r: as ``held`` falls, at once; up again by a constant rate."""
        wanted = np.log(np.append(self._last_gain[-1], held))
        gain = np.exp(np.minimum.accumulate(wanted - self._rise) + self._rise)
        return np.minimum(gain[1:], held)
