"""The command at a terminal of the tests': what it shows, what keys do, and how it leaves the terminal behind."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mido
import pytest

pty, fcntl, termios = (pytest.importorskip(name, reason="POSIX's terminals") for name in ("pty", "fcntl", "termios"))
pytestmark = pytest.mark.jack

MAIN = "from cgrnn_live.cli import main; main()"
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
NOTE_ON = 0x90


class Terminal:
    """A terminal with the command in it; what it shows is read as it comes."""

    def __init__(self, line: list[str], variables: dict[str, str], folder: Path) -> None:
        self._ours, self.side = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(self.side)
        own = [sys.executable, "-c", OWN_TERMINAL, *line]
        self.process = subprocess.Popen(
            own, stdin=self.side, stdout=self.side, stderr=self.side, cwd=folder, env=variables, start_new_session=True
        )
        self.shown = b""
        self._seen = 0
        self._is_over = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def wait_for(self, pattern: str, seconds: float = 20.0) -> str:
        """Wait until what was shown since the last such wait has the pattern."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern.encode(), shown := self.shown[self._seen :])) is None:
            assert time.monotonic() < deadline, f"{pattern} is not shown: ...{shown[-500:]!r}"
            time.sleep(0.01)
        self._seen += found.end()
        return found[0].decode()

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._is_over = True
        os.write(self.side, b".")  # wakes the reader
        self._reader.join()
        os.close(self._ours)
        os.close(self.side)

    def _read(self) -> None:
        while not self._is_over:
            self.shown += os.read(self._ours, 65_536)


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(jack: str, bundle: Path, tmp_path: Path) -> Iterator[Open]:
    """Open a terminal with the command, playing into "daw" with the tiny bundle; or with a ``shell`` that runs it."""
    opened: list[Terminal] = []

    def run(*arguments: str, shell: str = "", preamble: str = "", **more: str) -> Terminal:
        line = [sys.executable, "-c", preamble + MAIN, "--model", str(bundle), "--port", "daw", "--api", "jack"]
        line += arguments
        if shell:
            line = [shell, "--norc", "--noediting", "-i"]
            more["PLAY"] = f"{sys.executable} -c '{MAIN}' --model {bundle} --port daw --api jack"
        variables = {**os.environ, "JACK_DEFAULT_SERVER": jack, "TERM": "xterm-256color", **more}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            if name not in more:
                variables.pop(name, None)
        opened.append(Terminal(line, variables, tmp_path))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def test_keys_choose_the_mode_and_q_ends_it(ear: Any, terminal: Open, tmp_path: Path) -> None:
    on = terminal("--seed", "3", "--record", "take.mid")
    on.wait_for("(?s)(▀|▄|█).*free: plays  frame \\d+.*q quit")
    assert termios.tcgetattr(on.side) != on.before
    on.type(b"c")
    on.wait_for("continue: plays")
    on.type(b"t")
    on.wait_for("continue: listens")
    on.type(b"\x1b[A0xa")
    on.wait_for("accompany: listens")
    on.type(b"s3kf")
    on.wait_for("free: plays")
    on.type(b"q")
    assert on.end() == 0
    assert termios.tcgetattr(on.side) == on.before
    player = mido.MidiFile(tmp_path / "take.mid").tracks[-1]
    assert [message.bytes() for message in player if not message.is_meta] == [
        [0xC0, 1],
        [0xB0, 31, 127],
        [0xC0, 2],
        [0xB0, 27, 3],
        [0xB0, 29, 127],
        [0xC0, 0],
    ]


