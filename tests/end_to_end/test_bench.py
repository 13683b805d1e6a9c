"""`cgrnn-live bench` where a MIDI system answers and where none does. What the figures are is the machine's affair."""

import json
from pathlib import Path
from typing import Any

import pytest

FRAMES = 8
"""Of 0.25 s in the two seconds that are measured."""


@pytest.mark.jack
def test_on_a_midi_system_it_measures_all_three(jack: str, bundle: Path, command: Any) -> None:
    result = command("bench", "--model", bundle, "--seconds", 2, "--seed", 1, "--json", JACK_DEFAULT_SERVER=jack)
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert 0 < found["step_ms"]["warm"]["p50"] <= found["step_ms"]["warm"]["p99"] <= found["step_ms"]["warm"]["max"]
    deadlines = found["deadlines"]
    assert deadlines["frames"] + deadlines["dropped"] == deadlines["bare_loop"]["frames"] == FRAMES
    midi = found["midi"]
    assert (midi["api"], midi["messages"]) == ("jack", 128)
    assert midi["lost"] < 64
    assert 0 < midi["p50"] <= midi["p99"] <= midi["max"]
    assert midi["max"] >= midi["jitter"] > 0
    assert found["judgement"].startswith("This machine ")


@pytest.mark.jack
def test_beside_another_of_the_same_name_it_hears_its_own(start: Any, ear: Any, jack: str, command: Any) -> None:
    """Whose input is called as the virtual input of a benchmark is: JACK then gives the second another name."""
    playing = start("--port", "daw track", "--mode", "accompany")
    assert "Playing into" in playing.stderr.readline()
    result = command("bench", "--seconds", 0.5, "--gibbs", 1, "--json", JACK_DEFAULT_SERVER=jack)
    assert json.loads(result.stdout)["midi"]["lost"] < 64
    assert ear.messages == []


def test_without_a_midi_system_it_says_so_and_gives_the_rest(bundle: Path, command: Any) -> None:
    result = command("bench", "--model", bundle, "--seconds", 1)
    assert (result.returncode, result.stderr) == (0, "")
    assert "MIDI: No MIDI system answers" in result.stdout
    assert "Step of " in result.stdout
    assert "Deadlines: " in result.stdout


def test_a_midi_system_that_was_asked_for_and_does_not_answer_is_refused(bundle: Path, command: Any) -> None:
    result = command("bench", "--model", bundle, "--api", "jack")
    assert (result.returncode, result.stdout) == (2, "")
    assert "No MIDI system answers (tried jack)" in result.stderr


def test_a_model_of_sound_is_refused(command: Any) -> None:
    result = command("bench", "--model", "pluck")
    assert (result.returncode, result.stdout) == (2, "")
    assert "cgrnn-live audio" in result.stderr
