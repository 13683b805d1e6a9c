"""A phrase as a model hears it: on the clock, or on the beat grid."""

from pathlib import Path

import mido
import numpy as np
import pytest

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.prompt import Prompt, PromptError, read_prompt

ON_GRID = FrameSpec(0.25, "half", "1/8")
EIGHTH = 240


def write(path: Path, *tempos: float, ticks: int = EIGHTH, count: int = 8, first: int = 0) -> Path:
    """Write a scale of ``count`` legato notes, the tempo changing evenly among ``tempos`` (beats a minute)."""
    track = mido.MidiTrack([mido.Message("note_on", note=0, velocity=0, time=first)])
    for number in range(count):
        if number % (count // len(tempos)) == 0:
            bpm = tempos[number * len(tempos) // count]
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))
        track.append(mido.Message("note_on", note=60 + number, velocity=80))
        track.append(mido.Message("note_off", note=60 + number, time=ticks))
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(path)
    return path


def pitches(prompt: Prompt) -> list[list[int]]:
    return [np.flatnonzero(frame).tolist() for frame in prompt.frames]


SCALE = [[60 + number] for number in range(8)]


@pytest.mark.parametrize("bpm", [90, 97, 120, 150])
def test_on_the_grid_an_eighth_is_a_frame_at_any_usual_tempo(tmp_path: Path, bpm: float) -> None:
    prompt = read_prompt(write(tmp_path / "x.mid", bpm), ON_GRID)
    assert pitches(prompt) == SCALE
    assert (prompt.bpm, prompt.frame_seconds) == pytest.approx((bpm, 30 / bpm), rel=2e-6)


@pytest.mark.parametrize(("bpm", "sixteenths"), [(60, 1), (84, 1), (86, 2), (169, 2), (171, 4), (240, 4)])
def test_a_frame_is_the_note_value_nearest_to_the_models(tmp_path: Path, bpm: float, sixteenths: int) -> None:
    prompt = read_prompt(write(tmp_path / "x.mid", bpm, ticks=sixteenths * 120), ON_GRID)
    assert pitches(prompt) == SCALE
    assert prompt.frame_seconds == pytest.approx(sixteenths * 15 / bpm, rel=2e-6)  # the tempo is in us a beat


@pytest.mark.parametrize("first", [EIGHTH - 50, EIGHTH + 50])
def test_early_and_late_notes_go_to_their_nearest_sixteenth(tmp_path: Path, first: int) -> None:
    assert pitches(read_prompt(write(tmp_path / "x.mid", 120, first=first), ON_GRID)) == [[], *SCALE]


def test_a_phrase_of_several_tempos_is_even_at_the_one_it_spends_most_time_in(tmp_path: Path) -> None:
    prompt = read_prompt(write(tmp_path / "x.mid", 100, 110, 100, 60), ON_GRID)
    assert pitches(prompt) == SCALE
    assert prompt.bpm == pytest.approx(100)
    assert [note.start for note in prompt.notes] == pytest.approx([0.3 * number for number in range(8)])


def test_the_bundles_rule_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mid", 120, ticks=EIGHTH + 60, count=1)
    assert len(read_prompt(path, ON_GRID).frames) == 1
    assert len(read_prompt(path, FrameSpec(0.25, "cover", "1/8")).frames) == 2


def test_off_the_grid_frames_are_seconds(tmp_path: Path) -> None:
    prompt = read_prompt(write(tmp_path / "x.mid", 90), FrameSpec(0.25))
    assert len(prompt.frames) == 11  # 8/3 s; the last is on for two thirds
    assert (prompt.bpm, prompt.frame_seconds) == (120, 0.25)
    assert prompt.notes[1].start == pytest.approx(1 / 3)


@pytest.mark.parametrize("bpm", [5, 2000])
def test_a_tempo_that_none_plays_in_is_refused(tmp_path: Path, bpm: float) -> None:
    with pytest.raises(PromptError, match=r"x\.mid cannot be a prompt \(its tempo is .*; expected 10 to 1000"):
        read_prompt(write(tmp_path / "x.mid", bpm), ON_GRID)


def test_a_name_longer_than_a_file_system_takes_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="is not there"):
        read_prompt(tmp_path / (300 * "x"), ON_GRID)
