"""A real DAW: Ardour records what is played on its own MIDI clock, without a window, on a JACK server of the tests'."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mido
import numpy as np
import pytest

from jack import JackServer, jack_server
from overhear import Overheard

pytestmark = pytest.mark.jack

MAIN = "from cgrnn_live.cli import main; main()"
RECORD, LOOP = (Path(__file__).with_name(f"{verb}_in_ardour.lua") for verb in ("record", "loop"))
SHARED = Path(__file__).with_name("ardour.lua")
BPM = 97
SECONDS = 62
PERIOD_MS = 256 / 48
EIGHTH = 30 / BPM
LOOP_BEGINS, LOOP_ENDS = 4, 7.25
"""In beats. The loop lasts no whole number of eighths: who counts clocks on where it begins again plays beside them."""
LOOP_SECONDS = 9
UNEVEN_MS = 12
STOOD = 0.6 * EIGHTH / 12
"""s that a clock came too late, if JACK stood still or lost one: what is recorded then is in another time than ours."""
OFFSET_MS = 5.5
"""Without it notes lie 8 to 14 ms before the grid after Start, two of JACK's periods, and 3 before it to 3 behind it
after Continue: Ardour's clock and its recording are two periods apart in one case and not in the other."""


class NoPortsError(Exception):
    """Ardour does not start, or has a session and no port, now and then on JACK's dummy server."""


class BusyError(Exception):
    """The machine is so busy that Ardour's own clock is uneven."""


def _check_clock(overheard: Overheard) -> None:
    uneven = np.concatenate([stretch.unevenness(EIGHTH / 12) for stretch in overheard.stretches()])
    if (ms := 1000 * np.percentile(uneven, 95)) > UNEVEN_MS:
        raise BusyError(f"one in twenty of Ardour's clocks is {ms:.0f} ms out of time or more")


@contextmanager
def ardour(folder: Path, script: Path, **told: str) -> Iterator["tuple[subprocess.Popen[bytes], dict[str, str]]"]:
    """Ardour with a track "jam", ready, and the environment that finds its JACK server."""
    with jack_server(f"-ardour-{folder.name}") as server:
        with _started(folder, script, {**server.variables, **told}) as process:
            _wait_for(folder / "ready", 40, process)
            if not _comes(server, "ardour:jam/midi_in 1"):
                raise NoPortsError(f"its track has no port; there are {server.ports()}")
            yield process, server.variables


