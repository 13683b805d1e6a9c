"""The conditional RBMs over sound, of one gain and of more, against enumeration and quadrature."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor

from cgrnn_train.likelihood.wave_exact import all_spikes, exact_spike_log_weights, exact_wave_log_partition
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.continuous import ContinuousFrames, WaveConditionals
from cgrnn_train.models.continuous_cssrbm import LOUD, QUIET, ContinuousCSSRBM
from cgrnn_train.models.gaussian_rbm import GaussianRBM
from cgrnn_train.models.gru import gru_update
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.wave_units import WaveSlabs
from grids import grid

VISIBLE, HIDDEN, STATE = 2, 5, 3
GAINS = pytest.mark.parametrize("gains", [1, 5])


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


def a_small_cgrnn() -> CGRNN:
    """Of five gains and lively weights, its feed a sample."""
    torch.manual_seed(16)
    model = CGRNN(CGRNNConfig("continuous", 3, 4, STATE, mlp=(), feed="sampled", gains=5)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.6)
    return model


def test_a_reconstruction_is_on_average_that_of_every_gain_by_its_chance():
    rbm, count = a_small_cgrnn().rbm, 40_000
    with torch.no_grad():
        given, units = rbm.conditionals(torch.randn(STATE).double()), rbm.units()
        v = given.colour(torch.tensor([3.0, -2.0, 1.0]).double())
        at, gains = rbm.at_gains(units, v, given), rbm.log_gains.double().exp()
        share = torch.softmax(at.log_weight, -1)
        assert share.max() < 0.9  # more than one counts
        whitened = units.mean_hidden(at.drive, at.logits) @ units.weight.T  # (gains, visible)
        expected = given.colour((share * gains) @ whitened)
    found = rbm.reconstruct(v.expand(count, -1), each_row(given, count))
    assert ((found.mean(0) - expected).abs() < 5 * found.std(0) / count**0.5).all()


def test_a_sampled_feed_is_drawn_at_the_gain_of_its_frame():
    """The state after one frame, over many draws, beside that of feeds drawn by hand."""
    model, count = a_small_cgrnn(), 40_000
    rbm = model.rbm
    assert isinstance(rbm, ContinuousCSSRBM)
    with torch.no_grad():
        given, units = rbm.conditionals(model.initial_state), rbm.units()
        v = given.colour(torch.tensor([8.0, -6.0, 4.0]).double()).expand(count, -1)
        found = model.advance(model.initial_state.expand(count, -1), v)
        x = given.whiten(v) / rbm.draw_gain(v, each_row(given, count))
        feed = torch.asinh(units.draw_hidden(*units.look(x, given.hidden_bias)))
        gates = torch.asinh(v) @ model.frame_weight.T + model.input_bias + feed @ model.feed_weight.T
        past = model.initial_state @ model.state_weight.T + model.state_bias
        expected = gru_update(gates, past.expand(count, -1), model.initial_state.expand(count, -1))
    error = (found.var(0) + expected.var(0)).sqrt() / count**0.5
    assert ((found.mean(0) - expected.mean(0)).abs() < 5 * error).all()
