"""The command as a person runs it: in its own process, on a JACK server of the tests', with a tiny real bundle."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from cgrnn_bundle.bundle import Bundle, Manifest, Probe, Sizes, Training, save
from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.layout import tensors_of
from cgrnn_bundle.probe import record_probe
from cgrnn_live.ports import listen, rtmidi
from jack import JackServer, jack_server
from small_bundles import open_transition, value_infos

MAIN = "from cgrnn_live.cli import main; main()"
SIZES = Sizes(hidden=8, state=6)
SILENT_SERVER = "cgrnn-live-tests-none"
NOTE_OFF, NOTE_ON = 0x80, 0x90

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def _transition() -> bytes:
    """Return u' = tanh([v, h∘s, u] A), b_v = u' B - 3.4, b_h = u' C: a few notes a frame, changing."""
    rng = np.random.default_rng(1)
    tensors = tensors_of("binary", SIZES, probe_steps=3)
    weights = {
        "A": 0.4 * rng.standard_normal((SIZES.visible + SIZES.hidden + SIZES.state, SIZES.state)),
        "B": 0.5 * rng.standard_normal((SIZES.state, SIZES.visible)),
        "C": rng.standard_normal((SIZES.state, SIZES.hidden)),
        "d": np.full((1, SIZES.visible), -3.4),
    }

    graph = helper.make_graph(
        [
            helper.make_node("Concat", ["frame", "spike_slab", "state"], ["x"], axis=1),
            helper.make_node("MatMul", ["x", "A"], ["y"]),
            helper.make_node("Tanh", ["y"], ["next_state"]),
            helper.make_node("MatMul", ["next_state", "B"], ["z"]),
            helper.make_node("Add", ["z", "d"], ["visible_bias"]),
            helper.make_node("MatMul", ["next_state", "C"], ["hidden_bias"]),
        ],
        "step",
        value_infos(tensors.inputs),
        value_infos(tensors.outputs),
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a real transition and random weights, on disk."""
    transition = _transition()
    rng = np.random.default_rng(2)
    manifest = Manifest(
        name="tiny",
        frame=FrameSpec(0.25, "half"),
        sizes=SIZES,
        feed="full",
        spike_slab_feed="sampled",
        low=0,
        high=127,
        training=Training("nothing", "CC0-1.0", "none", 0, "2026-11-22", "0.1.0"),
        probe=Probe(seed=1),
    )
    arrays = {
        "weight": (0.2 * rng.standard_normal((SIZES.visible, SIZES.hidden))).astype(np.float32),
        "slab_precision": np.ones(SIZES.hidden, np.float32),
        "slab_mean": np.zeros(SIZES.hidden, np.float32),
        "initial_state": np.zeros(SIZES.state, np.float32),
        "initial_visible_bias": np.full(SIZES.visible, -3.4, np.float32),
        "initial_hidden_bias": np.zeros(SIZES.hidden, np.float32),
    }
    arrays |= record_probe(open_transition(transition), arrays["initial_state"], "binary", SIZES, manifest.probe)
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    save(Bundle(manifest, transition, arrays), path)
    return path


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `cgrnn-live` in an empty folder, after a preamble of Python; it finds no JACK server by itself."""

    def run(*arguments: object, preamble: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {**os.environ, "JACK_DEFAULT_SERVER": SILENT_SERVER, **environment}
        line = [sys.executable, "-c", preamble + MAIN, *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=variables)

    return run


@pytest.fixture(scope="session")
def jackd() -> Iterator[JackServer]:
    """A JACK server of our own with a dummy driver."""
    with jack_server("") as server:
        yield server


@pytest.fixture(scope="session")
def jack(jackd: JackServer) -> str:
    """The name of that server, for JACK_DEFAULT_SERVER."""
    return jackd.name


@pytest.fixture
def start(jack: str, bundle: Path, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `cgrnn-live` on the server with the tiny bundle, after a preamble of Python."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, preamble: str = "") -> "subprocess.Popen[str]":
        line = [sys.executable, "-c", preamble + MAIN, "--model", str(bundle), "--api", "jack", *map(str, arguments)]
        variables = {**os.environ, "JACK_DEFAULT_SERVER": jack}
        pipe = subprocess.PIPE
        process = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=variables)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


class Ear:
    """A virtual MIDI input in this process, to `cgrnn-live` another program's: all that arrives, with its time."""

    def __init__(self, client: str, port: str) -> None:
        self.messages: list[tuple[float, tuple[int, ...]]] = []
        self._input: Any = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name=client)
        self._input.open_virtual_port(port)
        self._deafen = listen(self._input, lambda message: self.messages.append((time.monotonic(), message)))

    def hear_clocks(self) -> None:
        """Take in MIDI clocks too, from now on."""
        self._input.ignore_types(timing=False)

    def of_kind(self, kind: int, channel: int = 0) -> list[int]:
        """Return the first data byte of each message of this status."""
        return [message[1] for _, message in list(self.messages) if message[0] == kind | channel]

    def wait_for(self, kind: int, count: int, seconds: float = 20.0) -> None:
        """Wait until ``count`` messages of this status have arrived."""
        deadline = time.monotonic() + seconds
        while len(self.of_kind(kind)) < count:
            assert time.monotonic() < deadline, f"{count} messages of status {kind:#x} did not arrive: {self.messages}"
            time.sleep(0.01)

    def sounding(self) -> set[int]:
        """Return the pitches with a note-on and no note-off after it."""
        held: set[int] = set()
        for _, message in list(self.messages):
            if message[0] == NOTE_ON:
                held.add(message[1])
            elif message[0] == NOTE_OFF:
                held.discard(message[1])
        return held

    def close(self) -> None:
        """Take the port away; again, nothing."""
        if self._input is not None:
            self._deafen()
            self._input.close_port()
            self._input.delete()
            self._input = None


@pytest.fixture
def ear(jack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """The port "daw:track" of another program."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", jack)
    ear = Ear("daw", "track")
    yield ear
    ear.close()


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


Plug = Callable[[], Any]


@pytest.fixture
def keyboards(jack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    """Plug a keyboard in, again and again."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", jack)
    with _plugging(Keyboard) as plug:
        yield plug


@pytest.fixture
def ears(jack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    """Open the port "daw:track" of another program, again and again."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", jack)
    with _plugging(lambda: Ear("daw", "track")) as plug:
        yield plug


@contextmanager
def _plugging(make: Plug) -> Iterator[Plug]:
    with ExitStack() as plugged:
        yield lambda: plugged.enter_context(closing(make()))
