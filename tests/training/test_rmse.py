"""RMSE of sound: cases worked by hand, its interval, and the ratio of two systems."""

import math

import numpy as np
import pytest
import torch

from cgrnn_train.rmse import SquaredError, frame_rmse, rmse, rmse_ratio, squared_error


def sound(seed, frames=20, samples=150):
    return np.random.default_rng(seed).normal(size=(frames, samples))


def test_by_hand():
    """Two frames whose squared errors add up to 9 + 16 and to 0: the root of 25 / 2."""
    truth = np.zeros((2, 4))
    prediction = np.array([[3.0, 0, -4.0, 0], [0, 0, 0, 0]])
    assert squared_error(prediction, truth) == (2, 25.0)
    assert frame_rmse([prediction], [truth]).value == pytest.approx(math.sqrt(12.5))


def test_the_mean_is_over_frames_of_all_sequences_not_over_sequences():
    found = rmse([SquaredError(3, 12.0), SquaredError(1, 36.0)])
    assert found.value == pytest.approx(math.sqrt(48 / 4))
    assert (found.sums, found.lengths) == ((12.0, 36.0), (3, 1))


def test_identity_and_silence():
    truths = [sound(seed) for seed in range(3)]
    found = frame_rmse(truths, truths)
    assert (found.value, found.interval) == (0.0, (0.0, 0.0))
    silent = frame_rmse([np.zeros_like(truth) for truth in truths], truths)
    assert silent.value == pytest.approx(math.sqrt(150), rel=0.05)  # normalised sound: a variance of 1 a sample


def test_sequences_without_frames_change_nothing():
    truths = [sound(seed) for seed in range(3)]
    ours, nothing = [truth + 0.1 for truth in truths], np.zeros((0, 150))
    assert frame_rmse([*ours, nothing], [*truths, nothing]) == frame_rmse(ours, truths)


def test_intervals_contain_the_value_repeat_and_widen_with_fewer_sequences():
    truths = [sound(seed) for seed in range(30)]
    ours = [truth + 0.01 * (index + 1) for index, truth in enumerate(truths)]
    found = frame_rmse(ours, truths, seed=3)
    assert found.interval[0] < found.value < found.interval[1]
    assert found == frame_rmse(ours, truths, seed=3)
    assert found.interval != frame_rmse(ours, truths, seed=4).interval
    few = frame_rmse(ours[::6], truths[::6]).interval
    assert few[1] - few[0] > found.interval[1] - found.interval[0]


def test_parts_of_a_song_are_drawn_together():
    """Sequences that come in identical pairs tell no more than half of them."""
    truths = [sound(seed) for seed in range(20)]
    ours = [truth + 0.01 * (index + 1) for index, truth in enumerate(truths)]
    once = frame_rmse(ours, truths)
    twice = frame_rmse(ours * 2, truths * 2, np.tile(np.arange(20), 2))
    assert twice.value == pytest.approx(once.value)
    assert twice.interval == pytest.approx(once.interval)
    assert len(twice.sums) == 20
    assert twice.lengths == (40,) * 20


def test_a_ratio_draws_the_same_sequences_for_both():
    """Sequences differ by far, the two systems by a fifth in each: of that there is no doubt."""
    truths = [sound(seed) for seed in range(20)]
    near, far = (
        frame_rmse([truth + scale * (index + 1) for index, truth in enumerate(truths)], truths) for scale in (0.16, 0.2)
    )
    assert near.interval[1] > far.interval[0]
    ratio = rmse_ratio(near, far)
    assert ratio is not None
    assert ratio.value == pytest.approx(0.8)
    assert ratio.interval == pytest.approx((0.8, 0.8))


def test_there_is_no_ratio_of_other_sequences_or_to_what_errs_nowhere():
    ours = rmse([SquaredError(3, 12.0), SquaredError(1, 36.0)])
    assert rmse_ratio(ours, rmse([SquaredError(2, 12.0), SquaredError(2, 36.0)])) is None
    assert rmse_ratio(ours, rmse([SquaredError(3, 0.0), SquaredError(1, 0.0)])) is None


def test_tensors_and_arrays_are_one():
    truth, prediction = sound(0).astype(np.float32), sound(1).astype(np.float32)
    assert frame_rmse([torch.from_numpy(prediction)], [torch.from_numpy(truth)]) == frame_rmse([prediction], [truth])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"expected one \(time, sample\)"):
        squared_error(np.zeros((3, 150)), np.zeros((4, 150)))
    with pytest.raises(ValueError, match=r"expected one \(time, sample\)"):
        squared_error(np.zeros((1, 3, 150)), np.zeros((1, 3, 150)))
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="expected finite predictions"):
            squared_error(np.full((3, 150), wrong), np.zeros((3, 150)))
    with pytest.raises(ValueError, match="shorter"):
        frame_rmse([np.zeros((3, 150))], [])
    with pytest.raises(ValueError, match="no frame"):
        rmse([])
