"""Sound from a model into a file: no clock, no device, the same bytes for the same seed.

The file is a WAV of one channel of 32-bit floats, so that it holds exactly what a sound card would be given. Python's
`wave` writes whole numbers only, and libsndfile adds the time of day.
"""

from __future__ import annotations

import struct
from pathlib import Path

from cgrnn_live.errors import UsageError
from cgrnn_live.recording import replacing
from cgrnn_live.wave_source import WaveSource

MOST_SAMPLES = (2**32 - 1 - 50) // 4
"""What fits into a WAV file, whose sizes have 32 bits."""

BLOCK = 1 << 14
IEEE_FLOAT = 3


class WaveLengthError(UsageError):
    """A sound that is too long for its file."""


def render(source: WaveSource, count: int, path: Path) -> None:
    """Write the next ``count`` samples of ``source``.

    Raises:
        UsageError: they do not fit into a WAV file, or it cannot be written; a file that was there is as it was.
    """
    if count > MOST_SAMPLES:
        most = MOST_SAMPLES // source.sample_rate
        raise WaveLengthError(
            f"A WAV file of {source.sample_rate} samples a second lasts at most {most} s; give a shorter --duration."
        )
    with replacing(path) as file:
        file.write(header(count, source.sample_rate))
        for start in range(0, count, BLOCK):
            file.write(source.pull(min(BLOCK, count - start)).astype("<f4").tobytes())


def header(count: int, sample_rate: int) -> bytes:
    """Return the first 58 bytes of a WAV file with ``count`` samples: formats but PCM have a `fact` chunk."""
    size = 4 * count
    form = struct.pack("<HHIIHHH", IEEE_FLOAT, 1, sample_rate, 4 * sample_rate, 4, 32, 0)
    chunks = (b"fmt " + struct.pack("<I", len(form)) + form, b"fact" + struct.pack("<II", 4, count))
    body = b"WAVE" + b"".join(chunks) + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(body) + size) + body
