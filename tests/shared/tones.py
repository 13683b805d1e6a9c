"""A source of frames that a test can predict: a tone with a little noise, so that no two stretches are alike."""

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.waves import WaveCoder, WaveSpec

Samples = NDArray[np.float32]

SPEC = WaveSpec(mean=0.01, std=0.2)
PREDICTED = WaveSpec(mean=0.01, std=0.2, order=8, window=400)


class Tones:
    """Sounds a tone of 440 Hz at ``level`` as frames of ``spec``; remembers what it heard."""

    def __init__(self, *, seed: int = 1, level: float = 0.2, spec: WaveSpec = SPEC) -> None:
        self.spec = spec
        self.level = level
        self.heard: list[Samples] = []
        self.resets = 0
        self._random = np.random.default_rng(seed)
        self._drawn = 0
        self._coder = WaveCoder(spec)

    def sample(self) -> Samples:
        size = self.spec.frame_samples
        time = np.arange(self._drawn * size, (self._drawn + 1) * size) / self.spec.sample_rate
        self._drawn += 1
        noise = 0.1 * self._random.standard_normal(size)
        samples = self.level * (np.sin(2 * np.pi * 440 * time) + noise)
        return self._coder.encode(samples.astype(np.float32))

    def advance(self, heard: Samples) -> None:
        self.heard.append(heard.copy())

    def reset(self) -> None:
        self.resets += 1
        self._coder.reset()
