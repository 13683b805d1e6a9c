"""The binary C-ssRBM's equations against brute force: quadrature over slabs, enumeration over spikes and frames."""

import math

import pytest
import torch

from cgrnn_train.likelihood.exact import all_frames, exact_log_partition, exact_log_probabilities
from cgrnn_train.models.cssrbm import BinaryCSSRBM, Slabs, UnitSlabs, free_energy, slab_constant

VISIBLE, HIDDEN, STATE = 4, 3, 5
EXACT = 1e-9  # float64 and a quadrature whose own error is far below it


@pytest.fixture
def rbm() -> BinaryCSSRBM:
    torch.manual_seed(1)
    model = BinaryCSSRBM(VISIBLE, HIDDEN, STATE).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
        model.centre.copy_(torch.rand(VISIBLE))
    return model


@pytest.fixture
def biases(rbm: BinaryCSSRBM) -> tuple[torch.Tensor, torch.Tensor]:
    visible_bias, hidden_bias = rbm.biases(torch.randn(STATE, dtype=torch.double))
    return visible_bias.detach(), hidden_bias.detach()


def energy(slabs: Slabs, v, h, s, visible_bias, hidden_bias):
    """E as the module's docstring prints it, term by term."""
    weight, alpha, mu = (tensor.detach() for tensor in slabs)
    a = v @ weight
    return (
        (0.5 * alpha * s**2).sum()
        - (a * s * h).sum()
        - visible_bias @ v
        - hidden_bias @ h
        + (0.5 * alpha * mu**2 * h).sum()
        - (alpha * mu * s * h).sum()
    )


def slab_integral(slabs: Slabs, v, h, unit, visible_bias, hidden_bias, power=0):
    """∫ sᵖ exp(−E_unit) ds over one slab on a grid: the trapezoid rule is exact to rounding for a Gaussian."""
    grid = torch.linspace(-60, 60, 24001, dtype=torch.double)
    weight, alpha, mu = (tensor.detach()[..., unit] for tensor in slabs)
    a = v @ weight
    exponent = -(0.5 * alpha * grid**2 - a * grid * h + 0.5 * alpha * mu**2 * h - alpha * mu * grid * h)
    return torch.trapezoid(grid**power * torch.exp(exponent), grid)


def test_free_energy_is_the_integral_of_the_energy(rbm, biases):
    slabs = rbm.slabs()
    for v in all_frames(VISIBLE):
        total = torch.exp(biases[0] @ v)
        for unit in range(HIDDEN):
            on = slab_integral(slabs, v, 1.0, unit, *biases) * torch.exp(biases[1][unit])
            total = total * (on + slab_integral(slabs, v, 0.0, unit, *biases))
        found = free_energy(slabs, v, *biases) - slab_constant(slabs)
        assert found.item() == pytest.approx(-math.log(total), abs=EXACT)


def test_spikes_and_slabs_given_the_frame(rbm, biases):
    slabs = rbm.slabs()
    unit_slabs = UnitSlabs.of(slabs)
    for v in all_frames(VISIBLE):
        drive, logits = unit_slabs.spike_logits(v, biases[1])
        for unit in range(HIDDEN):
            on = slab_integral(slabs, v, 1.0, unit, *biases) * torch.exp(biases[1][unit])
            off = slab_integral(slabs, v, 0.0, unit, *biases)
            assert torch.sigmoid(logits[unit]).item() == pytest.approx((on / (on + off)).item(), abs=EXACT)
            norm = slab_integral(slabs, v, 1.0, unit, *biases)
            mean = slab_integral(slabs, v, 1.0, unit, *biases, power=1) / norm
            square = slab_integral(slabs, v, 1.0, unit, *biases, power=2) / norm
            alpha = slabs.precision[unit]
            assert (drive[unit] / alpha.sqrt()).item() == pytest.approx(mean.item(), abs=EXACT)
            assert (square - mean**2).item() == pytest.approx(1 / alpha.item(), abs=EXACT)


