"""The conditional RBMs over sound against enumeration and quadrature."""

import dataclasses
import math
from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor

from cgrnn_train.likelihood.wave_ais import reverse_wave_ais, wave_ais
from cgrnn_train.likelihood.wave_exact import MAX_HIDDEN, all_spikes, exact_spike_log_weights, exact_wave_log_partition
from cgrnn_train.models.continuous import ContinuousFrames, WaveConditionals
from cgrnn_train.models.continuous_cssrbm import LOUD, QUIET, ContinuousCSSRBM
from cgrnn_train.models.gaussian_rbm import GaussianRBM
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.wave_units import WaveSlabs, WaveSpikes, WaveUnits, raw_of

VISIBLE, HIDDEN, STATE = 2, 5, 3


def slabs() -> WaveSlabs:
    torch.manual_seed(0)
    return WaveSlabs(1.2 * torch.randn(VISIBLE, HIDDEN).double(), torch.randn(HIDDEN).double())


def spikes() -> WaveSpikes:
    torch.manual_seed(1)
    return WaveSpikes(0.8 * torch.randn(VISIBLE, HIDDEN).double())


UNITS = pytest.mark.parametrize("units", [slabs(), spikes()], ids=["slabs", "spikes"])
GAINS = pytest.mark.parametrize("gains", [1, 5])
BIAS = torch.linspace(-1.5, 1, HIDDEN, dtype=torch.float64)


def scaled(units: WaveUnits, share: float) -> WaveUnits:
    """The same units with ``share`` of W."""
    if isinstance(units, WaveSlabs):
        return dataclasses.replace(units, raw=raw_of(share * units.weight))
    return WaveSpikes(share * units.weight)


def grid(reach: float, points: int) -> tuple[Tensor, float]:
    """A grid over the plane, (points², 2), and the log of a cell's area."""
    axis = torch.linspace(-reach, reach, points, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), 2 * math.log(float(axis[1] - axis[0]))


@UNITS
def test_log_z_by_enumeration_is_that_of_the_free_energy_by_quadrature(units: WaveUnits):
    x, cell = grid(40.0, 1601)  # far beyond the widest direction, in steps of a twentieth of the narrowest
    energy = units.free_energy(x, BIAS)
    by_quadrature = torch.logsumexp(-energy, 0) + cell - math.log(2 * math.pi)  # in units of (2π)^(D/2)
    assert exact_wave_log_partition(units, BIAS[None])[0].item() == pytest.approx(by_quadrature.item(), abs=1e-6)


def test_the_free_energy_is_the_energy_with_spikes_and_slabs_summed_out():
    units = slabs()
    x = torch.randn(7, VISIBLE).double()
    s = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    total = -0.5 * x.square().sum(-1)
    for unit in range(HIDDEN):  # given x the units are independent
        a, m = x @ units.weight[:, unit], units.offset[unit]
        silent = -0.5 * s.square()
        active = silent + a[:, None] * s + BIAS[unit] - 0.5 * m**2 + m * s
        both = torch.logsumexp(torch.stack([silent.expand_as(active), active]), dim=(0, 2))
        total = total + both + math.log(0.01) - 0.5 * math.log(2 * math.pi)
    assert torch.allclose(-units.free_energy(x, BIAS), total, atol=1e-9)


@UNITS
def test_x_given_spikes_has_the_moments_of_its_gaussian(units: WaveUnits):
    torch.manual_seed(2)
    h = torch.tensor([1.0, 0, 1, 1, 0]).double()
    draws = units.given_spikes(h.expand(200_000, -1))
    covariance = torch.eye(VISIBLE).double()
    mean = units.weight @ h
    if isinstance(units, WaveSlabs):
        covariance = torch.linalg.inv(torch.eye(VISIBLE).double() - units.weight @ torch.diag(h) @ units.weight.T)
        mean = covariance @ units.weight @ (units.offset * h)
    assert torch.allclose(draws.mean[0], mean, atol=1e-9)
    scale = covariance.diagonal().sqrt()
    assert ((draws.sample.mean(0) - mean).abs() < 5 * scale / 200_000**0.5).all()
    error = (draws.sample.T.cov() - covariance).abs() / torch.outer(scale, scale)
    assert (error < 5 * 2**0.5 / 200_000**0.5).all()


