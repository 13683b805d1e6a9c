"""A real DAW: Ardour records what is played on its own MIDI clock, without a window, on a JACK server of the tests'."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mido
import numpy as np
import pytest

from jack import JackServer, jack_server

pytestmark = pytest.mark.jack

MAIN = "from cgrnn_live.cli import main; main()"
SCRIPT = Path(__file__).with_name("record_in_ardour.lua")
BPM = 97
SECONDS = 62
PERIOD_MS = 256 / 48
OFFSET_MS = 5.5
"""Without it notes lie 8 to 14 ms before the grid after Start, two of JACK's periods, and 3 before it to 3 behind it
after Continue: Ardour's clock and its recording are two periods apart in one case and not in the other."""


class NoPortsError(Exception):
    """Ardour has a session and a track, and no port: so it is in about one start of ten on JACK's dummy server."""


@contextmanager
def ardour(folder: Path) -> Iterator["tuple[subprocess.Popen[bytes], dict[str, str]]"]:
    """Ardour with a track "jam", ready to record, and the environment that finds its JACK server."""
    with jack_server(f"-ardour-{folder.name}") as server:
        told = {"HOME": str(folder), "TAKE_FOLDER": str(folder), "TAKE_SECONDS": str(SECONDS)}
        environment = {**server.variables, **told}
        with (folder / "ardour.log").open("w") as log:
            process = subprocess.Popen(
                ["xvfb-run", "-a", "ardour7-lua", str(SCRIPT)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_for(folder / "ready", 60, process)
            if not _comes(server, "ardour:jam/midi_in 1"):
                raise NoPortsError
            yield process, environment
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # xvfb-run's children too
            process.wait()


def _comes(server: JackServer, port: str) -> bool:
    deadline = time.monotonic() + 5
    while port not in (ports := server.ports()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return port in ports


def _wait_for(file: Path, seconds: float, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        log = (file.parent / "ardour.log").read_text(errors="replace")
        assert process.poll() is None, f"Ardour ended: {log}"
        assert time.monotonic() < deadline, f"Ardour did not say {file.name}: {log}"
        time.sleep(0.1)


def onsets(take: Path) -> np.ndarray:
    """The beats at which notes begin in a take, from its beginning."""
    file = mido.MidiFile(take)
    beats = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                beats.append(now / file.ticks_per_beat)
    return np.array(beats)


def record(folder: Path) -> list[float]:
    """Record in Ardour; how far from the eighths each onset of both takes lies, in ms."""
    with ardour(folder) as (process, environment):
        line = [sys.executable, "-c", MAIN, "--port", "ardour jam midi_in", "--input", "ardour MIDI Clock out"]
        line += ["--sync", "midi", "--offset", str(OFFSET_MS), "--duration", str(SECONDS + 20)]
        line += ["--api", "jack", "--seed", "3", "--json"]
        pipe = subprocess.PIPE
        with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=environment) as player:
            try:
                assert player.stderr is not None
                says = player.stderr.readline()
                assert "Playing into" in says, says
                (folder / "go").touch()
                _wait_for(folder / "done", SECONDS + 60, process)
                out, err = player.communicate(timeout=60)
            finally:
                player.kill()
    assert (player.returncode, "Traceback" in err) == (0, False)
    eighths = BPM / 30
    assert json.loads(out)["frames"] == pytest.approx((SECONDS + 10) * eighths, abs=4)
    takes = sorted(folder.glob("take/interchange/take/midifiles/*.mid"))
    assert len(takes) == 2
    off: list[float] = []
    for take, seconds in zip(takes, (SECONDS, 10), strict=True):
        beats = onsets(take)
        assert len(beats) > seconds * eighths / 2
        assert (seconds - 3) * BPM / 60 < beats.max() < (seconds + 1) * BPM / 60
        off += (np.abs(beats * 2 - np.round(beats * 2)) / 2 * 60_000 / BPM).tolist()
    return off


def test_in_ardour_every_note_is_on_the_eighths_from_the_beginning_and_after_a_locate(tmp_path: Path) -> None:
    """JACK's dummy server now and then loses a message: a run whose notes are off is made once more."""
    if not (shutil.which("ardour7-lua") and shutil.which("xvfb-run")):
        pytest.skip("ardour7-lua and xvfb-run are not installed")
    off: list[float] = []
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        try:
            off = record(folder)
        except NoPortsError:
            continue
        if np.percentile(off, 99) <= 5 + PERIOD_MS:
            return
    pytest.fail(f"{np.sort(off)[-10:]} ms off the eighths, or no port, three times")
