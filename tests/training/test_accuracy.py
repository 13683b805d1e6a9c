"""Frame accuracy: mir_eval says the same, identity, silence, and a case worked by hand."""

import mir_eval
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_train.accuracy import accuracy, count, frame_accuracy
from cgrnn_train.scores import Accuracy

PIANO = slice(21, 109)  # mir_eval takes 20 to 5,000 Hz


def roll(seed: int, frames: int = 40, density: float = 0.04) -> np.ndarray:
    notes = np.zeros((frames, 128), bool)
    notes[:, PIANO] = np.random.default_rng(seed).random((frames, 88)) < density
    notes[0, 60] = True  # mir_eval warns of rolls that are empty all through
    return notes


def altered(truth: np.ndarray, seed: int) -> np.ndarray:
    """Some notes lost, some moved, some added: what a model plays."""
    random = np.random.default_rng(seed)
    return (truth & (random.random(truth.shape) < 0.7)) | roll(seed, len(truth), 0.01)


def by_mir_eval(ours: np.ndarray, truth: np.ndarray) -> float:
    times = np.arange(len(truth)) * 0.25
    lists = [[440.0 * 2 ** ((np.flatnonzero(frame) - 69) / 12) for frame in notes] for notes in (truth, ours)]
    return mir_eval.multipitch.evaluate(times, lists[0], times, lists[1])["Accuracy"]


def values(found: Accuracy) -> tuple[float, float]:
    return found.per_frame.value, found.pooled.value


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_mir_eval_finds_the_same_pooled_accuracy(seed: int, frames: int):
    truth = roll(seed, frames)
    ours = altered(truth, seed + 1)
    assert frame_accuracy([ours], [truth]).pooled.value == pytest.approx(by_mir_eval(ours, truth), abs=1e-12)


def test_mir_eval_pools_sequences_as_we_do():
    truths = [roll(seed, 10 + 7 * seed) for seed in range(5)]
    ours = [altered(truth, seed) for seed, truth in enumerate(truths, 100)]
    pooled = frame_accuracy(ours, truths).pooled.value
    assert pooled == pytest.approx(by_mir_eval(np.concatenate(ours), np.concatenate(truths)), abs=1e-12)


def test_identity():
    truths = [roll(seed) for seed in range(4)]
    silent = sum(int((~truth.any(axis=1)).sum()) for truth in truths)
    found = frame_accuracy(truths, truths)
    assert found.pooled.value == 1.0
    assert found.pooled.interval == (1.0, 1.0)
    assert found.per_frame.value == pytest.approx(1 - silent / 160)  # silence that is predicted scores 0


def test_by_hand():
    truth = np.zeros((4, 128))
    truth[0, [60, 64, 67]] = 1
    truth[1, 60] = 1
    truth[3, 50] = 1
    probability = np.zeros((4, 128))
    probability[0, [60, 64, 66, 70]] = [0.51, 0.9, 0.8, 0.5]  # ½ is off: TP 2, FP 1, FN 1
    probability[1, 60] = 1.0  # TP 1
    probability[2, 61] = 0.0  # silent and predicted silent
    assert count(probability, truth) == (4, 2 / 4 + 1, 3, 6)  # and frame 3: FN 1
    assert values(frame_accuracy([probability], [truth])) == (1.5 / 4, 3 / 6)


def test_silence():
    silent, chord = np.zeros((5, 128), bool), roll(0, 5, 0.5)
    assert values(frame_accuracy([silent], [silent])) == (0.0, 0.0)
    assert values(frame_accuracy([silent], [chord])) == (0.0, 0.0)
    assert values(frame_accuracy([chord], [silent])) == (0.0, 0.0)
    found = frame_accuracy([silent, chord], [silent, chord])  # the bootstrap may draw the silent piece alone
    assert values(found) == (0.5, 1.0)
    assert found.pooled.interval == (0.0, 1.0)


def test_sequences_without_frames_change_nothing():
    truths = [roll(seed) for seed in range(3)]
    ours = [altered(truth, seed) for seed, truth in enumerate(truths)]
    nothing = np.zeros((0, 128), bool)
    assert frame_accuracy([*ours, nothing], [*truths, nothing]) == frame_accuracy(ours, truths)


def test_intervals_contain_the_value_repeat_and_widen_with_fewer_sequences():
    truths = [roll(seed) for seed in range(30)]
    ours = [altered(truth, seed) for seed, truth in enumerate(truths)]
    found = frame_accuracy(ours, truths, seed=3)
    for estimate in (found.per_frame, found.pooled):
        assert estimate.interval[0] < estimate.value < estimate.interval[1]
    assert found == frame_accuracy(ours, truths, seed=3)
    assert found.pooled.interval != frame_accuracy(ours, truths, seed=4).pooled.interval
    few = frame_accuracy(ours[:5], truths[:5]).pooled.interval
    assert few[1] - few[0] > found.pooled.interval[1] - found.pooled.interval[0]


def test_segments_of_a_song_are_drawn_together():
    """Sequences that come in identical pairs tell no more than half of them."""
    truths = [roll(seed) for seed in range(20)]
    ours = [altered(truth, seed) for seed, truth in enumerate(truths)]
    once = frame_accuracy(ours, truths)
    twice = frame_accuracy(ours * 2, truths * 2, np.tile(np.arange(20), 2))
    assert values(twice) == pytest.approx(values(once))
    assert twice.per_frame.interval == pytest.approx(once.per_frame.interval)
    narrow = frame_accuracy(ours * 2, truths * 2).per_frame.interval
    assert narrow[1] - narrow[0] < 0.9 * (once.per_frame.interval[1] - once.per_frame.interval[0])


def test_one_sequence_has_no_spread():
    found = frame_accuracy([altered(roll(0), 1)], [roll(0)])
    assert found.pooled.interval == (found.pooled.value, found.pooled.value)


def test_tensors_and_arrays_are_one():
    truth, probability = roll(0), np.random.default_rng(1).random((40, 128)).astype(np.float32)
    tensors = torch.from_numpy(probability), torch.from_numpy(truth).float()
    assert frame_accuracy([tensors[0]], [tensors[1]]) == frame_accuracy([probability], [truth])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="expected one \\(time, pitch\\)"):
        count(np.zeros((3, 128)), np.zeros((4, 128)))
    with pytest.raises(ValueError, match="expected one \\(time, pitch\\)"):
        count(np.zeros((1, 3, 128)), np.zeros((1, 3, 128)))
    with pytest.raises(ValueError, match="not a number"):
        count(np.full((3, 128), np.nan), np.zeros((3, 128)))
    with pytest.raises(ValueError, match="shorter"):
        frame_accuracy([np.zeros((3, 128))], [])
    with pytest.raises(ValueError, match="no frame"):
        accuracy([])