@UNITS
def test_hidden_units_given_x_have_their_means(units: WaveUnits):
    torch.manual_seed(3)
    look = units.look(torch.tensor([0.7, -1.1]).double(), BIAS)
    drawn = units.draw_hidden(*(part.expand(100_000, -1) for part in look))
    error = drawn.std(0) / 100_000**0.5
    assert ((drawn.mean(0) - units.mean_hidden(*look)).abs() < 5 * error).all()


@pytest.mark.parametrize("collapsed", [True, False])
@pytest.mark.parametrize("kind", [ContinuousCSSRBM, GaussianRBM])
def test_gibbs_reproduces_the_exact_mean_and_covariance_of_v(kind: type[ContinuousFrames], collapsed: bool):
    torch.manual_seed(4)
    rbm = kind(3, 4, STATE).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=0.8)
    given = rbm.conditionals(torch.randn(STATE).double())
    rows = each_row(given, 4000)
    exact_mean, exact_covariance = exact_moments(rbm, given)
    chains, kept = torch.zeros(4000, 3).double(), list[Tensor]()
    for sweep in range(120):
        fantasy, chains = rbm.gibbs(chains, rows, 1, collapsed=collapsed)
        if sweep >= 40:
            kept.append(rows.colour(fantasy))
    v = torch.stack(kept)  # (sweeps, chains, 3)
    error = v.mean(0).std(0) / 4000**0.5  # chains are independent
    assert ((v.mean((0, 1)) - exact_mean).abs() < 5 * error).all()
    products = torch.einsum("sci,scj->cij", v - exact_mean, v - exact_mean) / len(v)
    assert ((products.mean(0) - exact_covariance).abs() < 5 * products.std(0) / 4000**0.5).all()


@GAINS
def test_frames_are_drawn_with_the_exact_mean_and_covariance_of_v(gains: int):
    torch.manual_seed(14)
    rbm = ContinuousCSSRBM(3, 4, STATE, gains=gains).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=0.6)
    given = rbm.conditionals(torch.randn(STATE).double())
    exact_mean, exact_covariance = exact_moments(rbm, given)
    v = rbm.draw(torch.zeros(40_000, 3).double(), each_row(given, 40_000), 25)
    assert ((v.mean(0) - exact_mean).abs() < 5 * v.std(0) / 40_000**0.5).all()
    products = (v - exact_mean)[:, :, None] * (v - exact_mean)[:, None]
    assert ((products.mean(0) - exact_covariance).abs() < 5 * products.std(0) / 40_000**0.5).all()
    annealed = rbm.anneal(each_row(given, 500), temperatures=20, chains=20).mean
    assert ((annealed.mean(0) - exact_mean).abs() < 5 * annealed.std(0) / 500**0.5 + 1e-9).all()


def each_row(given: WaveConditionals, rows: int) -> WaveConditionals:
    return WaveConditionals(*(part.expand(rows, -1) for part in given))


def exact_moments(rbm: ContinuousFrames, given: WaveConditionals) -> tuple[Tensor, Tensor]:
    """Mean and covariance of v by enumeration: for each gain a mixture of 2^H Gaussians."""
    with torch.no_grad():
        units, every = rbm.units(), all_spikes(len(given.hidden_bias))
        share = torch.softmax(exact_spike_log_weights(units, given.hidden_bias[None])[0], 0)
        covariances = torch.eye(len(given.visible_mean)).double().expand(len(every), -1, -1)
        if isinstance(units, WaveSlabs):
            covariances = torch.linalg.inv(covariances - (units.weight * every[:, None]) @ units.weight.T)
        means = units.given_spikes(every).mean
        second = torch.einsum("h,hij->ij", share, covariances + means[:, :, None] * means[:, None, :])
        chance, gain = torch.softmax(given.gain_logits, -1), rbm.log_gains.double().exp()
        mean = (chance @ gain) * (share @ means)
        covariance = (chance @ gain.square()) * second - torch.outer(mean, mean)
        scale = given.visible_scale
        return given.colour(mean), covariance * torch.outer(scale, scale)