def test_the_turn_is_handed_back_by_enter(ear: Any, terminal: Open) -> None:
    on = terminal("--mode", "continue")
    on.wait_for("continue: listens")
    on.type(b"\r")
    on.wait_for("continue: plays")
    ear.wait_for(NOTE_ON, 1)
    on.type(b"q")
    assert on.end() == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_signal_leaves_the_terminal_as_it_was(ear: Any, terminal: Open, name: str) -> None:
    heeding = f"import signal; signal.signal(signal.{name}, signal.default_int_handler)\n"
    on = terminal(preamble=heeding)
    on.wait_for("free: plays  frame [1-9]")
    assert termios.tcgetattr(on.side) != on.before
    on.process.send_signal(getattr(signal, name))
    assert on.end() == 0
    assert termios.tcgetattr(on.side) == on.before
    on.wait_for("\x1b\\[\\?25h")  # the cursor is there again


CRASHING = """
import cgrnn_live.view

class Crashing(cgrnn_live.view.View):
    def lines(self):
        raise ArithmeticError("injected")

cgrnn_live.view.View = Crashing
"""


def test_a_fault_of_ours_leaves_the_terminal_as_it_was(ear: Any, terminal: Open) -> None:
    on = terminal(preamble=CRASHING)
    on.wait_for("a fault of ours: ArithmeticError: injected")
    assert on.end() == 1
    assert termios.tcgetattr(on.side) == on.before


def test_it_is_drawn_anew_where_the_terminal_changes_its_size(ear: Any, terminal: Open) -> None:
    on = terminal()
    on.wait_for("C4 ")
    on.resize(11, 60)
    on.wait_for("\x1b\\[2J")
    on.wait_for("free: plays  frame \\d+  notes \\d+  [+-]\\d")  # the one line
    on.resize(40, 120)
    on.wait_for("\x1b\\[2J")
    assert on.wait_for("(?s:.)*?q quit").count("\n") == 30 + 3 - 1
    on.type(b"q")
    assert on.end() == 0


def test_without_colours_none_are_sent(ear: Any, terminal: Open) -> None:
    on = terminal(NO_COLOR="1")
    on.wait_for("C4 ")
    shown = on.wait_for("(?s:.)*?frame [5-9]")
    assert not re.search("\x1b\\[[0-9;]*[34][0-9]", shown)
    on.type(b"q")
    assert on.end() == 0


def test_with_json_nothing_is_shown_and_no_key_is_read(ear: Any, terminal: Open) -> None:
    on = terminal("--json", "--duration", "2")
    on.wait_for("Playing into")
    ear.wait_for(NOTE_ON, 1)
    assert termios.tcgetattr(on.side) == on.before
    on.type(b"q")
    assert on.end() == 0
    assert '"frames": 8' in on.wait_for('"frames": \\d+')
    assert b"\x1b" not in on.shown


@pytest.fixture
def shell() -> str:
    """A shell with jobs."""
    if (found := shutil.which("bash")) is None:
        pytest.skip("bash is not installed")
    return found


def test_after_a_pause_it_reads_keys_again(ear: Any, terminal: Open, shell: str) -> None:
    on = terminal(shell=shell)
    on.type(b'eval "$PLAY"\n')
    on.wait_for("free: plays  frame [1-9]")
    on.type(b"\x1a")
    on.wait_for("Stopped")
    on.type(b"fg\n")
    on.wait_for("free: plays  frame [1-9]")
    on.type(b"c")
    on.wait_for("continue: plays")
    on.type(b"q")
    on.wait_for("\x1b\\[\\?25h")  # it reads no more
    on.type(b"echo ended $?\n")
    on.wait_for("ended 0")


def test_in_the_background_it_plays_on_and_leaves_the_keys_to_the_shell(ear: Any, terminal: Open, shell: str) -> None:
    on = terminal(shell=shell)
    on.type(b'eval "$PLAY &"\n')
    ear.wait_for(NOTE_ON, 5)
    on.type(b"echo typed $((6 * 7))\n")
    on.wait_for("typed 42")
    ear.wait_for(NOTE_ON, len(ear.of_kind(NOTE_ON)) + 5)  # not stopped by the terminal
    on.type(b"kill %1; wait %1; echo ended $?\n")
    on.wait_for("ended 0")
