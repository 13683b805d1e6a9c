"""The far end of the pipe to the sound card: what it does with what comes in. With a device: tests/end_to_end."""

from io import BytesIO

import numpy as np
import pytest

from cgrnn_live.ring import Ring
from cgrnn_live.ring_reader import RingReader
from cgrnn_live.sound_process import END, HEADER, SAMPLES, STOP, listen

SOUND = np.linspace(-1, 1, 300, dtype=np.float32)


def message(kind: bytes, samples: np.ndarray = SOUND[:0]) -> bytes:
    return HEADER.pack(kind, samples.nbytes) + samples.tobytes()


def hear(data: bytes) -> tuple[list[float], RingReader]:
    """All that got into the ring, and what the callback was told."""
    ring = Ring(1_000)
    reader = RingReader(ring, 8_000)
    listen(BytesIO(data), ring, reader)
    out = np.zeros(1_000, np.float32)
    return out[: ring.read(out)].tolist(), reader


def test_samples_go_into_the_ring_and_the_end_is_known() -> None:
    samples, reader = hear(message(SAMPLES, SOUND[:100]) + message(SAMPLES, SOUND[100:]) + message(END))
    assert samples == SOUND.tolist()
    assert reader.is_ended


def test_a_stop_is_obeyed_and_nothing_after_it() -> None:
    samples, reader = hear(message(SAMPLES, SOUND) + message(STOP) + message(SAMPLES, SOUND))
    assert samples == SOUND.tolist()
    assert (reader.is_stopping, reader.is_ended) == (True, False)


@pytest.mark.parametrize("cut", [0, 1, 4])
def test_when_whoever_sends_is_gone_it_stops(cut: int) -> None:
    samples, reader = hear(message(SAMPLES, SOUND) + message(END)[:cut])
    assert samples == SOUND.tolist()
    assert reader.is_stopping
