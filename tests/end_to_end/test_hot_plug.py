"""Ports that go away while the instrument plays, and come back; and the JACK server itself."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mido
import pytest

from cgrnn_live.ports import rtmidi
from hands import finish
from jack import JackServer, jack_server

pytestmark = pytest.mark.jack

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
MAIN = "from cgrnn_live.cli import main; main()"

GONE = "The MIDI {} {!r} has gone; waiting for it, Ctrl-C ends it.\n"
BACK = "The MIDI {} {!r} is back.\n"


class Keyboard:
    """The port "keyboard:keys" of another program, to `cgrnn-live` an input."""

    def __init__(self) -> None:
        self._output: Any = rtmidi.MidiOut(rtapi=rtmidi.API_UNIX_JACK, name="keyboard")
        self._output.open_virtual_port("keys")

    def send(self, *message: int) -> None:
        self._output.send_message(message)

    def close(self) -> None:
        """Pull it out; again, nothing."""
        if self._output is not None:
            time.sleep(0.1)  # a JACK port that closes loses what it holds
            self._output.close_port()
            self._output.delete()
            self._output = None


@pytest.fixture
def keyboards(jack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Keyboard]]:
    """Plug a keyboard in, again and again."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", jack)
    plugged: list[Keyboard] = []

    def plug() -> Keyboard:
        plugged.append(Keyboard())
        return plugged[-1]

    yield plug
    for keyboard in plugged:
        keyboard.close()


def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def notes_of(path: Path, name: str) -> tuple[list[int], list[int]]:
    """Return the pitches that began and those that ended on a recording's track, sorted."""
    track = next(track for track in mido.MidiFile(path).tracks if track.name == name)
    ons = [m.note for m in track if m.type == "note_on" and m.velocity]
    offs = [m.note for m in track if m.type == "note_off" or (m.type == "note_on" and not m.velocity)]
    return sorted(ons), sorted(offs)


def test_an_output_that_goes_is_waited_for_and_played_into_again(ear: Any, start: Any) -> None:
    process = start("--port", "daw track", "--seed", 3, "--json")
    assert "Playing into" in process.stderr.readline()
    ear.wait_for(NOTE_ON, 4)
    while not ear.sounding():
        time.sleep(0.01)
    before = ear.sounding()
    ear.close()
    assert process.stderr.readline() == GONE.format("output", "daw:track")
    time.sleep(0.6)  # it plays on into nothing
    again = type(ear)("daw", "track")
    try:
        assert process.stderr.readline() == BACK.format("output", "daw:track")
        again.wait_for(NOTE_ON, 6)
        process.send_signal(signal.SIGTERM)
        code, out, err = finish(process)
        time.sleep(0.1)
        first_on = next(n for n, (_, message) in enumerate(again.messages) if message[0] == NOTE_ON)
        ended = {message[1] for _, message in again.messages[:first_on] if message[0] == NOTE_OFF}
        assert before <= ended, "what sounded when the port went is not ended"
        assert [m for _, m in again.messages[:first_on] if m[0] == CONTROL] == [(CONTROL, 64, 0), (CONTROL, 123, 0)]
        assert not again.sounding()
    finally:
        again.close()
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary["reconnections"] == 1
    assert summary["dropped"] == 0


def test_a_keyboard_pulled_with_a_key_down_leaves_no_key_behind(
    ear: Any, keyboards: Callable[[], Keyboard], start: Any, tmp_path: Path
) -> None:
    """In "continue" a key that hung would be held for ever, and the model never begin."""
    keyboard = keyboards()
    line = ["--port", "daw", "--input", "keyboard keys", "--mode", "continue", "--record", "take.mid", "--json"]
    process = start(*line, "--seed", 3)
    assert "Playing into" in process.stderr.readline()
    assert "Listening to 'keyboard:keys'" in process.stderr.readline()
    time.sleep(0.3)
    keyboard.send(NOTE_ON, 60, 90)
    time.sleep(0.3)
    keyboard.close()
    assert process.stderr.readline() == GONE.format("input", "keyboard:keys")
    ear.wait_for(NOTE_ON, 3)
    keyboard = keyboards()
    assert process.stderr.readline() == BACK.format("input", "keyboard:keys")
    while not ear.sounding():
        time.sleep(0.01)
    time.sleep(0.05)
    keyboard.send(NOTE_ON, 72, 90)  # it is heard again: the model yields
    wait_until(lambda: not ear.sounding())
    began = len(ear.of_kind(NOTE_ON))
    time.sleep(0.6)
    assert len(ear.of_kind(NOTE_ON)) == began
    keyboard.send(NOTE_OFF, 72, 0)
    keyboard.close()
    assert process.stderr.readline() == GONE.format("input", "keyboard:keys")
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, err) == (
        0,
        "The MIDI input 'keyboard:keys' has not come back.\nSaved take.mid, seed 3.\n",
    )
    assert json.loads(out)["reconnections"] == 1
    assert notes_of(tmp_path / "take.mid", "Player") == ([60, 72], [60, 72])
    assert not ear.sounding()