@contextmanager
def _started(folder: Path, script: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    line = ["xvfb-run", "-a", "ardour7-lua", str(script)]
    environment = {**environment, "HOME": str(folder), "TAKE_FOLDER": str(folder), "SHARED_SCRIPT": str(SHARED)}
    with (folder / "ardour.log").open("a") as log:
        process = subprocess.Popen(line, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # xvfb-run's children too
        process.wait()


@contextmanager
def playing(environment: dict[str, str], seconds: float, *options: object) -> Iterator["subprocess.Popen[str]"]:
    """`cgrnn-live` on Ardour's clock into its track, from when it has said so."""
    line = [sys.executable, "-c", MAIN, "--port", "ardour jam midi_in", "--input", "ardour MIDI Clock out"]
    line += ["--sync", "midi", "--api", "jack", "--seed", "3", "--duration", str(seconds), "--json", *map(str, options)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=environment) as player:
        try:
            assert player.stderr is not None
            says = player.stderr.readline()
            assert "Playing into" in says, says
            yield player
        finally:
            player.kill()


@contextmanager
def overhearing(environment: dict[str, str]) -> Iterator[Overheard]:
    """What Ardour's clock and the player send."""
    overheard = Overheard("ardour:MIDI Clock out", "cgrnn-live:out", environment)
    try:
        yield overheard
    finally:
        overheard.kill()


def _comes(server: JackServer, port: str) -> bool:
    deadline = time.monotonic() + 3
    while port not in (ports := server.ports()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return port in ports


def _wait_for(file: Path, seconds: float, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        log = (file.parent / "ardour.log").read_text(errors="replace")
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoPortsError(f"Ardour did not say {file.name}: {log}")
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


def record(folder: Path) -> tuple[list[float], Overheard]:
    """Record in Ardour; how far from the eighths each onset of both takes lies, in ms."""
    with ardour(folder, RECORD, TAKE_SECONDS=str(SECONDS)) as (process, environment):
        with playing(environment, SECONDS + 20, "--offset", OFFSET_MS) as player, overhearing(environment) as overheard:
            (folder / "go").touch()
            _wait_for(folder / "done", SECONDS + 60, process)
            overheard.close()
            _check_clock(overheard)
            out, err = player.communicate(timeout=60)
    assert (player.returncode, "Traceback" in err) == (0, False)
    assert json.loads(out)["frames"] == pytest.approx((SECONDS + 10) / EIGHTH, abs=4)
    assert len(silences := overheard.silences()) == 2
    assert max(silences) < EIGHTH, silences
    takes = sorted(folder.glob("take/interchange/take/midifiles/*.mid"))
    assert len(takes) == 2
    off: list[float] = []
    for take, seconds in zip(takes, (SECONDS, 10), strict=True):
        beats = onsets(take)
        assert len(beats) > seconds / EIGHTH / 2
        assert (seconds - 3) * BPM / 60 < beats.max() < (seconds + 1) * BPM / 60
        off += (np.abs(beats * 2 - np.round(beats * 2)) / 2 * 60_000 / BPM).tolist()
    return off, overheard


def loop(folder: Path) -> tuple[list[float], Overheard]:
    """Loop in Ardour; how far from the loop's eighths each onset of the passes after the first was sent, in ms."""
    beats = {"LOOP_BEGINS": str(LOOP_BEGINS), "LOOP_ENDS": str(LOOP_ENDS)}
    with _started(folder, LOOP, {**os.environ, "STEP": "make", **beats}) as making, suppress(subprocess.TimeoutExpired):
        making.wait(20)
    session = folder / "take" / "take.ardour"
    state = session.read_text() if session.exists() else ""
    if 'flags="IsRangeMarker"' not in state:
        raise NoPortsError(f"Ardour made no session: {(folder / 'ardour.log').read_text(errors='replace')}")
    session.write_text(state.replace('flags="IsRangeMarker"', 'flags="IsAutoLoop"'))
    with ardour(folder, LOOP, TAKE_SECONDS=str(LOOP_SECONDS)) as (process, environment):
        with playing(environment, LOOP_SECONDS + 4) as player, overhearing(environment) as overheard:
            (folder / "go").touch()
            _wait_for(folder / "done", LOOP_SECONDS + 20, process)
            overheard.close()
            _check_clock(overheard)
            out, err = player.communicate(timeout=60)
    assert (player.returncode, "Traceback" in err) == (0, False)
    passes = overheard.stretches()
    assert len(passes) >= 4, "passes are missing"
    assert all(len(each.onsets) >= 2 for each in passes[:-1]), "a pass is silent"
    assert json.loads(out)["frames"] == pytest.approx(sum(np.ceil(len(each.clocks) / 12) for each in passes), abs=4)
    assert max(silences := overheard.silences()) < EIGHTH, silences
    return [1000 * off for each in passes[1:-1] for off in each.off_grid(EIGHTH / 12, 12)], overheard


def _is_on_the_eighths(
    folder: Path, play: Callable[[Path], tuple[list[float], Overheard]], percent: float, within_ms: float
) -> None:
    """JACK's dummy server now and then loses a message, a note's or a clock's: a run is made up to twice more, and
    eight times more if Ardour does not start.
    """
    if not (shutil.which("ardour7-lua") and shutil.which("xvfb-run")):
        pytest.skip("ardour7-lua and xvfb-run are not installed")
    found: list[str] = []
    spoilt = busy = 0
    while len(found) < 3 + spoilt and spoilt < 8:
        (take := folder / str(len(found))).mkdir()
        try:
            off, overheard = play(take)
        except NoPortsError as error:
            spoilt += 1
            found.append(f"no start: {error}")
        except BusyError as error:
            busy += 1
            found.append(str(error))
        except AssertionError as error:
            found.append(str(error))
        else:
            if np.percentile(off, percent) <= within_ms:
                return
            stood = any(np.max(each.unevenness(EIGHTH / 12)) > STOOD for each in overheard.stretches())
            busy += stood
            found.append(f"{np.sort(off)[-10:]} ms off the eighths" + ", and Ardour's clock stood still" * stood)
    (pytest.skip if 0 < busy == len(found) - spoilt else pytest.fail)("; ".join(found))


def test_in_ardour_every_note_is_on_the_eighths_from_the_beginning_and_after_a_locate(tmp_path: Path) -> None:
    """It is silent within a frame of each stop."""
    _is_on_the_eighths(tmp_path, record, 99, 5 + PERIOD_MS)


def test_where_ardours_loop_begins_again_notes_are_on_the_eighths_of_the_loop(tmp_path: Path) -> None:
    """Ardour sends Stop there, then Song Position and Continue at the next beat. On a busy machine notes come late
    to who overhears them; a player that does not heed Song Position is a sixteenth, 155 ms, off in every other pass.
    """
    _is_on_the_eighths(tmp_path, loop, 70, 60)
