"""Sound through PortAudio into a JACK server, heard by another process there.

Each is a client that the server may call too late on a busy machine: an xrun, of which the server tells every client.
A cycle of 256 samples is then heard as silence or not at all; where there was none, what is heard is the offline
render, sample for sample.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cgrnn_bundle.bundle import save
from jack import JackServer, jack_server
from small_bundles import sound_bundle

pytestmark = pytest.mark.jack

MAIN = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run under nohup ignores SIGHUP, and so would what it starts
from cgrnn_live.cli import main
main()
"""
PERIOD = 256
OURS = "cgrnn-live:out_0"

RECORDER = """
import sys
import numpy as np
import sounddevice

rate, path = int(sys.argv[1]), sys.argv[2]
heard, length, xruns = np.zeros(60 * rate, np.float32), 0, 0

def listen(block, count, time, status):
    global length, xruns
    xruns += bool(status)
    heard[length : length + count] = block[:, 0]
    length += count

with sounddevice.InputStream(device="system", channels=1, samplerate=rate, dtype="float32", callback=listen):
    print("ready", flush=True)
    sys.stdin.read()
np.save(path, heard[:length])
print(xruns)
"""

Play = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with the paper's frames, of a prediction's residuals, whose sound is never twice the same."""
    path = tmp_path_factory.mktemp("bundles") / "tiny-sound"
    save(sound_bundle(visible=150, hidden=12, state=8, sample_rate=11_025, std=0.2, order=8, level=0.2), path)
    return path


@pytest.fixture
def server() -> Iterator[JackServer]:
    with jack_server("-sound") as server:
        yield server


@pytest.fixture
def play(model: Path, tmp_path: Path) -> Iterator[Play]:
    """Start `cgrnn-live audio` with the small model on a server."""
    started: list[subprocess.Popen[str]] = []

    def run(server: JackServer, *arguments: object) -> "subprocess.Popen[str]":
        line = [sys.executable, "-c", MAIN, "audio", "--model", str(model), *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=server.variables)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for_sound(server: JackServer, process: "subprocess.Popen[str]") -> None:
    """Wait until it says that it plays and its port is there."""
    assert process.stderr is not None
    assert "Playing on 'system'" in process.stderr.readline()
    server.wait_for(lambda ports: OURS in ports)


def finish(process: "subprocess.Popen[str]", seconds: float = 40) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err
    return process.returncode, out, err


class Recorder:
    """Another program with one input, which is a device to PortAudio: `name`."""

    def __init__(self, server: JackServer, rate: int, path: Path) -> None:
        self._path = path
        pipe = subprocess.PIPE
        line = [sys.executable, "-c", RECORDER, str(rate), str(path)]
        self._process = subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True, env=server.variables)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self.name = next(port for port in server.ports() if port.endswith(":in_0")).partition(":")[0]

    def end(self) -> tuple[np.ndarray, int]:
        """Return what it heard and how many xruns it was told of."""
        out, _ = self._process.communicate(timeout=20)
        return np.load(self._path), int(out)


def gaps(heard: np.ndarray, rendered: np.ndarray) -> tuple[int, int]:
    """Return how often ``heard`` departs from ``rendered``, period by period, and how many periods of it it holds."""
    numbers = {rendered[start : start + PERIOD].tobytes(): start for start in range(0, len(rendered), PERIOD)}
    found = [numbers.get(heard[start : start + PERIOD].tobytes()) for start in range(0, len(heard), PERIOD)]
    places = [index for index, number in enumerate(found) if number is not None]
    held = found[places[0] : places[-1] + 1]
    steps = zip(held, held[1:], strict=False)
    return sum(a is None or b is None or b != a + PERIOD for a, b in steps), len(places)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_what_a_device_is_given_is_the_render_sample_for_sample(
    rate: int, play: Play, model: Path, tmp_path: Path
) -> None:
    with jack_server(f"-sound-{rate}", rate) as server:
        recorder = Recorder(server, rate, tmp_path / "heard.npy")
        process = play(server, "--device", recorder.name, "--seed", 3, "--duration", 3, "--json")
        server.wait_for(lambda ports: OURS in ports)
        code, out, err = finish(process)
        heard, xruns = recorder.end()
        code_of_render, *_ = finish(
            play(server, "--render", "out.wav", "--rate", rate, "--seed", 3, "--duration", 3, "--json")
        )
    summary = json.loads(out)
    rendered, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert (code, code_of_render) == (0, 0)
    assert err == f"Playing on {recorder.name!r} with seed 3; Ctrl-C ends it.\n"
    assert (summary["sample_rate"], summary["seconds"], summary["underruns"]) == (rate, 3.0, 0)
    assert (summary["frames"], summary["model"], summary["device"]) == (221, str(model), recorder.name)

    all_xruns = xruns + summary["device_underflows"]
    departures, periods = gaps(heard, rendered)
    assert departures <= 2 * all_xruns  # a period that is not heard departs twice: before it, and after it
    assert periods >= 0.7 * len(rendered) / PERIOD
    if all_xruns == 0:
        begin = int(np.flatnonzero(heard)[0] - np.flatnonzero(rendered)[0])
        assert np.array_equal(heard[begin : begin + len(rendered)], rendered)
    begin = int(np.flatnonzero(heard)[-1])
    assert np.abs(heard[begin - 20 : begin + 1]).max() < 0.1 * np.abs(rendered).max(), "the end clicks"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_cleanly(server: JackServer, play: Play, name: str) -> None:
    process = play(server, "--seed", 3, "--json")
    wait_for_sound(server, process)
    time.sleep(0.5)
    process.send_signal(getattr(signal, name))
    code, out, _ = finish(process, 10)
    assert (code, json.loads(out)["device"]) == (0, "system")
    assert OURS not in server.ports()


def test_when_it_is_killed_the_sound_ends_too(server: JackServer, play: Play) -> None:
    process = play(server)
    wait_for_sound(server, process)
    process.kill()
    server.wait_for(lambda ports: OURS not in ports)


def test_a_device_that_goes_away_is_waited_for_and_the_sound_goes_on(server: JackServer, play: Play) -> None:
    process = play(server, "--device", "system", "--seed", 3, "--json")
    wait_for_sound(server, process)
    assert process.stderr is not None
    time.sleep(1)
    server.kill()
    assert process.stderr.readline() == "The sound device 'system' has gone; waiting for it, Ctrl-C ends it.\n"
    server.start()
    assert process.stderr.readline() == "The sound goes on, on 'system'.\n"
    server.wait_for(lambda ports: OURS in ports)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    assert json.loads(out)["seconds"] > 1.5


def test_a_driver_that_hangs_is_given_up_and_opened_again(server: JackServer, play: Play) -> None:
    process = play(server, "--seed", 3)
    wait_for_sound(server, process)
    assert process.stderr is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGSTOP)  # as good as a driver that does not return
    assert process.stderr.readline() == "The sound device 'system' has gone; waiting for it, Ctrl-C ends it.\n"
    assert process.stderr.readline() == "The sound goes on, on 'system'.\n"
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 0


def test_a_device_that_does_not_come_back_ends_with_the_duration(server: JackServer, play: Play) -> None:
    process = play(server, "--seed", 3, "--duration", 4, "--json")
    wait_for_sound(server, process)
    server.kill()
    code, out, err = finish(process)
    assert (code, err.splitlines()[-1]) == (0, "'system' has not come back.")
    assert json.loads(out)["seconds"] < 4


def test_waiting_for_a_device_ends_with_a_signal(server: JackServer, play: Play) -> None:
    process = play(server, "--seed", 3)
    wait_for_sound(server, process)
    server.kill()
    assert process.stderr is not None
    while "has gone" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    assert finish(process, 10)[0] == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            ["--device", "sistem"],
            "There is no sound device 'sistem'; near it: 'system'; --render FILE.wav",
        ),
        (["--device", "zzz"], "There is no sound device 'zzz'; there are 'system';"),
        (["--rate", "44100"], "The sound device 'system' does not take 44100 samples a second; give --rate 48000;"),
    ],
)
def test_a_device_that_cannot_be_had_is_one_sentence(
    server: JackServer, play: Play, line: list[str], says: str
) -> None:
    code, out, err = finish(play(server, *line))
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_without_a_device_it_says_what_needs_none(play: Play, server: JackServer) -> None:
    server.stop()
    code, out, err = finish(play(server))
    assert (code, out) == (2, "")
    assert err.startswith("cgrnn-live: There is no sound device to play on; connect one")
    assert err.endswith("; --render FILE.wav needs no device.\n")


def test_a_terminal_shows_the_level(server: JackServer, model: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
    ours, theirs = pty.openpty()
    line = [sys.executable, "-c", MAIN, "audio", "--model", str(model), "--duration", "1.5"]
    variables = {**server.variables, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(line, stderr=theirs, stdout=subprocess.PIPE, cwd=tmp_path, env=variables)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # the other side has gone
        pass
    finally:
        os.close(ours)
    assert process.communicate(timeout=20) == (b"", None)
    assert re.search(rb"system  \[#+-*\] +-\d+ dB  [01] s", shown)
