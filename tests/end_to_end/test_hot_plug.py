"""Ports that go away while the instrument plays, and come back; and the JACK server itself."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mido
import pytest

from hands import finish
from jack import JackServer, jack_server, while_none_is_late

pytestmark = pytest.mark.jack

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
MAIN = "from cgrnn_live.cli import main; main()"

Plug = Callable[[], Any]
"""Opens a port of another program."""

GONE = "The MIDI {} {!r} has gone; waiting for it, Ctrl-C ends it.\n"
BACK = "The MIDI {} {!r} is back.\n"


def wait_until(is_so: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def try_again(jackd: JackServer) -> Callable[[Callable[[], None]], None]:
    """Call a performance, and again if it failed while the server lost messages."""
    return lambda play: while_none_is_late(jackd, play)


def test_an_output_that_goes_is_waited_for_and_played_into_again(ears: Plug, start: Any, try_again: Any) -> None:
    def play() -> None:
        process = None
        with closing(ears()) as ear:
            process = start("--port", "daw track", "--seed", 3, "--json")
            assert "Playing into" in process.stderr.readline()
            ear.wait_for(NOTE_ON, 4)
            wait_until(ear.sounding)
            before = ear.sounding()
        assert process.stderr.readline() == GONE.format("output", "daw:track")
        time.sleep(0.6)  # it plays on into nothing
        with closing(ears()) as ear:
            assert process.stderr.readline() == BACK.format("output", "daw:track")
            ear.wait_for(NOTE_ON, 6)
            process.send_signal(signal.SIGTERM)
            code, out, err = finish(process)
            time.sleep(0.1)
            heard = [message for _, message in ear.messages]
            first = heard[: next(n for n, message in enumerate(heard) if message[0] == NOTE_ON)]
            assert before <= {message[1] for message in first if message[0] == NOTE_OFF}
            assert [message for message in first if message[0] == CONTROL] == [(CONTROL, 64, 0), (CONTROL, 123, 0)]
            assert not ear.sounding()
        assert (code, err) == (0, "")
        assert json.loads(out)["reconnections"] == 1

    try_again(play)


def test_a_keyboard_pulled_with_a_key_down_leaves_no_key_behind(
    ears: Plug, keyboards: Plug, start: Any, try_again: Any, tmp_path: Path
) -> None:
    """In "continue" a key that hung would be held for ever, and the model never begin."""
    line = ["--port", "daw", "--input", "keyboard keys", "--mode", "continue", "--record", "take.mid", "--json"]

    def play() -> None:
        with closing(ears()) as ear:
            with closing(keyboards()) as keyboard:
                process = start(*line, "--seed", 3)
                assert "Playing into" in process.stderr.readline()
                assert "Listening to 'keyboard:keys'" in process.stderr.readline()
                time.sleep(0.3)
                keyboard.send(NOTE_ON, 60, 90)
                time.sleep(0.3)
            assert process.stderr.readline() == GONE.format("input", "keyboard:keys")
            ear.wait_for(NOTE_ON, 3)
            with closing(keyboards()) as keyboard:
                assert process.stderr.readline() == BACK.format("input", "keyboard:keys")
                wait_until(ear.sounding)
                keyboard.send(NOTE_ON, 72, 90)  # it is heard again: the model yields
                wait_until(lambda: not ear.sounding())
                began = len(ear.of_kind(NOTE_ON))
                time.sleep(0.6)
                assert len(ear.of_kind(NOTE_ON)) == began
            assert process.stderr.readline() == GONE.format("input", "keyboard:keys")
            process.send_signal(signal.SIGINT)
            code, out, err = finish(process)
            time.sleep(0.1)
            assert not ear.sounding()
        assert (code, err) == (0, "The MIDI input 'keyboard:keys' has not come back.\nSaved take.mid, seed 3.\n")
        assert json.loads(out)["reconnections"] == 1
        track = next(track for track in mido.MidiFile(tmp_path / "take.mid").tracks if track.name == "Player")
        for kind in ("note_on", "note_off"):
            assert [message.note for message in track if message.type == kind] == [60, 72]

    try_again(play)


def test_both_may_go_and_come_back_in_any_order(ears: Plug, keyboards: Plug, start: Any, try_again: Any) -> None:
    def play() -> None:
        with closing(keyboards()) as keyboard:
            with closing(ears()) as ear:
                line = ["--port", "daw", "--input", "keyboard", "--mode", "accompany", "--seed", 3, "--json"]
                process = start(*line)
                assert "Playing into" in process.stderr.readline()
                assert "Listening to" in process.stderr.readline()
                time.sleep(0.3)
                keyboard.send(NOTE_ON, 60, 90)
                ear.wait_for(NOTE_ON, 3)
            assert process.stderr.readline() == GONE.format("output", "daw:track")
        assert process.stderr.readline() == GONE.format("input", "keyboard:keys")
        with closing(ears()) as ear:
            assert process.stderr.readline() == BACK.format("output", "daw:track")
            with closing(keyboards()):
                assert process.stderr.readline() == BACK.format("input", "keyboard:keys")
                ear.wait_for(NOTE_ON, 3)
                process.send_signal(signal.SIGTERM)
                code, out, err = finish(process)
                time.sleep(0.1)
                assert not ear.sounding()
        assert (code, err) == (0, "")
        assert json.loads(out)["reconnections"] == 2

    try_again(play)


def test_an_output_that_does_not_come_back_ends_with_the_duration(ears: Plug, start: Any) -> None:
    with closing(ears()) as ear:
        process = start("--port", "daw", "--seed", 3, "--duration", 3, "--json")
        ear.wait_for(NOTE_ON, 1)
    code, out, err = finish(process)
    assert code == 0
    assert err.endswith(GONE.format("output", "daw:track") + "The MIDI output 'daw:track' has not come back.\n")
    summary = json.loads(out)
    assert (summary["frames"] + summary["dropped"], summary["reconnections"]) == (12, 0)


EAR = """
import sys
sys.path[:0] = {paths!r}
import time
from conftest import Ear
ear = Ear("daw", "track")
print("ready", flush=True)
sys.stdin.read()
print(len(ear.of_kind(0x90)), sorted(ear.sounding()))
"""
"""In a process of its own: libjack takes all clients of a dead server's from the process that opens a new one."""


