"""The binary C-ssRBM's equations against brute force: quadrature over slabs, enumeration over spikes and frames."""

import math

import pytest
import torch

from cgrnn_train.likelihood.exact import all_frames, exact_log_partition, exact_log_probabilities
from cgrnn_train.likelihood.sweep import Sweeper
from cgrnn_train.models.cssrbm import BinaryCSSRBM, slab_constant
from cgrnn_train.models.head import free_energy
from cgrnn_train.models.hidden_units import Slabs, UnitSlabs
from cgrnn_train.models.start import FrameStatistics

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
    visible_bias, hidden_bias = rbm.conditionals(torch.randn(STATE, dtype=torch.double))
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


def slab_integral(slabs: Slabs, v, h, unit, power=0):
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
            on = slab_integral(slabs, v, 1.0, unit) * torch.exp(biases[1][unit])
            total = total * (on + slab_integral(slabs, v, 0.0, unit))
        found = free_energy(UnitSlabs.of(slabs), v, *biases) - slab_constant(slabs)
        assert found.item() == pytest.approx(-math.log(total), abs=EXACT)


def test_spikes_and_slabs_given_the_frame(rbm, biases):
    slabs = rbm.slabs()
    unit_slabs = UnitSlabs.of(slabs)
    for v in all_frames(VISIBLE):
        drive, logits = unit_slabs.spike_logits(v, biases[1])
        for unit in range(HIDDEN):
            on = slab_integral(slabs, v, 1.0, unit) * torch.exp(biases[1][unit])
            off = slab_integral(slabs, v, 0.0, unit)
            assert torch.sigmoid(logits[unit]).item() == pytest.approx((on / (on + off)).item(), abs=EXACT)
            mean = slab_integral(slabs, v, 1.0, unit, power=1) / slab_integral(slabs, v, 1.0, unit)
            assert (drive[unit] / slabs.precision[unit].sqrt()).item() == pytest.approx(mean.item(), abs=EXACT)


def test_drawn_slabs_have_the_moments_of_the_energy(rbm, biases):
    """Mean and mean square of s∘h given v, which hold the variance 1/α, within 5 standard errors of the draws."""
    torch.manual_seed(4)
    slabs = Slabs(*(tensor.detach() for tensor in rbm.slabs()))
    unit_slabs, v, draws = UnitSlabs.of(slabs), all_frames(VISIBLE)[11], 200_000
    drive, logits = unit_slabs.spike_logits(v.expand(draws, -1), biases[1])
    drawn = unit_slabs.draw_hidden(drive, logits) / slabs.precision.sqrt()
    for unit in range(HIDDEN):
        odds = torch.exp(biases[1][unit])
        total = slab_integral(slabs, v, 1.0, unit) * odds + slab_integral(slabs, v, 0.0, unit)
        for power in (1, 2):
            expected = slab_integral(slabs, v, 1.0, unit, power) * odds / total
            sample = drawn[:, unit] ** power
            assert abs(sample.mean() - expected) < 5 * sample.std() / draws**0.5


def test_frame_given_spikes_and_slabs(rbm, biases):
    slabs = rbm.slabs()
    h = torch.tensor([1.0, 0.0, 1.0], dtype=torch.double)
    s = torch.tensor([0.3, -2.0, 1.7], dtype=torch.double)
    weights = torch.stack([torch.exp(-energy(slabs, v, h, s, *biases)) for v in all_frames(VISIBLE)])
    marginal = (weights[:, None] * all_frames(VISIBLE)).sum(0) / weights.sum()
    logits = UnitSlabs.of(slabs).pitch_logits(slabs.precision.sqrt() * s * h, biases[0])
    assert torch.sigmoid(logits).tolist() == pytest.approx(marginal.tolist(), abs=EXACT)


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_a_drawn_frame_is_of_the_energy_given_the_frame_before(rbm, biases, beta):
    """Both sweeps against p(v' | v) = Σ_h ∫ p(v' | s, h) p(s, h | v): the pitches' marginals, by quadrature.

    At an inverse temperature, which `Sweeper` alone has, of the whole energy but for the visible bias.
    """
    torch.manual_seed(5)
    slabs = Slabs(*(tensor.detach()[..., :1] for tensor in rbm.slabs()))  # one unit: a sum over h, an integral over s
    visible_bias, hidden_bias = biases[0], biases[1][:1]
    v, draws = all_frames(VISIBLE)[6], 200_000
    grid = torch.linspace(-60, 60, 24001, dtype=torch.double)
    weight, alpha, mu = slabs
    quadratic = -0.5 * alpha * grid**2
    off = torch.exp(beta * quadratic)
    on = torch.exp(beta * (quadratic + (v @ weight + alpha * mu) * grid - 0.5 * alpha * mu**2 + hidden_bias))
    given_on = torch.trapezoid(on * torch.sigmoid(beta * weight * grid + visible_bias[:, None]), grid)
    given_off = torch.trapezoid(off, grid) * torch.sigmoid(visible_bias)
    expected = (given_on + given_off) / torch.trapezoid(on + off, grid)
    unit_slabs = UnitSlabs.of(slabs)
    sweeper = Sweeper(unit_slabs, hidden_bias[None], draws)
    sweeper.look(v.expand(draws, 1, -1), beta)
    drawn = [sweeper.draw(visible_bias[None])[:, 0]]
    if beta == 1:
        drawn.append(unit_slabs.sweep(v.expand(draws, -1), visible_bias.expand(draws, -1), hidden_bias))
    for frames in drawn:
        assert ((frames.mean(0) - expected).abs() < 5 * (expected * (1 - expected) / draws).sqrt()).all()


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
    model.start_from(FrameStatistics(mean))
    with torch.no_grad():
        model.weight.zero_()
    probabilities = exact_log_probabilities(model.head(), model.visible_bias, model.hidden_bias).exp()
    assert (probabilities @ all_frames(VISIBLE)).tolist() == pytest.approx(mean.tolist(), abs=1e-6)  # float32 logits


def test_gibbs_leaves_the_exact_distribution_invariant(rbm, biases):
    """Chains that start exactly distributed stay so: χ² over all 16 frames, 15 degrees of freedom."""
    torch.manual_seed(2)
    slabs = Slabs(*(tensor.detach() for tensor in rbm.slabs()))
    exact = exact_log_probabilities(UnitSlabs.of(slabs), *biases).exp()
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
    exact = exact_log_probabilities(UnitSlabs.of(slabs), *biases).exp()
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
    log_z = exact_log_partition(rbm.head(), biases[0][None], biases[1][None])
    (free_energy(rbm.head(), v, *biases) + log_z[0]).backward()
    expected = rbm.weight.grad.clone()
    rbm.zero_grad()
    probabilities = exact_log_probabilities(rbm.head(), *biases).exp().detach()
    energies = free_energy(rbm.head(), all_frames(VISIBLE), *biases)
    (free_energy(rbm.head(), v, *biases) - probabilities @ energies).backward()
    assert torch.allclose(rbm.weight.grad, expected, atol=EXACT)


def test_enumeration_refuses_too_many_units():
    with pytest.raises(ValueError, match="at most 20"):
        all_frames(21)
