"""Sparsity of activations: the two ends of each measure, values by hand, and what must not matter."""

import math

import numpy as np
import pytest

from cgrnn_train.sparsity import hoyer, near_zero


def test_one_active_unit_is_as_sparse_as_can_be():
    one_hot = np.eye(10)[[3, 3, 7]] * np.array([[1.0], [-5.0], [1e-200]])
    assert hoyer(one_hot) == pytest.approx(1.0)
    assert near_zero(np.eye(10)) == 0.9


def test_equal_activations_are_not_sparse():
    constant = np.full((4, 9), -2.0)
    assert hoyer(constant) == pytest.approx(0.0, abs=1e-12)  # the sum of nine roundings
    assert near_zero(constant) == 0.0


def test_values_by_hand():
    # n = 4, L1 = 7, L2 = 5: (2 − 7/5) / (2 − 1); two of four are zero.
    assert hoyer(np.array([[3.0, 0.0, -4.0, 0.0]])) == pytest.approx(0.6)
    assert near_zero(np.array([[3.0, 0.0, -4.0, 0.0]])) == 0.5
    assert hoyer(np.array([[3.0, 0.0, -4.0, 0.0], [1.0, 0.0, 0.0, 0.0]])) == pytest.approx(0.8)


def test_near_zero_is_measured_by_the_largest_of_the_piece():
    values = np.array([[1.0, 0.02], [0.5, 0.00999]])
    assert near_zero(values) == 0.25
    assert near_zero(values, share=0.6) == 0.75


def test_scale_and_sign_do_not_matter():
    values = np.random.default_rng(0).normal(size=(20, 30))
    assert hoyer(-1e6 * values) == pytest.approx(hoyer(values))
    assert near_zero(-1024 * values) == near_zero(values)


def test_frames_without_activity_have_no_sparsity_of_their_own():
    assert hoyer(np.array([[0.0, 0.0], [0.0, 1.0]])) == pytest.approx(1.0)
    assert math.isnan(hoyer(np.zeros((3, 4))))
    assert near_zero(np.zeros((3, 4))) == 1.0


@pytest.mark.parametrize("measure", [hoyer, near_zero])
@pytest.mark.parametrize("shape", [(3,), (0, 4), (4, 0), (2, 3, 4)])
def test_other_shapes_are_refused(measure, shape):
    with pytest.raises(ValueError, match="expected \\(time, latent\\)"):
        measure(np.ones(shape))


def test_one_unit_has_no_hoyer_sparsity():
    with pytest.raises(ValueError, match="two at least"):
        hoyer(np.ones((3, 1)))
