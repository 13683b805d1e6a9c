"""The upper bound on log Z over sound: its proposal is a density, and it lies above the exact log Z."""

import math

import pytest
import torch

from cgrnn_train.likelihood.wave_exact import exact_wave_log_partition
from cgrnn_train.likelihood.wave_nvil import gibbs_mixture, wave_nvil_log_partition
from cgrnn_train.models.wave_units import WaveSlabs, WaveSpikes, WaveUnits


def units(kind: str, visible: int = 3, hidden: int = 5) -> WaveUnits:
    torch.manual_seed(0)
    raw = torch.randn(visible, hidden).double()
    return WaveSlabs(raw, torch.randn(hidden).double()) if kind == "slabs" else WaveSpikes(0.6 * raw)


@pytest.mark.parametrize("kind", ["slabs", "spikes"])
def test_the_proposal_is_a_density_and_draws_from_it(kind: str):
    own = units(kind, visible=2)
    torch.manual_seed(1)
    mixture = gibbs_mixture(own, torch.randn(1, 5), components=6)
    axis = torch.linspace(-40, 40, 1601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    density = (mixture.log_density(grid[:, None])[:, 0] - math.log(2 * math.pi)).exp() * float(axis[1] - axis[0]) ** 2
    assert density.sum().item() == pytest.approx(1, abs=1e-6)
    drawn = mixture.draw(200_000)[:, 0]
    mean = density @ grid
    spread = (density @ grid.square() - mean.square()).sqrt()
    assert ((drawn.mean(0) - mean).abs() < 5 * spread / 200_000**0.5).all()
    assert torch.allclose(drawn.std(0), spread, rtol=0.03)


@pytest.mark.parametrize("kind", ["slabs", "spikes"])
def test_the_bound_lies_above_the_exact_value_and_tells_its_spread(kind: str):
    own = units(kind)
    torch.manual_seed(2)
    bias = torch.randn(12, 5)
    exact = exact_wave_log_partition(own, bias)
    found = wave_nvil_log_partition(own, bias, draws=20_000)
    assert found.draws == 20_000
    assert (found.bound > exact - 4 * found.spread).all()
    assert (found.bound - exact).mean() < 1
    assert (found.bound - exact).mean() > 0
    assert (found.effective_sample_size > 100).all()
