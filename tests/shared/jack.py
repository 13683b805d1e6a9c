"""A JACK server of the tests' own, with the dummy driver: it has no sound, and keeps time."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest


class JackServer:
    """A server that can be started, killed and started again under its name, for JACK_DEFAULT_SERVER."""

    def __init__(self, name: str, rate: int = 48_000) -> None:
        if shutil.which("jackd") is None:
            pytest.skip("jackd is not installed")
        self.name = name
        self._line = ["jackd", "-r", "-n", name, "-d", "dummy", "-r", str(rate), "-p", "256"]
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that is to find this server, and start none."""
        return {**os.environ, "JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}

    def start(self) -> None:
        process = self._process = subprocess.Popen(self._line, stdout=subprocess.DEVNULL, stderr=self._said)
        deadline = time.monotonic() + 10
        while self._list().returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip("jackd does not start here")
            time.sleep(0.1)

    def ports(self) -> list[str]:
        """The names of all ports."""
        return self._list().stdout.splitlines()

    def wait_for(self, is_there: Callable[[list[str]], bool], seconds: float = 20.0) -> None:
        """Wait until the ports are as they should."""
        deadline = time.monotonic() + seconds
        while not is_there(ports := self.ports()):
            assert time.monotonic() < deadline, f"the ports are {ports}"
            time.sleep(0.05)

    @property
    def xruns(self) -> int:
        """How often it has said that a client was late; messages of that period are lost or come twice, no others."""
        said = os.pread(self._said.fileno(), os.fstat(self._said.fileno()).st_size, 0)
        return said.count(b"was not finished")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._said.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _list(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["jack_lsp"], env=self.variables, capture_output=True, text=True)


@contextmanager
def jack_server(name: str, rate: int = 48_000) -> Iterator[JackServer]:
    """A server that runs, and ends with the context."""
    server = JackServer(f"cgrnn-live-tests-{os.getpid()}{name}", rate)
    try:
        server.start()
        yield server
    finally:
        server.close()


def while_none_is_late(server: JackServer, play: Callable[[], None], tries: int = 4) -> None:
    """Call ``play``, and again if it failed while the server lost messages."""
    for _ in range(tries):
        late = server.xruns
        try:
            play()
        except AssertionError:
            if server.xruns == late:
                raise
        else:
            return
    pytest.skip(f"the JACK server was late in each of {tries} runs")
