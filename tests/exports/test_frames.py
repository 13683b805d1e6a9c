"""Frames both ways, against a slow rule that is plainly right."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.frames import MAX_FRAMES, PITCHES, FrameSpec, Note, Rule, frames_to_notes, notes_to_frames

TICKS = 16  # a frame's subdivisions in the tests, so that every boundary and every half is hit exactly

ticked_notes = st.lists(
    st.tuples(st.integers(58, 62), st.integers(0, 6 * TICKS), st.integers(0, 3 * TICKS)), max_size=12
)  # (pitch, start, length), the last two in ticks; few pitches, so that notes overlap and repeat
frame_lengths = st.one_of(st.sampled_from([0.25, 0.1, 1 / 3, 0.0625, 1.0]), st.floats(1e-3, 10.0))
RULES: tuple[Rule, ...] = ("half", "cover")
rules = st.sampled_from(RULES)


def rolled(notes: Sequence[tuple[float, float, float]], spec: FrameSpec, frame_count: int | None = None) -> np.ndarray:
    pitch, start, end = zip(*notes, strict=True) if notes else ((), (), ())
    return notes_to_frames(np.array(pitch, int), start, end, spec, frame_count)


def slow_roll(notes: list[tuple[int, int, int]], rule: Rule, frame_count: int) -> np.ndarray:
    """Ask each frame of each pitch, tick by tick."""
    roll = np.zeros((frame_count, PITCHES), bool)
    for pitch in {pitch for pitch, _, _ in notes}:
        starts = {start for p, start, _ in notes if p == pitch}
        sounding = {tick for p, start, length in notes if p == pitch for tick in range(start, start + length)}
        for frame in range(frame_count):
            ticks = set(range(frame * TICKS, (frame + 1) * TICKS))
            share = Fraction(len(ticks & sounding), TICKS)
            least = Fraction(1, 2) if rule == "half" else Fraction(1, TICKS)
            roll[frame, pitch] = bool(ticks & starts) or share >= least
    return roll


@settings(deadline=None)  # the slow rule is slow
@given(ticked_notes, rules, frame_lengths)
def test_notes_to_frames_is_the_rule(notes: list[tuple[int, int, int]], rule: Rule, frame_seconds: float):
    spec = FrameSpec(frame_seconds, rule)
    tick = frame_seconds / TICKS
    roll = rolled([(p, start * tick, (start + length) * tick) for p, start, length in notes], spec)
    assert np.array_equal(roll, slow_roll(notes, rule, len(roll)))
    assert not len(roll) or roll[-1].any()


@settings(deadline=None)  # the slow rule is slow
@given(ticked_notes, rules, frame_lengths)
def test_frames_survive_the_way_to_notes_and_back(notes: list[tuple[int, int, int]], rule: Rule, frame_seconds: float):
    spec = FrameSpec(frame_seconds, rule)
    roll = slow_roll(notes, rule, 12)
    assert np.array_equal(rolled(frames_to_notes(roll, spec), spec, len(roll)), roll)


@pytest.mark.parametrize(
    ("start", "end", "half", "cover"),
    [
        (0.0, 0.25, [0], [0]),
        (0.0, 0.37, [0], [0, 1]),  # 0.12 of the second frame: a tail, under half
        (0.0, 0.375, [0, 1], [0, 1]),  # exactly half
        (0.24, 0.30, [0], [0, 1]),  # starts in frame 0, if only just
        (0.2, 0.2, [0], [0]),  # no length, but a start
        (0.25, 0.25, [1], [1]),
        (0.75, 1.0, [3], [3]),
        (0.1, 0.9, [0, 1, 2, 3], [0, 1, 2, 3]),
    ],
)
def test_one_note(start: float, end: float, half: list[int], cover: list[int]):
    for rule, expected in zip(RULES, (half, cover), strict=True):
        roll = notes_to_frames([60], [start], [end], FrameSpec(0.25, rule), 5)
        assert np.flatnonzero(roll[:, 60]).tolist() == expected
        assert roll.sum() == len(expected)


@pytest.mark.parametrize("frame_seconds", [0.1, 0.25, 0.3, 1 / 3, 0.7, 60 / 97 / 2])
def test_a_note_on_a_boundary_belongs_to_the_frame_that_begins_there(frame_seconds: float):
    even = np.arange(0, 100_000, 2)
    pitch = np.full(len(even), 60)
    for jitter in (-1e-9, 0.0, 1e-9):  # seconds
        start = np.maximum(even * frame_seconds + jitter, 0.0)
        for rule in RULES:
            roll = notes_to_frames(pitch, start, start + frame_seconds, FrameSpec(frame_seconds, rule))
            assert np.array_equal(np.flatnonzero(roll[:, 60]), even)


def test_rounding_would_put_such_a_note_one_frame_early():
    assert 0.7 / 0.1 < 7
    assert np.flatnonzero(notes_to_frames([60], [0.7], [0.8], FrameSpec(0.1))[:, 60]).tolist() == [7]


def test_times_off_the_boundary_by_more_than_the_tolerance_count():
    assert notes_to_frames([60], [0.25 - 1e-5], [0.26], FrameSpec())[:, 60].tolist() == [True]


def test_frame_count_cuts_and_pads():
    spec = FrameSpec()
    assert notes_to_frames([60, 61], [0, 5], [9, 6], spec, 3).sum(axis=0)[[60, 61]].tolist() == [3, 0]
    assert notes_to_frames([60], [0], [0.25], spec, 7).shape == (7, PITCHES)
    assert notes_to_frames([60], [0], [0.25], spec, 0).shape == (0, PITCHES)


def test_no_notes_are_no_frames():
    assert notes_to_frames([], [], [], FrameSpec()).shape == (0, PITCHES)
    assert frames_to_notes(np.zeros((0, PITCHES), bool), FrameSpec()) == []
    assert frames_to_notes(np.zeros((5, PITCHES), bool), FrameSpec()) == []


def test_notes_are_merged_runs_sorted_by_start_then_pitch():
    roll = np.zeros((6, PITCHES), bool)
    roll[0:2, 64] = roll[4:6, 64] = roll[0:6, 60] = roll[3, 127] = roll[0, 0] = True
    assert frames_to_notes(roll, FrameSpec(0.5)) == [
        Note(0, 0.0, 0.5),
        Note(60, 0.0, 3.0),
        Note(64, 0.0, 1.0),
        Note(127, 1.5, 2.0),
        Note(64, 2.0, 3.0),
    ]


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        (([60], [0.0, 1.0], [1.0]), "one shape"),
        (([[60]], [[0.0]], [[1.0]]), "one shape"),
        (([60.5], [0.0], [1.0]), "integers"),
        (([128], [0.0], [1.0]), "128"),
        (([-1], [0.0], [1.0]), "-1"),
        (([60], [-0.1], [1.0]), "-0.1"),
        (([60], [1.0], [0.5]), "ends at 0.5"),
        (([60], [0.0], [np.inf]), "finite"),
        (([60], [np.nan], [1.0]), "finite"),
        (([60], [0.0], [1e12]), "4000000000000 frames"),
        (([60] * 200, [0.0] * 200, [MAX_FRAMES * 0.25] * 200), "sound for"),
    ],
)
def test_bad_notes_are_refused(notes: tuple[list, list, list], message: str):
    with pytest.raises(ValueError, match=message):
        notes_to_frames(*notes, FrameSpec())


@pytest.mark.parametrize("count", [-1, MAX_FRAMES + 1])
def test_a_bad_frame_count_is_refused(count: int):
    with pytest.raises(ValueError, match=str(count)):
        notes_to_frames([60], [0], [1], FrameSpec(), count)


@pytest.mark.parametrize("frames", [np.zeros((4, 88), bool), np.zeros((4, 128)), np.zeros(128, bool)])
def test_bad_frames_are_refused(frames: np.ndarray):
    with pytest.raises(ValueError, match="expected bool of shape"):
        frames_to_notes(frames, FrameSpec())


@pytest.mark.parametrize(
    "values",
    [
        {"frame_seconds": 0.0},
        {"frame_seconds": -1.0},
        {"frame_seconds": float("nan")},
        {"frame_seconds": float("inf")},
        {"rule": "any"},
        {"note_value": "eighth"},
        {"note_value": "1/0"},
        {"note_value": "1/8 "},
        {"note_value": ""},
    ],
)
def test_a_spec_that_means_nothing_is_refused(values: dict):
    with pytest.raises(ValueError, match=f"^{next(iter(values))} is .*; give"):
        FrameSpec(**values)


def test_the_spec_knows_note_values():
    assert FrameSpec(note_value="1/8").note_value == "1/8"
    assert FrameSpec() == FrameSpec(0.25, "half", None)
