"""The commands that need no port, in processes of their own, with neither a MIDI system nor a sound device."""

import dataclasses
import json
import wave
from pathlib import Path

import mido
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from cgrnn_bundle.bundle import load, save
from cgrnn_bundle.frames import FrameSpec


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


def test_a_model_on_the_beat_grid_goes_on_in_time(command, bundle: Path, tmp_path: Path) -> None:
    model = load(bundle)
    on_grid = dataclasses.replace(model.manifest, frame=FrameSpec(0.25, "half", "1/8"))
    save(dataclasses.replace(model, manifest=on_grid), tmp_path / "grid")
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90))])
    for pitch in (60, 62, 64, 65):
        track.append(mido.Message("note_on", note=pitch))
        track.append(mido.Message("note_off", note=pitch, time=240))
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(tmp_path / "phrase.mid")

    result = command("render", "phrase.mid", "out.mid", "--seconds", 10, "--seed", 7, "--model", "./grid", "--json")
    assert (result.returncode, json.loads(result.stdout)["frames"]) == (0, 30)  # eighths at 90
    tempo, prompt, played = mido.MidiFile(tmp_path / "out.mid").tracks
    assert mido.tempo2bpm(tempo[0].tempo) == pytest.approx(90, abs=1e-3)
    assert notes(prompt) == [(0, 60), (240, 62), (480, 64), (720, 65)]
    ticks = [tick for tick, _ in notes(played)]
    assert 4 * 240 <= min(ticks) <= max(ticks) < 34 * 240
    assert all(tick % 240 == 0 for tick in ticks)


def test_render_never_replaces_its_own_prompt(command, bundle: Path, phrase: Path) -> None:
    before = phrase.read_bytes()
    result = command("render", phrase, phrase.parent / "." / phrase.name, "--model", bundle)
    assert (result.returncode, result.stdout) == (2, "")
    assert "is the prompt itself" in result.stderr
    assert phrase.read_bytes() == before


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


def test_a_full_disk_in_a_demo_is_one_sentence_and_leaves_no_half_file(command, bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="file size limits are POSIX's")
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    result = command("demo", "--seconds", 3, "--model", bundle, preamble=full)
    assert (result.returncode, result.stdout) == (2, "")
    assert "demo.wav cannot be written" in result.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["demo.mid"]


def test_a_transition_that_fails_when_it_runs_is_one_sentence(command, bundle: Path, tmp_path: Path) -> None:
    """Operators that every model uses, a small file, and 2^48 bytes between them."""
    good = load(bundle)
    model = onnx.ModelProto.FromString(good.transition)
    constants = {"first": [0], "last": [1], "size": [good.manifest.sizes.state], "axis": [1]}
    model.graph.initializer.extend(numpy_helper.from_array(np.array(v), name) for name, v in constants.items())
    nodes = [helper.make_node("Slice", ["state", "first", "last", "axis"], ["row0"])]
    nodes.append(helper.make_node("Slice", ["state", "first", "last", "axis"], ["column0"]))
    for name, axis in (("row", 1), ("column", 0)):
        for step, times in enumerate((1024, 1024, 8)):
            nodes.append(helper.make_node("Concat", times * [f"{name}{step}"], [f"{name}{step + 1}"], axis=axis))
    nodes.append(helper.make_node("MatMul", ["column3", "row3"], ["huge"]))
    nodes.append(helper.make_node("Slice", ["huge", "first", "last", "first"], ["long"]))
    nodes.append(helper.make_node("Slice", ["long", "first", "size", "axis"], ["extra"]))
    tanh = next(node for node in model.graph.node if node.op_type == "Tanh")
    tanh.output[0] = "before"
    nodes.append(helper.make_node("Add", ["before", "extra"], ["next_state"]))
    at = list(model.graph.node).index(tanh) + 1
    ordered = [*model.graph.node[:at], *nodes, *model.graph.node[at:]]
    del model.graph.node[:]
    model.graph.node.extend(ordered)
    save(dataclasses.replace(good, transition=model.SerializeToString()), tmp_path / "hungry")

    result = command("demo", "--model", "./hungry")
    assert (result.returncode, result.stdout) == (2, "")
    assert "transition.onnx: ONNX Runtime" in result.stderr
    assert "cannot run it" in result.stderr
    assert result.stderr.count("\n") == 1


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


def test_without_standard_error_all_is_as_with_it(command) -> None:
    result = command("ports", "--json", preamble="import sys; sys.stderr = None\n")
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "")


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


def test_a_recording_does_not_replace_its_prompt(command, bundle: Path, phrase: Path) -> None:
    before = phrase.read_bytes()
    result = command("--port", "daw", "--model", bundle, "--prompt", phrase, "--record", phrase)
    assert result.returncode == 2
    assert "is the prompt itself" in result.stderr
    assert phrase.read_bytes() == before


@pytest.mark.parametrize("option", ["--prompt", "--record"])
def test_a_log_does_not_replace_another_file(command, bundle: Path, phrase: Path, option: str) -> None:
    before = phrase.read_bytes()
    result = command("--port", "daw", "--model", bundle, option, phrase, "--log", phrase)
    assert result.returncode == 2
    assert "itself; give another name for the log" in result.stderr
    assert phrase.read_bytes() == before
