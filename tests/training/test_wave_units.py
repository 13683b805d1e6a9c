"""The hidden units of an RBM over whitened sound, and AIS over them, against enumeration and quadrature."""

import dataclasses
import math

import pytest
import torch

from cgrnn_train.likelihood.wave_ais import reverse_wave_ais, wave_ais
from cgrnn_train.likelihood.wave_exact import MAX_HIDDEN, all_spikes, exact_spike_log_weights, exact_wave_log_partition
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.wave_units import WaveSlabs, WaveSpikes, WaveUnits, raw_of
from grids import grid

VISIBLE, HIDDEN, STATE = 2, 5, 3


def slabs() -> WaveSlabs:
    torch.manual_seed(0)
    return WaveSlabs(1.2 * torch.randn(VISIBLE, HIDDEN).double(), torch.randn(HIDDEN).double())


def spikes() -> WaveSpikes:
    torch.manual_seed(1)
    return WaveSpikes(0.8 * torch.randn(VISIBLE, HIDDEN).double())


UNITS = pytest.mark.parametrize("units", [slabs(), spikes()], ids=["slabs", "spikes"])
BIAS = torch.linspace(-1.5, 1, HIDDEN, dtype=torch.float64)


def scaled(units: WaveUnits, share: float) -> WaveUnits:
    """The same units with ``share`` of W."""
    if isinstance(units, WaveSlabs):
        return dataclasses.replace(units, raw=raw_of(share * units.weight))
    return WaveSpikes(share * units.weight)


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
