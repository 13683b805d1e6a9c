"""AIS with its visited frames summed, against enumeration: unbiased in Z, closer than AIS, and bounded from above."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from cgrnn_train.likelihood import summed as summed_room
from cgrnn_train.likelihood import sweep as sweep_room
from cgrnn_train.likelihood import visits as visits_room
from cgrnn_train.likelihood.ais import ais, log_mean
from cgrnn_train.likelihood.exact import all_frames, exact_log_partition, exact_log_probabilities
from cgrnn_train.likelihood.summed import Summed, summed_ais, summed_from_above
from cgrnn_train.likelihood.visits import SEVERAL, Visits
from cgrnn_train.models.head import Head
from cgrnn_train.models.hidden_units import Spikes, UnitSlabs

HEADS = [UnitSlabs, Spikes]
CPU = torch.device("cpu")


def model(kind: type[Head], visible: int, hidden: int, scale: float, seed: int) -> tuple[Head, Tensor, Tensor]:
    torch.manual_seed(seed)
    weight = scale * torch.randn(visible, hidden)
    head = UnitSlabs(weight, torch.randn(hidden)) if kind is UnitSlabs else Spikes(2 * weight)
    return head, torch.randn(1, visible) - 1, torch.randn(1, hidden) - 1


def repeated(bias: Tensor, rows: int) -> Tensor:
    return bias.expand(rows, -1).contiguous()


@pytest.fixture(params=HEADS)
def sharp(request) -> tuple[Head, Tensor, Tensor, float]:
    """A model of several modes, 4,000 times the same, and its log Z."""
    head, visible_bias, hidden_bias = model(request.param, 10, 8, 0.9, seed=5)
    exact = exact_log_partition(head, visible_bias, hidden_bias).item()
    return head, repeated(visible_bias, 4000), repeated(hidden_bias, 4000), exact


@pytest.mark.parametrize("chains", [2, 6])
def test_z_is_unbiased_even_with_few_temperatures(sharp, chains):
    *conditionals, exact = sharp
    ratio = torch.exp(summed_ais(*conditionals, temperatures=3, chains=chains).partition.value - exact)
    assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / len(ratio) ** 0.5
    assert ratio.std() / len(ratio) ** 0.5 < 0.03


def test_log_z_is_below_the_truth_so_that_a_likelihood_errs_high(sharp):
    *conditionals, exact = sharp
    error = summed_ais(*conditionals, temperatures=3, chains=2).partition.value - exact
    assert error.mean() < -3 * error.std() / len(error) ** 0.5


def test_it_errs_less_than_ais_of_twice_the_temperatures(sharp):
    """Which takes as long."""
    *conditionals, exact = sharp
    found = summed_ais(*conditionals, temperatures=20, chains=6).partition.value - exact
    plain = ais(*conditionals, temperatures=40, chains=6)[0].value - exact
    assert found.square().mean() < 0.5 * plain.square().mean()


def test_it_says_what_is_chance_in_it(sharp):
    """The printed error against the true one."""
    *conditionals, exact = sharp
    found = summed_ais(*conditionals, temperatures=20, chains=16).partition
    stated = found.standard_error.square().mean().sqrt()
    assert 2 / 3 < (found.value - exact).square().mean().sqrt() / stated < 3 / 2


def test_what_was_visited_is_a_lower_bound_of_z(sharp):
    *conditionals, exact = sharp
    found = summed_ais(*conditionals, temperatures=5, chains=2)
    assert (found.log_sum <= exact + 1e-5).all()
    assert found.log_sum.std() > 0.001


@pytest.mark.parametrize("kind", HEADS)
def test_marginals_agree_with_enumeration(kind):
    head, visible_bias, hidden_bias = model(kind, 12, 21, 0.4, seed=12)
    exact = (exact_log_probabilities(head, visible_bias[0], hidden_bias[0]).exp() @ all_frames(12)).float()
    conditionals = head, repeated(visible_bias, 50), repeated(hidden_bias, 50)
    found = summed_ais(*conditionals, temperatures=50, chains=16).marginals
    assert (found.mean(0) - exact).abs().max() < 0.02
    assert (found - exact).abs().max() < 0.2
    assert (torch.sigmoid(visible_bias) - exact).abs().max() > 0.2


def exact_samples(conditionals: tuple[Head, Tensor, Tensor], chains: int) -> Tensor:
    head, visible_bias, hidden_bias = conditionals
    probability = exact_log_probabilities(head, visible_bias[0], hidden_bias[0]).exp()
    pick = torch.multinomial(probability, chains * len(visible_bias), replacement=True)
    return all_frames(visible_bias.shape[1])[pick].float().view(chains, len(visible_bias), -1)


def test_exact_samples_bound_z_from_above(sharp):
    head, visible_bias, hidden_bias, exact = sharp
    conditionals = head, visible_bias, hidden_bias
    found = summed_ais(*conditionals, temperatures=10, chains=6)
    start = exact_samples(conditionals, 6)
    above = summed_from_above(*conditionals, found, start=start, temperatures=10) - exact
    assert above.mean() > 0
    assert torch.exp(-above).mean().item() == pytest.approx(1, abs=0.02)  # 1 / Ẑ is unbiased


def test_where_little_was_visited_reverse_ais_bounds_z_from_above():
    """2^20 frames, all alike, of which chains see a hundred."""
    conditionals = Spikes(torch.zeros(20, 3)), torch.zeros(5, 20), torch.zeros(5, 3)
    found = summed_ais(*conditionals, temperatures=5, chains=4)
    exact = torch.tensor(23 * math.log(2)).double()
    assert torch.allclose(found.partition.value, exact, atol=0.1)
    start = (torch.rand(4, 5, 20) < 0.5).float()
    assert torch.allclose(summed_from_above(*conditionals, found, start=start, temperatures=5), exact, atol=0.1)


def test_samples_that_are_in_no_visited_frame_leave_a_bound():
    """The chains are said to have been in one frame alone, which is not that of any sample."""
    conditionals = Spikes(torch.zeros(6, 3)), torch.full((2, 6), -4.0), torch.zeros(2, 3)
    elsewhere = Visits(6, CPU)
    elsewhere.add(torch.ones(3, 2, 6))
    found = summed_ais(*conditionals, temperatures=20, chains=3)
    misled = dataclasses.replace(found, visited=elsewhere.visited())
    above = summed_from_above(*conditionals, misled, start=torch.zeros(3, 2, 6), temperatures=20)
    assert (above - found.partition.value > 2).all()
    assert above.isfinite().all()


def test_a_chain_alone_is_refused(sharp):
    *conditionals, _ = sharp
    with pytest.raises(ValueError, match="found 1 chains; expected 2 at least"):
        summed_ais(*conditionals, temperatures=3, chains=1)


def as_sets(found: Summed) -> list[set[tuple[bool, ...]]]:
    rows, frames = found.visited.rows.tolist(), found.visited.frames(6).tolist()
    return [{tuple(frame) for row, frame in zip(rows, frames, strict=True) if row == wanted} for wanted in range(7)]


def test_frames_keep_to_their_rows_whatever_is_merged_when(monkeypatch):
    """Seven rows of a model without couplings; merged after every sweep, or at the end."""
    torch.manual_seed(0)
    head, visible_bias, hidden_bias = Spikes(torch.zeros(6, 4)), 3 * torch.randn(7, 6), torch.zeros(7, 4)
    found: list[Summed] = []
    for limit in (1, 10**9):
        monkeypatch.setattr(visits_room, "MERGE_ROWS", limit)
        torch.manual_seed(1)
        found.append(summed_ais(head, visible_bias, hidden_bias, temperatures=20, chains=3))
    assert as_sets(found[0]) == as_sets(found[1])
    assert torch.allclose(found[0].partition.value, found[1].partition.value)
    assert found[0].visited.counted.sum() == 7 * 3 * 20
    # a factorised model is known all but for what no chain saw
    assert torch.allclose(found[0].partition.value, exact_log_partition(head, visible_bias, hidden_bias), atol=0.1)
    assert torch.allclose(found[0].marginals, torch.sigmoid(visible_bias), atol=0.1)


def test_visits_know_who_was_where():
    wide = torch.zeros(3, 128)
    wide[0, 0], wide[1, 61], wide[2, [62, 127]] = 1, 1, 1
    visits = Visits(128, CPU)
    visits.add(torch.stack([wide[[0]], wide[[0]]]))  # both chains in frame 0
    visits.add(torch.stack([wide[[1]], wide[[2]]]), is_counted=True)
    visits.add(torch.stack([wide[[1]], wide[[2]]]), is_counted=True)
    visits.add(torch.stack([wide[[0]], wide[[0]]]), first_row=5)
    found = visits.visited()
    by_frame = {
        (row, int(frame.nonzero()[0])): (chain, counted)
        for row, frame, chain, counted in zip(
            found.rows.tolist(), found.frames(128), found.chain.tolist(), found.counted.tolist(), strict=True
        )
    }
    assert by_frame == {(0, 0): (SEVERAL, 0), (0, 61): (0, 2), (0, 62): (1, 2), (5, 0): (SEVERAL, 0)}
    other = Visits(128, CPU)
    other.add(wide[None, [1]])
    other.add(wide[None, [1]], first_row=5)
    assert other.visited().are_in(found).tolist() == [True, False]
    assert found.are_in(other.visited()).sum() == 1


@pytest.mark.parametrize("visible", [5, 24, 48, 49, 88, 128])
def test_each_frame_comes_back_with_every_pitch(visible):
    """Dense frames, the full and the silent one, and for each pitch one that differs in it alone from another."""
    dense = (torch.rand(1, visible, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    frames = torch.cat([dense, (dense - torch.eye(visible)).abs(), torch.zeros(1, visible), torch.ones(1, visible)])
    wanted = frames.unique(dim=0)
    visits = Visits(visible, CPU)
    visits.add(frames[:, None])
    assert torch.equal(visits.visited().frames(visible).float().unique(dim=0), wanted)
    assert len(visits.visited().rows) == len(wanted)


def test_weights_that_scatter_count_less():
    """The effective sample size stays that of the chains' weights."""
    head, visible_bias, hidden_bias = model(Spikes, 10, 8, 0.9, seed=5)
    found = summed_ais(head, visible_bias, hidden_bias, temperatures=10, chains=8)
    assert torch.allclose(found.partition.effective_sample_size, log_mean(found.annealed.gain).effective_sample_size)


