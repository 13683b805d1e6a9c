"""The precision of a frame of sound given its spikes: the curvature of the energy, and positive definite always."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from cgrnn_bundle.bundle import load
from cgrnn_bundle.layout import MIN_SCALE
from cgrnn_bundle.shipped import find_bundle
from cgrnn_live.transition import Transition
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.continuous import WaveConditionals
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.precisions import precisions_of

STATE = 3


def a_cssrbm(visible: int, hidden: int, size: float = 0.6) -> ContinuousCSSRBM:
    """Of random parameters in float64, R ``size`` times a standard normal."""
    rbm = ContinuousCSSRBM(visible, hidden, STATE).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=0.6)
        rbm.raw_weight.normal_(std=size)
    return rbm


def test_the_precision_of_v_given_spikes_is_the_curvature_of_the_energy_with_the_slabs_integrated_out():
    """By autograd, of E(v, h, s) written out as in `wave_units`, and of −log p(v, h) as the model has it."""
    torch.manual_seed(12)
    rbm = a_cssrbm(4, 5)
    given = rbm.conditionals(torch.randn(STATE).double())
    h = torch.tensor([1.0, 0, 1, 1, 0]).double()

    def energy(v: Tensor, s: Tensor) -> Tensor:
        units, x = rbm.units(), given.whiten(v)
        return (
            0.5 * x @ x
            + 0.5 * s @ s
            - (units.weight.T @ x * s) @ h
            - given.hidden_bias @ h
            + 0.5 * units.offset.square() @ h
            - (units.offset * s) @ h
        )

    def collapsed(v: Tensor) -> Tensor:
        x = given.whiten(v)
        return 0.5 * x @ x - rbm.units().look(x, given.hidden_bias)[1] @ h

    at, slabs = torch.randn(4).double(), torch.randn(5).double()
    (vv, vs), (sv, ss) = cast("tuple[tuple[Tensor, ...], ...]", torch.autograd.functional.hessian(energy, (at, slabs)))
    found = rbm.precision(h, given)
    assert torch.allclose(found, vv - vs @ torch.linalg.solve(ss, sv), rtol=1e-9)
    assert torch.allclose(found, cast(Tensor, torch.autograd.functional.hessian(collapsed, at)), rtol=1e-9)
    assert (found - torch.diag(found.diagonal())).abs().max() > 0.1  # correlated: the test is not of a diagonal


def test_the_precision_of_many_frames_is_that_of_each_and_positive_definite():
    torch.manual_seed(13)
    rbm = a_cssrbm(10, 25, size=20.0)  # far beyond what training makes
    given = rbm.conditionals(0.1 * torch.randn(3, 40, STATE).double())
    h = (torch.rand(3, 40, 25) < torch.rand(3, 40, 1)).double()
    found = rbm.precision(h, given)
    assert found.shape == (3, 40, 10, 10)
    one = WaveConditionals(*(part[2, 7] for part in given))
    assert torch.allclose(found[2, 7], rbm.precision(h[2, 7], one))
    scale = given.visible_scale
    assert (torch.linalg.eigvalsh(found * scale[..., :, None] * scale[..., None, :]) > 0).all()
    silent = rbm.precision(torch.zeros_like(h), given)
    assert torch.allclose(silent, torch.diag_embed(scale**-2))  # diagonal: no spike is on


def test_the_precision_is_float64_whatever_the_model_is():
    torch.manual_seed(14)
    rbm = a_cssrbm(6, 8, size=1e3).float()
    given = rbm.conditionals(torch.zeros(STATE))
    found = rbm.precision(torch.ones(8), given)
    assert found.dtype == torch.float64
    assert (torch.linalg.eigvalsh(found) > 0).all()


def test_the_precisions_of_a_clip_are_at_the_gains_of_its_frames():
    """Of silent spikes: 1/d² g⁻², for gains drawn from the same seed."""
    torch.manual_seed(15)
    model = CGRNN(CGRNNConfig("continuous", 6, 8, STATE, mlp=(), gains=5)).eval()
    with torch.no_grad():
        model.rbm.hidden_bias.fill_(-1e3)
    frames = 3 * torch.randn(1, 20, 6)
    torch.manual_seed(16)
    found = precisions_of(model, frames)
    assert found is not None
    with torch.no_grad():
        given = WaveConditionals(*(part[0] for part in model(frames)))
        torch.manual_seed(16)
        gain = model.rbm.draw_gain(frames[0], given)
    assert gain.unique().numel() > 1
    expected = torch.diag_embed((gain * given.visible_scale).double() ** -2)
    assert torch.allclose(torch.from_numpy(found.matrices), expected, rtol=1e-5)


def test_the_precision_of_the_shipped_model_is_positive_definite_for_1000_states_and_spikes():
    bundle = load(find_bundle("pluck"))
    transition, weight = Transition(bundle), bundle.arrays["weight"].astype(np.float64)
    random = np.random.default_rng(0)
    least = np.inf
    for _ in range(1000):
        np.copyto(transition.state, random.uniform(-1, 1, len(transition.state)))
        np.copyto(transition.frame, random.standard_normal(len(transition.frame)) * 10 ** random.uniform(-2, 2))
        transition.advance()
        scale = transition.implied["visible_scale"].astype(np.float64)
        assert scale.min() >= MIN_SCALE
        spikes = random.random(weight.shape[1]) < random.random()
        whitened = np.eye(len(weight)) - weight[:, spikes] @ weight[:, spikes].T
        precision = whitened / np.outer(scale, scale)
        least = min(least, np.linalg.eigvalsh(precision)[0])
    assert least > 0
