"""Musical statistics: identity, disjointness, and cases computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_train.statistics import (
    DISTRIBUTIONS,
    ENTROPY_BINS,
    LONGEST_NOTE,
    Statistics,
    bar_entropies,
    compare,
    overlap,
    pitch_classes,
    run_lengths,
    statistics,
    transitions,
)


def roll_of(*chords: tuple[int, ...]) -> np.ndarray:
    roll = np.zeros((len(chords), 128), bool)
    for time, chord in enumerate(chords):
        roll[time, list(chord)] = True
    return roll


def noise(seed: int, frames: int = 64, low: int = 0, high: int = 128) -> np.ndarray:
    roll = np.zeros((frames, 128), bool)
    roll[:, low:high] = np.random.default_rng(seed).random((frames, high - low)) < 0.05
    return roll


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(8, 80))
def test_music_is_like_itself(seed: int, frames: int):
    one = statistics([noise(seed, frames)], 0.25)
    assert compare(one, one) == pytest.approx(dict.fromkeys(DISTRIBUTIONS, 1.0))


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_overlaps_are_symmetric_shares_and_distributions_sum_to_one(seed: int, other: int):
    one, two = statistics([noise(seed)], 0.25), statistics([noise(other, 40)], 0.25)
    assert compare(one, two) == pytest.approx(compare(two, one))
    assert all(0 <= value <= 1 + 1e-12 for value in compare(one, two).values())
    assert all(getattr(one, name).sum() == pytest.approx(1.0) for name in DISTRIBUTIONS)


def test_disjoint_music_does_not_overlap():
    held = statistics([roll_of(*[(60,)] * 8, (62,), *[(62,)] * 7)], 0.25)
    busy = statistics([roll_of(*[(61, 65, 68, 70), (63, 66, 71, 75)] * 8)], 0.25)
    assert compare(held, busy) == dict.fromkeys(DISTRIBUTIONS, 0.0)


def test_nothing_is_like_nothing():
    silence = statistics([roll_of(*[()] * 16)], 0.25)
    assert compare(silence, silence) == dict.fromkeys(DISTRIBUTIONS, 0.0) | {"polyphony": 1.0}
    empty = statistics([], 0.25)
    assert compare(empty, empty) == dict.fromkeys(DISTRIBUTIONS, 0.0)
    assert (empty.frames, empty.longest_silence_seconds, empty.largest_chord) == (0, 0.0, 0)


def test_a_small_piece_by_hand():
    piece = roll_of((60, 64), (60, 64), (60,), (), (), (), (67, 71, 62), (67,))
    found = statistics([piece], 0.25)
    assert found.frames == 8
    assert (found.longest_silence_seconds, found.largest_chord) == (0.75, 3)
    assert found.polyphony[:4].tolist() == [3 / 8, 2 / 8, 2 / 8, 1 / 8]
    assert found.pitch[[60, 62, 64, 67, 71]].tolist() == [3 / 9, 1 / 9, 2 / 9, 2 / 9, 1 / 9]
    assert found.note_length[:3].tolist() == [2 / 5, 2 / 5, 1 / 5]  # 62, 71; 64, 67; 60
    p = np.array([3, 1, 2, 2, 1]) / 9
    entropy = -(p * np.log2(p)).sum()  # 2.197 bits
    assert np.flatnonzero(found.bar_entropy).tolist() == [int(entropy / np.log2(12) * ENTROPY_BINS)]
    # {C, E} to {C}: half from each. {G, B, D} to {G}: a third from each. Two transitions in all.
    assert found.transition.sum() == pytest.approx(1.0)
    assert found.transition[0, 0] == found.transition[4, 0] == 1 / 4
    assert found.transition[[7, 11, 2], 7].tolist() == pytest.approx([1 / 6] * 3)


def test_pieces_are_pooled_and_nothing_crosses_their_bounds():
    one, two = roll_of((60,), (62,), ()), roll_of((), (64,), (64,))
    both = statistics([one, two], 1.0)
    assert both.longest_silence_seconds == 1.0
    assert both.frames == 6
    assert both.transition[0, 2] == 1.0
    assert both.note_length[:2].tolist() == [2 / 3, 1 / 3]


def test_long_notes_share_the_last_bin():
    found = statistics([roll_of(*[(60,)] * 100), roll_of(*[(60,)] * LONGEST_NOTE)], 0.25)
    assert found.note_length[-1] == 1.0


def test_pitch_classes_fold_octaves():
    folded = pitch_classes(roll_of((0, 12, 127), (59, 60)))
    assert folded[0].tolist() == [2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert np.flatnonzero(folded[1]).tolist() == [0, 11]


def test_bar_entropies_leave_out_silence_and_the_last_partial_bar():
    one_class, four, none = [(60, 72)] * 4, [(60,), (62,), (64,), (65,)], [()] * 4
    by_class = pitch_classes(roll_of(*one_class, *none, *four, *[(66,)] * 3))
    assert bar_entropies(by_class, 4).tolist() == pytest.approx([0.0, 2.0])


def test_all_twelve_pitch_classes_fill_the_last_entropy_bin():
    found = statistics([roll_of(*[tuple(range(60, 72))] * 8)], 0.25)
    assert found.bar_entropy[-1] == 1.0


def test_run_lengths_by_column_then_time():
    on = np.array([[1, 0], [1, 0], [0, 1], [1, 1]], bool)
    assert run_lengths(on).tolist() == [2, 1, 2]
    assert run_lengths(np.zeros((0, 3), bool)).tolist() == []


def test_holding_on_and_silence_are_no_transitions():
    sets = pitch_classes(roll_of((60,), (60, 72), (), (62,), (62,), (63,))) > 0
    found = transitions(sets)
    assert found.sum() == found[2, 3] == 1.0


def test_overlap_by_hand():
    assert overlap(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])) == 0.5
    with pytest.raises(ValueError, match="expected the same"):
        overlap(np.zeros(3), np.zeros(4))


@pytest.mark.parametrize("piece", [np.zeros((4, 88), bool), np.zeros((4, 128), np.uint8), np.zeros(128, bool)])
def test_other_arrays_are_refused(piece: np.ndarray):
    with pytest.raises(ValueError, match="expected bool of shape"):
        statistics([piece], 0.25)


def test_every_distribution_is_compared():
    fields = {name for name, kind in Statistics.__annotations__.items() if kind == "Floats"}
    assert fields == set(DISTRIBUTIONS)
