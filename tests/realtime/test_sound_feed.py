"""The thread that keeps the ring full: everything in order, never more than there is room for, and it ends."""

from collections.abc import Callable

import numpy as np
import pytest

from cgrnn_live.ring import Ring
from cgrnn_live.sound_feed import SoundFeed
from cgrnn_live.wave_source import WaveSource
from tones import Tones

RATE = 8_000


class Device:
    """A device without a clock: it takes samples when the feed has to wait, as many as it is told."""

    def __init__(self, capacity: int, takes: int, on_wait: Callable[["Device"], None] = lambda device: None) -> None:
        self.ring = Ring(capacity)
        self.played: list[float] = []
        self.calls: list[str] = []
        self.is_lost = False
        self._takes = takes
        self._on_wait = on_wait

    @property
    def room(self) -> int:
        return self.ring.room

    def wait(self, seconds: float) -> None:
        self.take(self._takes)
        self._on_wait(self)

    def take(self, count: int) -> None:
        out = np.zeros(count, np.float32)
        self.played += out[: self.ring.read(out)].tolist()

    def send(self, samples: np.ndarray) -> None:
        assert self.ring.write(samples) == len(samples), "more than there was room for"

    def finish(self) -> None:
        self.calls.append("finish")
        self.take(self.ring.capacity)

    def stop(self) -> None:
        self.calls.append("stop")


def expected(count: int, rate: int = RATE) -> list[float]:
    return WaveSource(Tones(), rate).pull(count).tolist()


@pytest.mark.parametrize("count", [1, 159, 160, 161, 20_000])
@pytest.mark.parametrize("takes", [1_000, 77])
def test_all_arrives_in_order_and_then_it_finishes(count: int, takes: int) -> None:
    device, feed = Device(4_000, takes), SoundFeed(WaveSource(Tones(), RATE), count)
    feed.run(device)
    assert device.played == expected(count)
    assert (feed.left, device.calls) == (0, ["finish"])


def test_without_an_end_it_goes_on_until_it_is_stopped() -> None:
    def stop_at(device: Device) -> None:
        if len(device.played) >= 50_000:
            feed.stop()

    feed = SoundFeed(WaveSource(Tones(), RATE))
    device = Device(4_000, 1_000, stop_at)
    feed.run(device)
    assert device.played == expected(len(device.played))
    assert device.calls == ["stop"]


def test_it_goes_on_into_the_next_device_where_it_was() -> None:
    def lose_at(device: Device) -> None:
        device.is_lost = len(device.played) >= 5_000

    feed = SoundFeed(WaveSource(Tones(), RATE), 20_000)
    first, second = Device(4_000, 1_000, lose_at), Device(4_000, 1_000)
    feed.run(first)
    assert first.calls == ["stop"]
    assert feed.left is not None
    sent = 20_000 - feed.left
    feed.run(second)
    assert second.played == expected(20_000)[sent:]
    assert second.calls == ["finish"]


def test_a_device_of_another_rate_gets_what_is_left_in_its_own_samples() -> None:
    feed = SoundFeed(WaveSource(Tones(), RATE), 20_000)
    feed.run(Device(4_000, 1_000, lambda device: setattr(device, "is_lost", True)))
    assert feed.left is not None
    left = feed.left
    feed.set_rate(48_000)
    assert feed.left == 6 * left
    second = Device(24_000, 5_000)
    feed.run(second)
    assert len(second.played) == 6 * left


class Failing(Tones):
    """Breaks down after a second."""

    def advance(self, heard: np.ndarray) -> None:
        super().advance(heard)
        if len(self.heard) > 74:
            raise ArithmeticError("injected")


def test_where_the_model_fails_the_sound_fades_and_the_fault_is_told() -> None:
    device, feed = Device(4_000, 1_000), SoundFeed(WaveSource(Failing(), RATE))
    with pytest.raises(ArithmeticError, match="injected"):
        feed.run(device)
    assert device.calls == ["stop"]
