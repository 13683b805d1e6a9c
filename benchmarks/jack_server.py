"""A JACK server and a port to play into, for the scripts beside this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cgrnn_live.ports import listen, rtmidi

EAR = "cgrnn-bench ear"
"""The name under which `ear` is found."""


@contextmanager
def server() -> Iterator[None]:
    """Use the JACK server that runs, else one of our own with a dummy driver; exits where neither can be had."""
    os.environ["JACK_NO_START_SERVER"] = "1"
    if _answers():
        yield
        return
    with own_server():
        yield


@contextmanager
def own_server(period: int = 256, said: int = subprocess.DEVNULL) -> Iterator[None]:
    """Use a JACK server of our own with a dummy driver, whose complaints go to the file ``said``."""
    if shutil.which("jackd") is None:
        sys.exit("jackd is not installed: on Debian and Ubuntu, `apt install jackd2`.")
    os.environ["JACK_NO_START_SERVER"] = "1"
    name = os.environ["JACK_DEFAULT_SERVER"] = f"cgrnn-bench-{os.getpid()}"
    line = ["jackd", "-r", "-n", name, "-d", "dummy", "-r", "48000", "-p", str(period)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=said)
    try:
        deadline = time.monotonic() + 10
        while not _answers():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("jackd does not start here")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ear() -> Iterator[None]:
    """A virtual MIDI input of this process, `EAR` to all others."""
    port: Any = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name="cgrnn-bench")
    port.open_virtual_port("ear")
    deafen = listen(port, lambda message: None)  # else its queue fills up
    try:
        yield
    finally:
        deafen()
        port.close_port()
        port.delete()


def _answers() -> bool:
    return shutil.which("jack_lsp") is not None and subprocess.run(["jack_lsp"], capture_output=True).returncode == 0
