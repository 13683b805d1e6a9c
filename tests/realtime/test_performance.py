import signal

import pytest

from cgrnn_live.performance import ending_on_signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_every_signal_stops_and_none_interrupts_until_the_context_is_left(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    stopped: list[str] = []
    with ending_on_signals(lambda: stopped.append(name)):
        for _ in range(3):
            signal.raise_signal(number)
    assert stopped == [name] * 3
    assert signal.getsignal(number) == before
