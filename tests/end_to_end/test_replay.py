"""What was played at real ports, played again from its log: the recording, byte for byte."""

import itertools
import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cgrnn_live.replay import replay
from hands import finish, sending

pytestmark = pytest.mark.jack

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
SAVE, RECALL, KEEP = 27, 28, 29
TIMES = 20


def hand(seed: int) -> Any:
    """Notes, modes and banks at random times, for ever."""
    random = np.random.default_rng(seed)
    for _ in itertools.count():
        pitch = int(random.integers(48, 72))
        yield random.uniform(0, 0.2), (NOTE_ON, pitch, 90)
        yield random.uniform(0, 0.3), (NOTE_OFF, pitch, 0)
        yield 0.0, (PROGRAM, int(random.integers(3)))
        yield 0.0, (CONTROL, int(random.choice([SAVE, RECALL])), 1)


@pytest.mark.parametrize("sync", ["internal", "midi"])
def test_a_replay_is_the_recording_20_times_of_20(sync: str, ear: Any, start: Any, tmp_path: Path) -> None:
    line = ["--port", "daw track", "--mode", "accompany", "--log", "a.log", "--record", "a.mid", "--seed", 3, "--json"]
    process = start(*line, "--sync", sync)
    assert "Playing into" in process.stderr.readline()
    starts = [(0.05, (0xFA,))] * 3  # one may be lost
    clocks = itertools.chain(starts, itertools.repeat((0.02, (0xF8,)), 10_000))
    with sending("cgrnn-live in", clocks if sync == "midi" else iter(())), sending("cgrnn-live in", hand(1)):
        ear.wait_for(NOTE_ON, 5)
        time.sleep(4)
    process.send_signal(signal.SIGTERM)
    code, out, _ = finish(process)
    assert code == 0
    recorded = (tmp_path / "a.mid").read_bytes()
    assert len(recorded) > 400
    for count in range(TIMES):
        summary = replay(tmp_path / "a.log", tmp_path / f"{count}.mid")
        assert (tmp_path / f"{count}.mid").read_bytes() == recorded
        assert summary["notes"] == json.loads(out)["notes"]


def test_the_command_replays_and_another_model_is_refused(
    ear: Any, start: Any, command: Any, bundle: Path, tmp_path: Path
) -> None:
    process = start("--port", "daw track", "--duration", 2, "--log", "a.log", "--record", "a.mid")
    assert finish(process)[0] == 0
    assert json.loads(command("replay", "a.log", "b.mid", "--json").stdout)["file"] == "b.mid"
    assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "a.mid").read_bytes()
    header, _, entries = (tmp_path / "a.log").read_text().partition("\n")
    values = json.loads(header)
    values["model"] = "0" * 64
    (tmp_path / "other.log").write_text(json.dumps(values) + "\n" + entries)
    result = command("replay", "other.log", "c.mid")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("cgrnn-live: other.log was played by another model")
    (tmp_path / "cut.log").write_text((header + "\n" + entries)[:-200])
    assert command("replay", "cut.log", "cut.mid").returncode == 0


def test_the_last_bars_are_kept_while_it_plays(ear: Any, start: Any, tmp_path: Path) -> None:
    process = start("--port", "daw track", "--bars", 1, "--seed", 3)
    assert "Playing into" in process.stderr.readline()
    ear.wait_for(NOTE_ON, 8)
    with sending("cgrnn-live in", iter([(0.0, (CONTROL, KEEP, 127))])):
        assert "Kept the last bar: jam-" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 0
    [file] = tmp_path.glob("jam-*.mid")
    assert file.stat().st_size > 100