def test_no_more_visits_are_noted_than_memory_is_meant_for(monkeypatch):
    head, visible_bias, hidden_bias = model(Spikes, 10, 8, 0.9, seed=5)
    for noted in (12, 13):
        monkeypatch.setattr(summed_room, "NOTED", noted)
        found = summed_ais(head, visible_bias, hidden_bias, temperatures=40, chains=3)
        assert found.visited.counted.sum() == 12  # of 120


def test_z_is_unbiased_where_not_every_visit_is_noted(sharp, monkeypatch):
    monkeypatch.setattr(summed_room, "NOTED", 6)
    *conditionals, exact = sharp
    ratio = torch.exp(summed_ais(*conditionals, temperatures=7, chains=2).partition.value - exact)
    assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / len(ratio) ** 0.5


def test_marginals_times_z_are_unbiased(sharp):
    head, visible_bias, hidden_bias, exact = sharp
    marginals = exact_log_probabilities(head, visible_bias[0], hidden_bias[0]).exp() @ all_frames(10)
    found = summed_ais(head, visible_bias, hidden_bias, temperatures=3, chains=2)
    mass = found.marginals * torch.exp(found.partition.value - exact)[:, None]
    error = mass.std(0) / len(mass) ** 0.5
    assert ((mass.mean(0) - marginals).abs() < 4.5 * error).all()


