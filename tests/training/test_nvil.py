"""NVIL: an upper bound where the proposal covers the model, tight where it is the model, and how it fails."""

import math

import pytest
import torch
from torch import Tensor

from cgrnn_train.likelihood.exact import all_frames, exact_log_partition
from cgrnn_train.likelihood.nvil import BernoulliMixture, gibbs_mixture, nvil_log_partition, nvil_upper_bound
from cgrnn_train.models.head import Head, free_energy
from cgrnn_train.models.hidden_units import Spikes, UnitSlabs

VISIBLE, FRAMES = 8, 5


@pytest.fixture(params=["slabs", "spikes"])
def case(request) -> tuple[Head, Tensor, Tensor]:
    torch.manual_seed(4)
    weight = torch.randn(VISIBLE, 6)
    head = UnitSlabs(0.4 * weight, torch.randn(6)) if request.param == "slabs" else Spikes(weight)
    return head, torch.randn(FRAMES, VISIBLE) - 1, torch.randn(FRAMES, 6) - 1


def exact_bound(case: tuple[Head, Tensor, Tensor], proposal: BernoulliMixture) -> Tensor:
    """½ log Σ_v p*(v)² / q(v): what the draws estimate."""
    head, visible_bias, hidden_bias = case
    every = all_frames(VISIBLE)[:, None].expand(-1, FRAMES, -1)
    energy = free_energy(head.double(), every, visible_bias.double(), hidden_bias.double())
    return 0.5 * torch.logsumexp(-2 * energy - proposal.log_density(every), 0)


def test_the_bound_is_above_and_the_draws_find_it(case):
    exact = exact_log_partition(*case)
    proposal = gibbs_mixture(*case)
    assert (exact_bound(case, proposal) >= exact).all()
    torch.manual_seed(0)
    found = nvil_log_partition(*case, draws=40_000)
    assert found.draws == 40_000
    assert (found.bound > exact - 0.01).all()  # 0.01: the sampling error of a bound that is nearly tight
    assert (found.bound < exact + 0.5).all()
    assert (found.effective_sample_size > 0.05 * found.draws).all()
    assert (found.spread < 0.1).all()


def test_draws_estimate_the_bound_of_their_own_proposal(case):
    proposal = gibbs_mixture(*case)
    head, visible_bias, hidden_bias = case

    def log_weights(count: int):
        frame = proposal.draw(count)
        return -free_energy(head.double(), frame, visible_bias.double(), hidden_bias.double()) - proposal.log_density(
            frame
        )

    torch.manual_seed(1)
    found = nvil_upper_bound(log_weights, draws=100_000, repeats=10)
    # the mean of ten estimates, whose spread is printed: five standard errors for 5 frames
    assert ((found.bound - exact_bound(case, proposal)).abs() < 5 * found.spread / 10**0.5 + 1e-3).all()


def test_a_mixture_s_density_is_one_in_all():
    mixture = BernoulliMixture(torch.randn(3, FRAMES, VISIBLE, dtype=torch.double))
    every = all_frames(VISIBLE)[:, None].expand(-1, FRAMES, -1)
    assert mixture.log_density(every).logsumexp(0).tolist() == pytest.approx([0.0] * FRAMES, abs=1e-12)
    torch.manual_seed(2)
    drawn = mixture.draw(50_000)
    mean = (mixture.log_density(every).exp().unsqueeze(-1) * every).sum(0)
    assert torch.allclose(drawn.mean(0), mean, atol=0.012)  # 40 means, 5 standard errors of 0.5 / √50,000


def test_tight_where_the_proposal_is_the_model():
    """Equal weights: the bound is log Z, the spread nothing, and every draw counts."""
    found = nvil_upper_bound(
        lambda count: torch.full((count, 2), math.log(3), dtype=torch.double), draws=100, repeats=4
    )
    assert found.bound.tolist() == pytest.approx([math.log(3)] * 2, abs=1e-12)
    assert found.spread.tolist() == pytest.approx([0, 0], abs=1e-12)
    assert found.effective_sample_size.tolist() == pytest.approx([100, 100])


def test_a_missed_mode_violates_the_bound_and_only_luck_would_show_it():
    """The documented failure: E_q[w²] is carried by one draw in a million, log Z is 6.9, a thousand draws say 0."""
    torch.manual_seed(3)

    def log_weights(count: int):
        rare = torch.rand(count, 1) < 1e-6
        return torch.where(rare, math.log(1e9), 0.0)

    found = nvil_upper_bound(log_weights, draws=1000, repeats=10)
    assert found.bound.item() < math.log(1e9 * 1e-6)


def test_repeats_need_draws():
    with pytest.raises(ValueError, match="found 1 repeats of 100 draws; expected two or more"):
        nvil_upper_bound(lambda count: torch.zeros(count, 1), draws=100, repeats=1)