def test_frame_given_spikes_and_slabs(rbm, biases):
    slabs = rbm.slabs()
    h = torch.tensor([1.0, 0.0, 1.0], dtype=torch.double)
    s = torch.tensor([0.3, -2.0, 1.7], dtype=torch.double)
    weights = torch.stack([torch.exp(-energy(slabs, v, h, s, *biases)) for v in all_frames(VISIBLE)])
    marginal = (weights[:, None] * all_frames(VISIBLE)).sum(0) / weights.sum()
    expected = torch.sigmoid(slabs.weight @ (s * h) + biases[0])
    assert marginal.tolist() == pytest.approx(expected.tolist(), abs=EXACT)


def test_centring_is_a_change_of_parameters_only(rbm, biases):
    """η of the uncentred parameters is η of the centred frame."""
    slabs = rbm.slabs()
    _, logits = UnitSlabs.of(slabs).spike_logits(all_frames(VISIBLE), rbm.folded_hidden_bias())
    drive = (all_frames(VISIBLE) - rbm.centre) @ rbm.weight
    expected = drive**2 / (2 * rbm.precision) + rbm.slab_mean * drive + rbm.hidden_bias
    assert torch.allclose(logits, expected, atol=EXACT)


def test_start_from_reproduces_the_mean_frame():
    model = BinaryCSSRBM(VISIBLE, HIDDEN, STATE)
    mean = torch.tensor([0.1, 0.4, 0.02, 0.7])
    model.start_from(mean)
    with torch.no_grad():
        model.weight.zero_()
    probabilities = exact_log_probabilities(model.slabs(), model.visible_bias, model.hidden_bias).exp()
    assert (probabilities @ all_frames(VISIBLE)).tolist() == pytest.approx(mean.tolist(), abs=1e-6)  # float32 logits


def test_gibbs_leaves_the_exact_distribution_invariant(rbm, biases):
    """Chains that start exactly distributed stay so: χ² over all 16 frames, 15 degrees of freedom."""
    torch.manual_seed(2)
    slabs = Slabs(*(tensor.detach() for tensor in rbm.slabs()))
    exact = exact_log_probabilities(slabs, *biases).exp()
    draws = 40_000
    frames = all_frames(VISIBLE)[torch.multinomial(exact, draws, replacement=True)]
    unit = UnitSlabs.of(slabs)
    for _ in range(3):
        frames = unit.sweep(frames, *biases)
    counts = torch.bincount((frames @ 2.0 ** torch.arange(VISIBLE).double()).long(), minlength=2**VISIBLE)
    statistic = ((counts - draws * exact) ** 2 / (draws * exact)).sum().item()
    assert statistic < 37.7  # the 99.9 % point of χ² with 15 degrees of freedom; the seed is fixed


def test_gibbs_from_anywhere_reaches_the_exact_distribution(rbm, biases):
    torch.manual_seed(3)
    slabs = Slabs(*(tensor.detach() for tensor in rbm.slabs()))
    exact = exact_log_probabilities(slabs, *biases).exp()
    frames = torch.ones(40_000, VISIBLE, dtype=torch.double)
    unit = UnitSlabs.of(slabs)
    for _ in range(200):
        frames = unit.sweep(frames, *biases)
    counts = torch.bincount((frames @ 2.0 ** torch.arange(VISIBLE).double()).long(), minlength=2**VISIBLE)
    statistic = ((counts - 40_000 * exact) ** 2 / (40_000 * exact)).sum().item()
    assert statistic < 37.7


def test_free_energy_gradient_difference_is_the_likelihoods(rbm, biases):
    """With exact expectations, the contrast's gradient is that of −log p(v)."""
    v = all_frames(VISIBLE)[9]
    log_z = exact_log_partition(rbm.slabs(), biases[0][None], biases[1][None])
    (free_energy(rbm.slabs(), v, *biases) + log_z[0]).backward()
    expected = rbm.weight.grad.clone()
    rbm.zero_grad()
    probabilities = exact_log_probabilities(rbm.slabs(), *biases).exp().detach()
    energies = free_energy(rbm.slabs(), all_frames(VISIBLE), *biases)
    (free_energy(rbm.slabs(), v, *biases) - probabilities @ energies).backward()
    assert torch.allclose(rbm.weight.grad, expected, atol=EXACT)


def test_enumeration_refuses_too_many_units():
    with pytest.raises(ValueError, match="at most 20"):
        all_frames(21)
