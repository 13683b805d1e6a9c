"""AIS against enumeration: within its printed error, unbiased in Z, weighted before the transition."""

import math

import pytest
import torch

from cgrnn_train.likelihood.ais import ais_log_partition, summarise
from cgrnn_train.likelihood.exact import exact_log_partition
from cgrnn_train.models.cssrbm import Slabs, UnitSlabs


def model(visible: int, hidden: int, frames: int, scale: float, seed: int):
    torch.manual_seed(seed)
    slabs = Slabs(scale * torch.randn(visible, hidden), 0.5 + torch.rand(hidden), torch.randn(hidden))
    return slabs, torch.randn(frames, visible) - 1, torch.randn(frames, hidden) - 1


@pytest.mark.parametrize(("visible", "hidden", "scale"), [(8, 5, 0.5), (12, 20, 0.4), (16, 10, 0.6)])
def test_agrees_with_enumeration_within_the_printed_error(visible, hidden, scale):
    slabs, visible_bias, hidden_bias = model(visible, hidden, 6, scale, seed=visible)
    exact = exact_log_partition(slabs, visible_bias, hidden_bias)
    torch.manual_seed(0)
    found = ais_log_partition(UnitSlabs.of(slabs), visible_bias, hidden_bias, temperatures=1000, chains=128)
    # 4 standard errors: 18 frames in all would fail by chance less than once in 800 seeds, and the seed is fixed
    assert ((found.log_z - exact).abs() < 4 * found.standard_error + 1e-4).all()
    assert (found.standard_error < 0.1).all()
    assert (found.effective_sample_size > 0.3 * 128).all()


def test_z_is_unbiased_even_with_few_temperatures():
    """E[Ẑ] = Z on any path: the mean over many chains, where the log of each alone would be far off."""
    slabs, visible_bias, hidden_bias = model(8, 5, 1, 0.6, seed=5)
    exact = exact_log_partition(slabs, visible_bias, hidden_bias)
    torch.manual_seed(0)
    found = ais_log_partition(UnitSlabs.of(slabs), visible_bias, hidden_bias, temperatures=5, chains=200_000)
    assert found.log_z.item() == pytest.approx(exact.item(), abs=5 * found.standard_error.item())
    assert found.standard_error.item() < 0.01


def test_a_factorised_model_is_found_to_two_decimals():
    """With W = 0 the chains have nothing to mix: what is left is the noise of the base's marginals."""
    torch.manual_seed(7)
    slabs = Slabs(torch.zeros(6, 3), torch.ones(3), torch.ones(3))
    visible_bias, hidden_bias = torch.randn(4, 6), torch.zeros(4, 3)
    exact = exact_log_partition(slabs, visible_bias, hidden_bias)
    found = ais_log_partition(UnitSlabs.of(slabs), visible_bias, hidden_bias, temperatures=2000, chains=64)
    assert found.log_z.tolist() == pytest.approx(exact.tolist(), abs=0.01)


def test_chunks_cover_every_frame():
    slabs, visible_bias, hidden_bias = model(8, 5, 7, 0.3, seed=6)
    done: list[int] = []
    found = ais_log_partition(
        UnitSlabs.of(slabs), visible_bias, hidden_bias, temperatures=300, chains=64, chunk=3, progress=done.append
    )
    assert done == [3, 3, 1]
    assert torch.allclose(found.log_z, exact_log_partition(slabs, visible_bias, hidden_bias), atol=0.1)


def test_summary_of_known_weights():
    summary = summarise(torch.log(torch.tensor([[1.0], [3.0]], dtype=torch.double)))
    assert summary.log_z.item() == pytest.approx(math.log(2))
    assert summary.effective_sample_size.item() == pytest.approx(16 / 10)  # (Σw)² / Σw²
    assert summary.standard_error.item() == pytest.approx(math.sqrt(0.5) / math.sqrt(2))