@GAINS
def test_p_of_v_integrates_to_one(gains: int):
    torch.manual_seed(5)
    rbm = ContinuousCSSRBM(VISIBLE, HIDDEN, STATE, gains=gains).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=0.6)
        given = rbm.conditionals(torch.randn(STATE).double())
        v, cell = grid(60.0, 2401)
        log_p = -rbm.free_energy(v, given) - exact_wave_log_partition(rbm.units(), given.hidden_bias[None])
    assert torch.logsumexp(log_p, 0).item() + cell == pytest.approx(0, abs=1e-6)


def test_precision_is_positive_definite_for_any_weight_and_spikes():
    torch.manual_seed(6)
    raw = 30 * torch.randn(10, 25).double()  # far beyond what training makes
    weight = WaveSlabs(raw, torch.zeros(25).double()).weight
    assert torch.linalg.matrix_norm(weight, 2) < 1
    for _ in range(1000):
        h = (torch.rand(25) < torch.rand(())).double()
        assert torch.linalg.eigvalsh(torch.eye(10).double() - (weight * h) @ weight.T)[0] > 0
    covariance = torch.linalg.inv(torch.eye(10).double() - weight @ weight.T)
    assert torch.allclose(covariance, torch.eye(10).double() + raw @ raw.T, rtol=1e-8)
    assert torch.allclose(raw_of(weight), raw, rtol=1e-6)


@UNITS
def test_ais_and_its_reverse_sandwich_the_exact_log_z(units: WaveUnits):
    torch.manual_seed(7)
    bias = BIAS + torch.randn(20, HIDDEN).double()
    exact = exact_wave_log_partition(units, bias)
    path = [*(scaled(units, math.sqrt(step / 100)) for step in range(100)), units]
    forward = wave_ais(path, bias, chains=64)
    weights = exact_spike_log_weights(units, bias)
    codes = torch.multinomial(torch.softmax(weights, -1), 64, replacement=True)  # (rows, chains)
    start = all_spikes(HIDDEN)[codes.T]  # (chains, rows, hidden)
    reverse = reverse_wave_ais(path, bias, start=start)
    for found in (forward.partition, reverse):
        assert ((found.value - exact).abs() < 5 * found.standard_error + 1e-3).all()
        assert found.value.mean().item() == pytest.approx(exact.mean().item(), abs=0.02)
    means = torch.softmax(weights, -1) @ units.given_spikes(all_spikes(HIDDEN)).mean
    spread = units.given_spikes(start.flatten(0, 1)).mean.std(0)
    assert ((forward.mean - means).abs().mean(0) < 3 * spread / 64**0.5).all()  # 64 weighted chains a row


def test_few_temperatures_err_high_in_likelihood_on_average_and_z_is_unbiased():
    units = slabs()
    torch.manual_seed(8)
    path = [*(scaled(units, share) for share in (0, 0.8)), units]
    found = wave_ais(path, BIAS.expand(20_000, -1), chains=2)
    gap = exact_wave_log_partition(units, BIAS[None]) - found.partition.value
    assert gap.mean() > 5 * gap.std() / 20_000**0.5  # log Z too low
    estimate = torch.exp(-gap)
    assert abs(estimate.mean() - 1) < 5 * estimate.std() / 20_000**0.5


@pytest.mark.parametrize("kind", [ContinuousCSSRBM, GaussianRBM])
def test_the_path_ends_at_the_units_and_begins_without_influence(kind: type[ContinuousFrames]):
    torch.manual_seed(9)
    rbm = kind(6, 4, STATE)
    path = rbm.path(10)
    assert len(path) == 11
    assert path[0].weight.abs().max() == 0
    assert torch.equal(path[-1].weight, rbm.units().weight)
    sizes = [torch.linalg.matrix_norm(units.weight, 2).item() for units in path]
    assert sizes == sorted(sizes)


