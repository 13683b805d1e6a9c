"""What a take says of the offset, where notes are known to lie beside the grid by so much."""

import json
import math
from pathlib import Path

import mido
import numpy as np
import pytest
from typer.testing import CliRunner

from cgrnn_live.calibrate import TakeError, displacement
from cgrnn_live.cli import app

TICKS = 960


def write(path: Path, beats: list[float], bpm: float = 97.0, *, faster_at: float | None = None) -> Path:
    """A take with a note at each of ``beats``, a chord at every third; from one beat on at twice the tempo."""
    conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    if faster_at is not None:
        later = round(faster_at * TICKS)
        conductor.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(2 * bpm), time=later))
    track, now = mido.MidiTrack(), 0
    for count, beat in enumerate(sorted(beats)):
        tick = round(beat * TICKS)
        for pitch in (60, 64) if count % 3 == 0 else (60,):
            track.append(mido.Message("note_on", note=pitch, velocity=80, time=tick - now))
            now = tick
        track.append(mido.Message("note_on", note=60, velocity=0, time=1))
        now += 1
    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks += [conductor, track]
    file.save(path)
    return path


@pytest.mark.parametrize("milliseconds", [-60.0, -9.3, 0.0, 4.0, 67.0])
@pytest.mark.parametrize("frame", [1 / 8, 1 / 16, 1 / 4])
def test_the_median_is_how_far_they_lie(milliseconds: float, frame: float, tmp_path: Path) -> None:
    """Some uneven by 2 ms, and one in ten a fifth of a frame late."""
    bpm, random = 97.0, np.random.default_rng(3)
    beat = 60_000 / bpm
    lines = 4 * frame * np.arange(4, 64)
    off = milliseconds + random.uniform(-2, 2, len(lines)) + (np.arange(len(lines)) % 10 == 0) * 0.2 * 4 * frame * beat
    found = displacement(write(tmp_path / "take.mid", (lines + off / beat).tolist(), bpm), frame)
    assert found.milliseconds == pytest.approx(milliseconds, abs=1.0)
    assert found.spread < 4
    assert found.onsets == len(lines)


def test_a_change_of_tempo_is_heeded(tmp_path: Path) -> None:
    """10 ms in both halves."""
    slow = [beat / 2 + 10 / 500 for beat in range(2, 20)]
    fast = [beat / 2 + 10 / 250 for beat in range(21, 60)]
    found = displacement(write(tmp_path / "take.mid", slow + fast, 120.0, faster_at=10.25), 1 / 8)
    assert found.milliseconds == pytest.approx(10, abs=0.6)
    assert found.spread < 1


def test_the_command_says_the_offset(tmp_path: Path) -> None:
    take = write(tmp_path / "take.mid", [beat / 2 - 9.0 / 500 for beat in range(1, 30)], 120.0)
    said = CliRunner().invoke(app, ["calibrate", str(take), "--offset", "4"])
    assert said.exit_code == 0
    assert said.output.startswith(("29 onsets lie 8.9 ms", "29 onsets lie 9.0 ms"))
    assert " ms before the grid, half of them within " in said.output
    offset = float(said.output.split("--offset ")[1].removesuffix(".\n"))
    assert offset == pytest.approx(13, abs=0.6)
    found = json.loads(CliRunner().invoke(app, ["calibrate", str(take), "--offset", "4", "--json"]).output)
    assert found["offset"] == offset
    assert math.isclose(found["milliseconds"], 4 - offset, abs_tol=0.06)


@pytest.mark.parametrize(
    ("beats", "says"),
    [
        ([], "has notes at 0 times, too few"),
        ([1.0, 2.0], "has notes at 2 times"),
        (np.random.default_rng(1).uniform(0, 60, 80).tolist(), "are on no grid of 0.5 quarters"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(beats: list[float], says: str, tmp_path: Path) -> None:
    with pytest.raises(TakeError, match=says):
        displacement(write(tmp_path / "take.mid", beats), 1 / 8)


@pytest.mark.parametrize("data", [None, b"", b"no MIDI", b"MThd\x00\x00\x00\x06\x00\x01\x00\x00\xe7\x28"])
def test_what_is_no_midi_file_is_one_sentence(data: bytes | None, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "take.mid").write_bytes(data)
    with pytest.raises(TakeError, match=r"cannot be read as MIDI|too few to measure"):
        displacement(tmp_path / "take.mid", 1 / 8)
