"""What a person does beside a running command, where ports are real: play, wait for its end, read its recording."""

import itertools
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import mido

from cgrnn_live.ports import rtmidi


def output_into(port: str) -> Any:
    """An output that is connected to the JACK port whose name begins so; `delete` it."""
    out: Any = rtmidi.MidiOut(rtapi=rtmidi.API_UNIX_JACK, name="hand")
    for _ in range(10):
        with suppress(rtmidi.InvalidPortError):  # a port of another program went meanwhile
            out.open_port(next(index for index, name in enumerate(out.get_ports()) if name.startswith(port)))
            break
    return out


@contextmanager
def sending(port: str, messages: Iterator[tuple[float, tuple[int, ...]]]) -> Iterator[None]:
    """Send (pause in seconds, message) into a port, from a thread of this process."""
    out = output_into(port)
    is_over = threading.Event()

    def send() -> None:
        for pause, message in messages:
            if is_over.wait(pause):
                return
            out.send_message(message)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        time.sleep(0.1)  # a JACK port that closes loses what it holds
        out.close_port()
        out.delete()


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for the end: exit code, standard output, standard error."""
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def begins(track: mido.MidiTrack) -> list[int]:
    """Return the tick of each note-on."""
    ticks = itertools.accumulate(message.time for message in track)
    return [tick for tick, message in zip(ticks, track, strict=True) if message.type == "note_on"]
