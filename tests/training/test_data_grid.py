"""The beat grid: found through an offset, a jitter and a tempo, and refused where there is none."""

import io
import os
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_train.data.errors import UnusableFileError
from cgrnn_train.data.grid import MIN_AGREEMENT, NOTE_VALUES, estimate_grid, grid_frames, nearest_note_value
from cgrnn_train.data.midi import FileEncoder, prepare_midi
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.data.score import Score
from cgrnn_train.data.source import list_midi


def score_of(notes: list[tuple[int, float, float]], bpm: float, offset_beats: float = 0.0) -> Score:
    """Return a score of (pitch, start, length) in sixteenths, played at a tempo, `offset_beats` late."""
    pitch, start, length = (np.array(column) for column in zip(*notes, strict=True))
    seconds = 60 / bpm / 4
    begin = start * seconds + offset_beats * 60 / bpm
    return Score(pitch, begin, begin + length * seconds, np.array([0.0]), np.array([bpm]))


def roll_of(notes: list[tuple[int, float, float]], sixteenths: int) -> np.ndarray:
    """Return the frames that the notes mean when they are played exactly."""
    first = min(start for _, start, _ in notes)
    first -= first % sixteenths
    last = max(start + length for _, start, length in notes)
    roll = np.zeros((int(-(-(last - first) // sixteenths)), PITCHES), bool)
    for pitch, start, length in notes:
        roll[int((start - first) // sixteenths), pitch] = True
        for frame in range(len(roll)):
            opens = first + frame * sixteenths
            roll[frame, pitch] |= min(start + length, opens + sixteenths) - max(start, opens) >= sixteenths / 2
    return roll


melodies = st.lists(
    st.tuples(
        st.integers(60, 72), st.integers(0, 31).map(lambda eighth: 2.0 * eighth), st.sampled_from([1.0, 2.0, 6.0])
    ),
    min_size=8,
    max_size=40,
    unique_by=lambda note: note[:2],
)  # onsets on eighths, which up to 165 beats a minute are a frame or two; a sixteenth to a dotted quarter long


@settings(deadline=None)
@given(melodies, st.floats(50, 165), st.floats(0.1, 3), st.integers(0, 2**32 - 1))
def test_the_grid_is_found_through_offset_tempo_and_jitter(
    melody: list[tuple[int, float, float]], bpm: float, offset_beats: float, seed: int
):
    jitter = np.random.default_rng(seed).uniform(-0.1, 0.1, len(melody))  # sixteenths
    played = [(pitch, start + each, length) for (pitch, start, length), each in zip(melody, jitter, strict=True)]
    score = score_of(played, bpm, offset_beats)
    grid = estimate_grid(score, 0.25)
    assert grid.agreement > 0.8
    assert grid.note_value == nearest_note_value(0.25, bpm)[0]
    frames = grid_frames(score, grid, "half")
    sixteenths = NOTE_VALUES[grid.note_value]
    first = min(start for _, start, _ in melody)
    for pitch, start, _ in melody:
        assert frames[int(start - first) // sixteenths, pitch]


def test_exact_notes_give_exact_frames():
    notes = [(60, 0.0, 2.0), (64, 2.0, 4.0), (67, 4.0, 2.0), (72, 6.0, 8.0), (48, 0.0, 14.0), (50, 9.0, 1.0)]
    for bpm, value, sixteenths in ((60.0, "1/16", 1), (120.0, "1/8", 2), (240.0, "1/4", 4)):
        score = score_of(notes, bpm, offset_beats=0.11)
        grid = estimate_grid(score, 0.25)
        assert grid.note_value == value
        assert grid.frame_seconds == pytest.approx(sixteenths * 15 / bpm)
        assert grid.phase == pytest.approx(0.44)  # of a sixteenth
        assert (grid.near_beats, grid.near_grid) == (0.0, 1.0)
        assert np.array_equal(grid_frames(score, grid, "half"), roll_of(notes, sixteenths))


def test_early_notes_stay_in_their_frame():
    early = [(60 + number, 2.0 * number - (0.2 if number % 3 else 0.0), 2.0) for number in range(12)]
    score = score_of(early, 120, offset_beats=1)
    frames = grid_frames(score, estimate_grid(score, 0.25), "half")
    assert [np.flatnonzero(frame)[-1] for frame in frames[:12]] == list(range(60, 72))
    clock_frames = np.floor(score.start / 0.25)
    assert len(set(clock_frames)) < 12  # on the clock they share frames


def test_a_thirty_second_note_lies_in_the_sixteenth_that_it_begins_in():
    sixteenths = [(60, float(number), 0.5) for number in range(16)]
    between = [(70 + number, number + 0.5, 0.25) for number in (2, 3, 8, 13)]
    score = score_of(sixteenths + between, 60)
    frames = grid_frames(score, estimate_grid(score, 0.25), "half")
    assert np.argwhere(frames[:, 61:]).tolist() == [[number, 9 + number] for number in (2, 3, 8, 13)]


def test_a_tempo_change_bends_the_grid_with_it():
    tempo_start, tempo_bpm = np.array([0.0, 2.0]), np.array([120.0, 80.0])
    start = np.concatenate([np.arange(0, 2, 0.25), 2 + np.arange(8) * 0.375])
    score = Score(np.arange(60, 76), start, start + 0.05, tempo_start, tempo_bpm)
    grid = estimate_grid(score, 0.25)
    assert grid.agreement == pytest.approx(1.0)
    assert (grid.note_value, grid.frame_seconds) == ("1/16", 0.1875)  # of the longer part, at 80
    frames = grid_frames(score, grid, "half")
    assert np.argwhere(frames).tolist() == [[2 * number, 60 + number] for number in range(16)]


@pytest.mark.parametrize("upbeat", [0, 1])
def test_a_frame_begins_where_most_onsets_do(upbeat: int):
    melody = [(60, 0.0, 1.0)] + [(62, 2.0 * number + upbeat, 2.0) for number in range(1, 9)]
    score = score_of(melody, 120)
    frames = grid_frames(score, estimate_grid(score, 0.25), "half")
    assert [np.flatnonzero(frame).tolist() for frame in frames] == [[60]] + [[]] * upbeat + [[62]] * 8


def test_the_tempo_is_the_median_over_time():
    tempo_start, tempo_bpm = np.array([0.0, 2.0, 5.0]), np.array([60.0, 200.0, 100.0])
    start = np.array([0.0, 1.0, 3.0, 8.0])
    grid = estimate_grid(Score(np.array([60] * 4), start, start + 0.1, tempo_start, tempo_bpm), 0.25)
    assert (grid.note_value, grid.frame_seconds) == ("1/8", 0.3)  # 2 s at 60, 3 s at 100, 3 s at 200


@pytest.mark.parametrize(
    "onsets",
    [np.arange(60) * 4 / 3, np.random.default_rng(0).uniform(0, 400, 200)],
    ids=["triplets", "free"],
)
def test_music_without_sixteenths_does_not_agree(onsets: np.ndarray):
    score = score_of([(60, start, 1.0) for start in onsets.tolist()], 100)
    assert estimate_grid(score, 0.25).agreement < MIN_AGREEMENT / 2


@pytest.mark.parametrize(
    ("bpm", "expected"),
    [(30, "1/16"), (60, "1/16"), (84, "1/16"), (86, "1/8"), (120, "1/8"), (169, "1/8"), (171, "1/4")],
)
def test_the_note_value_is_the_nearest_by_ratio(bpm: float, expected: str):
    assert nearest_note_value(0.25, bpm)[0] == expected


def test_a_file_without_a_grid_is_skipped(tmp_path: Path):
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track()
    for _ in range(60):
        track.append(mido.Message("note_on", note=60, time=0))
        track.append(mido.Message("note_off", note=60, time=160))  # triplets
    file = io.BytesIO()
    midi.save(file=file)
    (tmp_path / "a.mid").write_bytes(file.getvalue())
    with pytest.raises(UnusableFileError, match="no steady sixteenths: onsets agree 0.00 of 0.7"):
        FileEncoder(tmp_path, FrameSpec(), on_grid=True)("a.mid")


@pytest.mark.slow
def test_pop909_lies_on_its_grid(tmp_path: Path):
    path = Path(os.environ.get("CGRNN_DATA", "")) / "pop909.zip"
    if "CGRNN_DATA" not in os.environ or not path.is_file():
        pytest.skip("set CGRNN_DATA to a folder that holds pop909.zip")
    meta = prepare_midi(path, tmp_path / "set", FrameSpec(), on_grid=True, workers=2)
    data = PackedFrames.open(tmp_path / "set")
    assert data.spec == FrameSpec(0.25, "half", "1/8")
    assert len(list_midi(path)) == 909
    assert meta["files"]["used"] >= 0.9 * 909
    assert sum(meta["grid"]["note_values"].values()) == meta["files"]["used"] == len(data.pieces())
    assert meta["grid"]["mean_share_near_beats"] < 0.25
    assert meta["grid"]["mean_share_near_grid"] > 0.9
    assert {piece.note_value for piece in data.pieces()} == {"1/4", "1/8", "1/16"}
    assert all(0.17 < (piece.frame_seconds or 0) < 0.36 for piece in data.pieces() if piece.note_value == "1/8")
