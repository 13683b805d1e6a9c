"""A string that is plucked, for a model of sound to go on from where no prompt is given.

The Karplus–Strong string (Karplus and Strong, "Digital synthesis of plucked-string and drum timbres", Computer Music
Journal 7(2), 1983): a burst of noise runs round a delay line, each time through a mean of neighbours, here with a
little noise on top, as recordings have. A model's frames are what prediction leaves of a sound: it needs one to begin.
"""

from __future__ import annotations

import numpy as np

from cgrnn_bundle.waves import Samples, WaveSpec, samples_to_frames
from cgrnn_live.wave_source import LOUDEST_MODEL_SAMPLE

PITCHES = (40, 55, 47, 52, 45, 50, 43, 57)
"""MIDI, in turn: E minor pentatonic on the open strings of a guitar and between."""
SECONDS, PEAK, NOISE, SEED = 0.6, 0.5, 0.003, 0
LOSS = 0.003
"""Of the string's swing, each time round."""


def pluck(pitch: int, spec: WaveSpec) -> Samples:
    """Return a plucked string of MIDI ``pitch`` as whole frames (frames, frame_samples) of ``spec``."""
    random = np.random.default_rng((SEED, pitch))
    period = spec.sample_rate / (440 * 2 ** ((pitch - 69) / 12)) - 0.5  # the mean takes half a sample
    whole, part = divmod(max(2.0, period), 1.0)
    delay = int(whole)
    count = round(SECONDS * spec.sample_rate / spec.frame_samples) * spec.frame_samples
    string = np.zeros(count + delay + 2)
    string[: delay + 2] = np.convolve(random.uniform(-1, 1, delay + 2), [0.25, 0.5, 0.25], "same")
    string[: delay + 2] -= string[: delay + 2].mean()
    taps = (1 - LOSS) / 2 * np.array([part, 1.0, 1.0 - part])  # oldest first: the mean, between two samples
    for t in range(delay + 2, len(string)):
        string[t] = taps @ string[t - delay - 2 : t - delay + 1]
    sound = string[:count] * (PEAK / np.abs(string[:count]).max())
    level = np.sqrt(np.convolve(np.square(sound), np.full(400, 1 / 400), "same"))
    noisy = sound + NOISE * level * random.standard_normal(count)
    return samples_to_frames(noisy.astype(np.float32), spec, loudest=LOUDEST_MODEL_SAMPLE)