def test_rows_of_several_tiles_keep_apart(monkeypatch):
    """Seven models, two rows a tile: log Z, marginals and the bound from above are of each row's own."""
    torch.manual_seed(3)
    head, visible_bias, hidden_bias = Spikes(torch.randn(6, 4)), 2 * torch.randn(7, 6), torch.randn(7, 4)
    monkeypatch.setattr(sweep_room, "TILE_ROWS", 16)
    found = summed_ais(head, visible_bias, hidden_bias, temperatures=60, chains=8)
    exact = exact_log_partition(head, visible_bias, hidden_bias)
    assert torch.allclose(found.partition.value, exact, atol=0.05)
    rows = zip(visible_bias, hidden_bias, strict=True)
    marginals = torch.stack([exact_log_probabilities(head, *row).exp() @ all_frames(6) for row in rows])
    assert torch.allclose(found.marginals.double(), marginals, atol=0.05)
    start = found.annealed.frames
    other = summed_ais(head, visible_bias, hidden_bias, temperatures=60, chains=8)
    above = summed_from_above(head, visible_bias, hidden_bias, other, start=start, temperatures=60)
    assert torch.allclose(above, exact, atol=0.1)


def test_visits_on_the_path_are_noted_in_their_own_rows_too(monkeypatch):
    """Seven rows, two a tile, each with biases that allow one frame only."""
    monkeypatch.setattr(sweep_room, "TILE_ROWS", 6)
    wanted = torch.eye(7, 8)
    found = summed_ais(
        Spikes(torch.zeros(8, 2)), 100 * wanted - 50, torch.zeros(7, 2), temperatures=6, chains=3
    ).visited
    assert found.rows.tolist() == list(range(7))
    assert torch.equal(found.frames(8).float(), wanted)