@pytest.fixture
def server() -> Iterator[JackServer]:
    with jack_server("-hot-plug") as server:
        yield server


@pytest.fixture
def listen() -> Iterator[Callable[[JackServer], "subprocess.Popen[str]"]]:
    """Start another program with the port "daw:track"; the end of its input ends it."""
    started: list[subprocess.Popen[str]] = []

    def run(server: JackServer) -> "subprocess.Popen[str]":
        paths = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "shared")]
        pipe = subprocess.PIPE
        line = [sys.executable, "-c", EAR.format(paths=paths)]
        process = subprocess.Popen(
            line, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=server.variables
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def jam(bundle: Path, tmp_path: Path) -> Iterator[Callable[[JackServer], "subprocess.Popen[str]"]]:
    """Start `cgrnn-live` into "daw:track" on a server, and wait until it plays."""
    started: list[subprocess.Popen[str]] = []

    def run(server: JackServer) -> "subprocess.Popen[str]":
        line = [
            "--model",
            str(bundle),
            "--api",
            "jack",
            "--port",
            "daw",
            "--seed",
            "3",
            "--record",
            "take.mid",
            "--json",
        ]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *line], stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=server.variables
        )
        started.append(process)
        assert process.stderr is not None
        assert "Playing into" in process.stderr.readline()
        time.sleep(1)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_jack_server_that_ends_is_waited_for_with_all_its_ports(
    how: str, server: JackServer, listen: Any, jam: Any
) -> None:
    def play() -> None:
        first = listen(server)
        process = jam(server)
        getattr(server, how)()
        first.kill()
        assert process.stderr.readline() == "The JACK server has gone; waiting for it, Ctrl-C ends it.\n"
        time.sleep(2.5)  # two attempts, at least
        server.start()
        assert process.stderr.readline() == "The JACK server is back.\n"
        server.wait_for(lambda ports: any(port.startswith("cgrnn-live in") for port in ports))
        second = listen(server)
        assert process.stderr.readline() == BACK.format("output", "daw:track")
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        code, out, err = finish(process)
        assert (code, err) == (0, "Saved take.mid, seed 3.\n")
        assert json.loads(out)["reconnections"] == 1
        count, sounding = second.communicate("", timeout=20)[0].split(maxsplit=1)
        assert int(count) > 3
        assert sounding.strip() == "[]"

    while_none_is_late(server, play)


def test_waiting_for_a_jack_server_ends_with_a_signal(
    server: JackServer, listen: Any, jam: Any, tmp_path: Path
) -> None:
    listen(server)
    process = jam(server)
    server.kill()
    assert "has gone" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert (code, err) == (0, "The JACK server has not come back.\nSaved take.mid, seed 3.\n")
    model = mido.MidiFile(tmp_path / "take.mid").tracks[1]
    kinds = [message.type for message in model]
    assert kinds.count("note_on") == kinds.count("note_off") > 0
