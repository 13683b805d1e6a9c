"""The commands that need no port, in processes of their own, with neither a MIDI system nor a sound device."""

import json
import wave
from pathlib import Path

import mido
import pytest


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    """Two bars of a melody over a held note, and a drum that is not part of it."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.Message("note_on", note=48, velocity=90))
    track.append(mido.Message("note_on", note=35, velocity=90, channel=9))
    for pitch in (60, 62, 64, 65, 67, 65, 64, 62):
        track.append(mido.Message("note_on", note=pitch, velocity=90))
        track.append(mido.Message("note_off", note=pitch, time=240))
    track.append(mido.Message("note_off", note=35, channel=9))
    track.append(mido.Message("note_off", note=48))
    path = tmp_path / "phrase.mid"
    file.save(path)
    return path


def notes(track: mido.MidiTrack) -> list[tuple[int, int]]:
    """Return (tick, pitch) of each note-on, and hold that each has a note-off."""
    now, found, sounding = 0, [], []
    for message in track:
        now += message.time
        if message.type == "note_on":
            found.append((now, message.note))
            sounding.append(message.note)
        elif message.type == "note_off":
            sounding.remove(message.note)
    assert not sounding
    return found


def test_render_writes_the_phrase_and_its_continuation(command, bundle: Path, phrase: Path, tmp_path: Path) -> None:
    result = command("render", phrase, "out.mid", "--seconds", 5, "--seed", 7, "--model", bundle, "--json")
    assert (result.returncode, json.loads(result.stdout)["frames"]) == (0, 20)
    _, prompt, model = mido.MidiFile(tmp_path / "out.mid").tracks
    assert [pitch for _, pitch in notes(prompt)] == [48, 60, 62, 64, 65, 67, 65, 64, 62]
    ticks = [tick for tick, _ in notes(model)]
    assert ticks
    assert 8 * 240 <= min(ticks) <= max(ticks) < 8 * 240 + 5 * 960
    assert all(tick % 240 == 0 for tick in ticks)


def test_render_is_the_same_byte_for_byte_and_another_with_another_seed(
    command, bundle: Path, phrase: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert command("render", phrase, f"{name}.mid", "--seed", seed, "--model", bundle).returncode == 0
    a, b, c = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
    assert a == b != c


def test_render_keeps_to_range_and_scale(command, bundle: Path, phrase: Path, tmp_path: Path) -> None:
    limits = ["--low", 50, "--high", 80, "--scale", "C major"]
    result = command("render", phrase, "out.mid", "--model", bundle, "--seed", 1, *limits)
    assert result.returncode == 0
    pitches = {pitch for _, pitch in notes(mido.MidiFile(tmp_path / "out.mid").tracks[2])}
    assert pitches
    assert pitches <= {pitch for pitch in range(50, 81) if pitch % 12 in {0, 2, 4, 5, 7, 9, 11}}


def bad_prompts() -> dict[str, bytes | None]:
    empty = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0"
    zero_length = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\x0c\0\x90\x3c\x40\0\x80\x3c\0\0\xff\x2f\0"
    return {"missing": None, "text": b"hello", "nothing": b"", "cut": empty[:18], "empty": empty, "zero": zero_length}


@pytest.mark.parametrize("name", bad_prompts())
def test_a_prompt_that_is_none_is_one_sentence(command, bundle: Path, tmp_path: Path, name: str) -> None:
    data = bad_prompts()[name]
    if data is not None:
        (tmp_path / "prompt.mid").write_bytes(data)
    result = command("render", "prompt.mid", "out.mid", "--model", bundle)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("cgrnn-live: prompt.mid ")
    assert result.stderr.count("\n") == 1
    assert "()" not in result.stderr
    assert not (tmp_path / "out.mid").exists()


def test_demo_without_a_device_writes_what_it_would_have_played(command, bundle: Path, tmp_path: Path) -> None:
    result = command("demo", "--seconds", 3, "--seed", 5, "--model", bundle, "--json")
    assert result.returncode == 0
    assert "no sound device" in result.stderr
    assert "demo.mid" in result.stderr
    assert "demo.wav" in result.stderr
    summary = json.loads(result.stdout)
    assert (summary["seed"], summary["device"], summary["files"]) == (5, None, ["demo.mid", "demo.wav"])
    assert notes(mido.MidiFile(tmp_path / "demo.mid").tracks[1])
    with wave.open(str(tmp_path / "demo.wav")) as sound:
        assert 3 <= sound.getnframes() / sound.getframerate() <= 5.1
        assert any(sound.readframes(44100))


def test_a_broken_bundle_is_one_sentence(command, bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in bundle.iterdir():
        (broken / file.name).write_bytes(file.read_bytes()[:-1])
    result = command("demo", "--model", broken)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


def test_no_midi_system_is_one_sentence(command, bundle: Path) -> None:
    for line in (["--port", "x", "--model", bundle], ["ports"]):
        result = command(*line)
        assert (result.returncode, result.stdout) == (2, "")
        assert "No MIDI system answers" in result.stderr
        assert result.stderr.count("\n") == 1


def test_doctor_says_what_is_wrong_and_the_fix(command) -> None:
    result = command("doctor", "--json")
    checks = {check["what"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 2
    assert not checks["MIDI system"]["is_good"]
    assert "JACK" in checks["MIDI system"]["fix"]
    assert not checks["Sound device"]["is_good"]
    assert result.stderr == ""


def test_a_reader_that_goes_away_leaves_no_traceback(command) -> None:
    program = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1)\n"
    result = command("models", "--json", preamble=program)
    assert result.returncode == 1
    assert result.stderr == ""