def a_cssrbm_of_gains(visible: int, hidden: int, state: int) -> ContinuousCSSRBM:
    return ContinuousCSSRBM(visible, hidden, state, gains=5)


@pytest.mark.parametrize("kind", [ContinuousCSSRBM, GaussianRBM, a_cssrbm_of_gains])
def test_the_contrast_s_gradient_is_the_likelihood_s_in_expectation(kind: Callable[[int, int, int], ContinuousFrames]):
    """∇ of −log p(v) with log Z by enumeration, against the contrast with exact samples for the fantasy."""
    torch.manual_seed(10)
    rbm = kind(3, 4, STATE).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=0.5)
    state = torch.randn(STATE).double()
    frames = torch.randn(5, 3).double()

    def partition() -> Tensor:
        """log Z by enumeration, differentiable."""
        units, every = rbm.units(), all_spikes(4)
        return torch.logsumexp(every @ rbm.conditionals(state).hidden_bias + units.given_spikes(every).log_weight, 0)

    likelihood = rbm.free_energy(frames, rbm.conditionals(state)).mean() + partition()
    exact = torch.autograd.grad(likelihood, list(rbm.parameters()))
    with torch.no_grad():
        units = rbm.units()
        share = torch.softmax(exact_spike_log_weights(units, rbm.conditionals(state).hidden_bias[None])[0], 0)
    draws = 40
    found = []
    for _ in range(draws):
        codes = torch.multinomial(share, 5000, replacement=True)
        fantasy = units.given_spikes(all_spikes(4)[codes]).sample.detach()
        data = rbm.contrast(frames, fantasy[:5], rbm.conditionals(state))  # of which the data's share is kept
        model = rbm.units().free_energy(fantasy, rbm.conditionals(state).hidden_bias)
        same = rbm.units().free_energy(fantasy[:5], rbm.conditionals(state).hidden_bias)
        found.append(torch.autograd.grad(data.mean() + same.mean() - model.mean(), list(rbm.parameters())))
    for index, expected in enumerate(exact):
        parts = torch.stack([cast(Tensor, gradients[index]) for gradients in found])
        error = parts.std(0) / draws**0.5
        assert ((parts.mean(0) - expected).abs() < 5 * error + 1e-9).all()


def coloured_start() -> FrameStatistics:
    mixing = torch.randn(6, 6, generator=torch.Generator().manual_seed(11)) * torch.tensor([3.0, 1, 0.5, 0.3, 0.2, 0.1])
    return FrameStatistics(torch.linspace(-0.5, 0.5, 6), mixing @ mixing.T)


def untrained(hidden: int) -> ContinuousCSSRBM:
    rbm = ContinuousCSSRBM(6, hidden, STATE)
    rbm.start_from(coloured_start())
    return rbm.double()


def test_an_untrained_model_has_the_mean_of_the_training_frames():
    found, _ = exact_moments(untrained(8), untrained(8).conditionals(torch.zeros(STATE).double()))
    assert torch.allclose(found, coloured_start().mean.double(), atol=1e-6)


def test_the_spikes_of_an_untrained_model_add_the_covariance_of_the_training_frames():
    """On the average of many: d² (I + RRᵀ) with all on is QUIET² (the narrowest's + LOUD times the frames')."""
    torch.manual_seed(3)
    start = coloured_start()
    assert start.covariance is not None
    std = start.covariance.diagonal().sqrt().double()
    narrowest = torch.linalg.eigvalsh(start.covariance.double() / torch.outer(std, std))[0]
    total = torch.zeros(6, 6).double()
    for _ in range(400):
        rbm = untrained(9)
        scale = rbm.conditionals(torch.zeros(STATE).double()).visible_scale
        whitened = torch.eye(6) + rbm.raw_weight @ rbm.raw_weight.T
        total += (torch.outer(scale, scale) * whitened).detach() / 400
    expected = QUIET**2 * (narrowest * torch.diag(std.square()) + LOUD * start.covariance.double())
    assert ((total - expected).abs() / torch.outer(std, std)).max() < 0.1 * LOUD * QUIET**2


