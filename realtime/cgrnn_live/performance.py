"""Running a player: it has a thread of its own, while the main thread takes the signals and shows how things stand."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

from cgrnn_live.player import Player

WATCH_SECONDS = 0.1
"""Between two looks at a performance."""

ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")
"""Each where the system has it."""


def perform(player: Player, frame_count: int | None = None, *, watch: Sequence[Callable[[], None]] = ()) -> None:
    """Run ``player`` for ``frame_count`` frames or until it is stopped, calling each of ``watch`` now and then.

    Raises what the player's thread raised. In every case its notes have been ended.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays: a full collection need not walk it while a deadline passes
    with _fine_timer(), ThreadPoolExecutor(1, "sender") as sender:
        performance = sender.submit(player.run, frame_count)
        try:
            while not wait([performance], WATCH_SECONDS).done:
                for look in watch:
                    look()
        finally:
            player.stop()
    performance.result()


@contextmanager
def _fine_timer() -> Iterator[None]:
    """On Windows, end sleeps and waits within a millisecond or two: by default they end at a tick of 15.6 ms.

    Python 3.11 and later need it for waits only. https://learn.microsoft.com/windows/win32/api/timeapi
    """
    if sys.platform != "win32":
        yield
        return
    winmm = ctypes.WinDLL("winmm")
    winmm.timeBeginPeriod(1)
    try:
        yield
    finally:
        winmm.timeEndPeriod(1)


@contextmanager
def ending_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at each signal that would end the program, until the context is left; for the main thread only.

    It is to hold until the ports are closed and the recording is saved: a second Ctrl-C must not cut that short.
    """
    numbers = [getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in numbers}
    for number, handler in previous.items():
        is_nohup = signal.Signals(number).name == "SIGHUP" and handler == signal.SIG_IGN
        if not is_nohup:
            signal.signal(number, lambda *_: stop())
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not installed by Python