def test_both_may_go_and_come_back_in_any_order(ear: Any, keyboards: Callable[[], Keyboard], start: Any) -> None:
    keyboard = keyboards()
    process = start("--port", "daw", "--input", "keyboard", "--mode", "accompany", "--seed", 3, "--json")
    assert "Playing into" in process.stderr.readline()
    assert "Listening to" in process.stderr.readline()
    time.sleep(0.3)
    keyboard.send(NOTE_ON, 60, 90)
    ear.wait_for(NOTE_ON, 3)
    ear.close()
    assert process.stderr.readline() == GONE.format("output", "daw:track")
    keyboard.close()
    assert process.stderr.readline() == GONE.format("input", "keyboard:keys")
    again = type(ear)("daw", "track")
    try:
        assert process.stderr.readline() == BACK.format("output", "daw:track")
        keyboard = keyboards()
        assert process.stderr.readline() == BACK.format("input", "keyboard:keys")
        again.wait_for(NOTE_ON, 3)
        process.send_signal(signal.SIGTERM)
        code, out, err = finish(process)
        time.sleep(0.1)
        assert not again.sounding()
    finally:
        again.close()
    assert (code, err) == (0, "")
    assert json.loads(out)["reconnections"] == 2


def test_an_output_that_does_not_come_back_ends_with_the_duration(ear: Any, start: Any) -> None:
    process = start("--port", "daw", "--seed", 3, "--duration", 3, "--json")
    ear.wait_for(NOTE_ON, 1)
    ear.close()
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


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_jack_server_that_ends_is_waited_for_with_all_its_ports(
    how: str, server: JackServer, listen: Callable[[JackServer], "subprocess.Popen[str]"], bundle: Path, tmp_path: Path
) -> None:
    first = listen(server)
    arguments = ["--model", str(bundle), "--api", "jack", "--port", "daw", "--seed", "3", "--mode", "continue"]
    arguments += ["--prompt", "phrase.mid", "--json"]
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=960)]))
    file.save(tmp_path / "phrase.mid")
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=pipe,
        stderr=pipe,
        text=True,
        cwd=tmp_path,
        env=server.variables,
    )
    try:
        assert process.stderr is not None
        assert "Playing into" in process.stderr.readline()
        assert "Listening to" in process.stderr.readline()
        time.sleep(1)
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
        assert (code, err) == (0, "")
        assert json.loads(out)["reconnections"] == 1
        heard, _ = second.communicate("", timeout=20)
    finally:
        process.kill()
        process.communicate()
    count, sounding = heard.split(maxsplit=1)
    assert int(count) > 3
    assert sounding.strip() == "[]"


def test_waiting_for_a_jack_server_ends_with_a_signal(
    server: JackServer, listen: Callable[[JackServer], "subprocess.Popen[str]"], bundle: Path, tmp_path: Path
) -> None:
    listen(server)
    line = [
        sys.executable,
        "-c",
        MAIN,
        "--model",
        str(bundle),
        "--api",
        "jack",
        "--port",
        "daw",
        "--record",
        "take.mid",
    ]
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=server.variables
    )
    try:
        assert process.stderr is not None
        assert "Playing into" in process.stderr.readline()
        time.sleep(1)
        server.kill()
        assert "has gone" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
    finally:
        process.kill()
        process.communicate()
    assert code == 0
    assert "Traceback" not in err
    assert err.startswith("The JACK server has not come back.\n")
    assert notes_of(tmp_path / "take.mid", "CGRNN")[0]