def test_the_spikes_of_an_untrained_model_attract_one_another():
    """How many are on varies more than if each turned alone: a frame is loud or quiet as a whole."""
    torch.manual_seed(12)
    rbm = untrained(10)
    bias = rbm.conditionals(torch.zeros(STATE).double()).hidden_bias[None]
    share = torch.softmax(exact_spike_log_weights(rbm.units(), bias)[0], 0).detach()
    spikes = all_spikes(10).double()
    each, count = share @ spikes, spikes.sum(1)
    alone = (each * (1 - each)).sum()
    together = share @ count.square() - (share @ count).square()
    assert together > 1.05 * alone
    assert 0.4 < each.mean() < 0.95


def test_given_the_columns_of_w_are_orthogonal_few_chains_give_log_z():
    """Also where a spike of a wide direction hardly ever turns."""
    torch.manual_seed(12)
    axes = torch.linalg.qr(torch.randn(8, 8).double()).Q
    units = WaveSlabs(axes * torch.logspace(0, 2.5, 8).double(), torch.zeros(8).double())
    bias = torch.randn(5, 8).double() - 3
    exact = exact_wave_log_partition(units, bias)
    rbm = ContinuousCSSRBM(8, 8, STATE).double()
    with torch.no_grad():
        rbm.raw_weight.copy_(units.raw)
    found = wave_ais(rbm.path(10), bias, chains=2).partition
    assert torch.allclose(found.value, exact, atol=1e-6)


def test_more_spikes_than_can_be_enumerated_are_refused():
    with pytest.raises(ValueError, match=f"expected at most {MAX_HIDDEN}"):
        all_spikes(17)


def test_what_a_frame_says_of_its_gain_and_hidden_units_is_bayes_rule():
    """p(g | v, u) and E[h∘s | v, u] by enumeration of gains and spikes from densities of v."""
    torch.manual_seed(15)
    rbm = ContinuousCSSRBM(3, 4, STATE, gains=5).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=0.6)
        given, units = rbm.conditionals(torch.randn(STATE).double()), rbm.units()
        v = given.colour(torch.tensor([2.0, -1.0, 0.5]).double())
        every, gains = all_spikes(4), rbm.log_gains.double().exp()
        means = units.given_spikes(every).mean
        covariances = torch.linalg.inv(torch.eye(3).double() - (units.weight * every[:, None]) @ units.weight.T)
        prior = torch.log_softmax(exact_spike_log_weights(units, given.hidden_bias[None])[0], 0)
        densities = [
            torch.distributions.MultivariateNormal(gain * means, gain**2 * covariances).log_prob(given.whiten(v))
            for gain in gains
        ]
        joint = prior + torch.stack(densities) + torch.log_softmax(given.gain_logits, -1)[:, None]  # (gains, 2^H)
        assert torch.allclose(
            joint.logsumexp((0, 1)) - given.visible_scale.log().sum(),
            -rbm.free_energy(v, given) - exact_wave_log_partition(units, given.hidden_bias[None])[0],
        )
        share = torch.softmax(joint.flatten(), 0).view_as(joint)
        found = torch.softmax(rbm.at_gains(units, v, given).log_weight, -1)
        assert torch.allclose(found, share.sum(1), atol=1e-9)
        slabs_at = torch.stack([given.whiten(v) / gain @ units.weight + units.offset for gain in gains])
        expected = (share @ every * slabs_at).sum(0)
        assert torch.allclose(rbm.activations(v, given), expected, atol=1e-9)
        drawn = rbm.draw_gain(v.expand(20_000, -1), each_row(given, 20_000))
        frequency = (drawn == rbm.log_gains.exp()).double().mean(0)
        assert ((frequency - share.sum(1)).abs() < 5 * 0.5 / 20_000**0.5).all()
