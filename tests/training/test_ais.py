"""AIS against enumeration: within its printed error, unbiased in Z, weighted before the transition."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.likelihood.ais import ais_log_partition, log_mean
from cgrnn_train.likelihood.exact import all_frames, exact_log_partition
from cgrnn_train.likelihood.path import AnnealingPath
from cgrnn_train.likelihood.sweep import Sweeper, gibbs
from cgrnn_train.models.head import Head
from cgrnn_train.models.hidden_units import Spikes, UnitSlabs

HEADS = [UnitSlabs, Spikes]


def model(kind: type[Head], visible: int, hidden: int, frames: int, scale: float, seed: int):
    torch.manual_seed(seed)
    weight = scale * torch.randn(visible, hidden)
    head = UnitSlabs(weight, torch.randn(hidden)) if kind is UnitSlabs else Spikes(2 * weight)
    return head, torch.randn(frames, visible) - 1, torch.randn(frames, hidden) - 1


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(("visible", "hidden", "scale"), [(8, 5, 0.5), (12, 21, 0.4), (16, 10, 0.6)])
def test_agrees_with_enumeration_within_the_printed_error(kind, visible, hidden, scale):
    head, visible_bias, hidden_bias = model(kind, visible, hidden, 6, scale, seed=visible)
    exact = exact_log_partition(head, visible_bias, hidden_bias)
    found = ais_log_partition(head, visible_bias, hidden_bias, temperatures=1000, chains=128)
    # 4 standard errors: 36 frames in all would fail by chance once in 400 seeds, and the seed is fixed
    assert ((found.value - exact).abs() < 4 * found.standard_error + 1e-4).all()
    assert (found.standard_error < 0.1).all()
    assert (found.effective_sample_size > 0.3 * 128).all()


@pytest.mark.parametrize("kind", HEADS)
def test_z_is_unbiased_even_with_few_temperatures(kind):
    """E[Ẑ] = Z on any path: the mean over many chains, where the log of each alone would be far off."""
    head, visible_bias, hidden_bias = model(kind, 8, 5, 1, 0.6, seed=5)
    exact = exact_log_partition(head, visible_bias, hidden_bias)
    found = ais_log_partition(head, visible_bias, hidden_bias, temperatures=5, chains=200_000)
    assert found.value.item() == pytest.approx(exact.item(), abs=5 * found.standard_error.item())
    assert found.standard_error.item() < 0.01


@pytest.mark.parametrize("kind", HEADS)
def test_a_factorised_model_is_found_to_two_decimals(kind):
    """With W = 0 the chains have nothing to mix: what is left is the noise of the base's marginals."""
    torch.manual_seed(7)
    head = UnitSlabs(torch.zeros(6, 3), torch.ones(3)) if kind is UnitSlabs else Spikes(torch.zeros(6, 3))
    visible_bias, hidden_bias = torch.randn(4, 6), torch.zeros(4, 3)
    exact = exact_log_partition(head, visible_bias, hidden_bias)
    found = ais_log_partition(head, visible_bias, hidden_bias, temperatures=2000, chains=64)
    assert found.value.tolist() == pytest.approx(exact.tolist(), abs=0.01)


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_a_sweep_leaves_the_model_invariant(kind, beta):
    """Exact samples of p_β stay exact: what makes a cheaper draw of the same conditionals the same sampler."""
    head, visible_bias, hidden_bias = model(kind, 5, 4, 1, 0.8, seed=8)
    probability, frame = samples(head, visible_bias, hidden_bias, beta)
    sweeper = Sweeper(head, hidden_bias, len(frame))
    sweeper.look(frame[:, None], beta)
    assert_drawn_from(probability, sweeper.draw(visible_bias)[:, 0])


@pytest.mark.parametrize("kind", HEADS)
def test_so_do_gibbs_chains_and_they_leave_their_starts_alone(kind):
    head, visible_bias, hidden_bias = model(kind, 5, 4, 1, 0.8, seed=8)
    probability, frame = samples(head, visible_bias, hidden_bias, 1.0)
    began, biases = frame.clone(), (visible_bias.expand(len(frame), -1), hidden_bias.expand(len(frame), -1))
    ended = gibbs(head, frame[None], *biases, 3)[0]
    assert torch.equal(frame, began)
    assert (ended != began).any(1).double().mean() > 0.5
    assert_drawn_from(probability, ended)


def samples(head: Head, visible_bias: Tensor, hidden_bias: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """p_β of all 32 frames, the whole energy but for the visible bias at ``beta``, and 400,000 exact samples of it."""
    every = all_frames(5).float()
    _, logits = head.spike_logits(every, hidden_bias)
    probability = torch.softmax((every * visible_bias).sum(-1) + F.softplus(beta * logits).sum(-1), 0)
    return probability, every[torch.multinomial(probability, 400_000, replacement=True)]


def assert_drawn_from(probability: Tensor, frames: Tensor) -> None:
    """Each of the 32 frequencies within 4.5 standard errors: by chance, once in 4,000 seeds."""
    code = (frames @ (2.0 ** torch.arange(5))).long()
    found = torch.bincount(code, minlength=32) / len(frames)
    assert ((found - probability).abs() < 4.5 * (probability / len(frames)).sqrt()).all()


def test_chains_of_many_frames_follow_their_own_biases():
    """More frames than a tile holds, each with a bias that fixes its frame."""
    wanted = (torch.rand(2500, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    began = (1 - wanted).expand(2, -1, -1)
    ended = gibbs(Spikes(torch.zeros(6, 4)), began, 200 * wanted - 100, torch.zeros(2500, 4), 1)
    assert torch.equal(ended, wanted.expand(2, -1, -1))
    assert torch.equal(gibbs(Spikes(torch.zeros(6, 4)), began, 0 * wanted, torch.zeros(2500, 4), 0), began)


@pytest.mark.parametrize("hidden", [1, 2, 5, 21, 150])
@pytest.mark.parametrize("shift", [-100.0, -1.0, 0.0, 100.0])
def test_gains_are_the_difference_of_softplus(hidden, shift):
    """In products of factors and in float32, against the plain difference in float64; also with steps too large for it.

    What a factor exceeds 1 by is kept to float32's 6e-8, and so is a product of them, of which at least e⁻⁴ is left in
    all but rare cases: 3e-6 of one product, of which there are ten; 1e-6 of the whole sum where that is more.
    """
    torch.manual_seed(hidden)
    head, hidden_bias = Spikes(torch.randn(12, hidden)), shift + 10 * torch.randn(3, hidden)
    frame = (torch.rand(8, 3, 12) < 0.5).float()
    sweeper = Sweeper(head, hidden_bias, 8)
    logits = head.spike_logits(frame, hidden_bias)[1].double()
    for previous, beta in [(0.0, 0.001), (0.5, 0.501), (0.51, 0.5), (0.98, 1.0), (0.9, 0.93), (0.0, 1.0), (1.0, 0.0)]:
        sweeper.look(frame, beta)
        expected = (F.softplus(beta * logits) - F.softplus(previous * logits)).sum(-1)
        assert torch.allclose(sweeper.softplus_gain(previous), expected, rtol=1e-6, atol=3e-5)


def test_a_path_sums_its_gains_without_loss():
    """With W = 0 and no base to leave, the gains telescope to softplus(η) − softplus(0), whatever is drawn."""
    head, hidden_bias = Spikes(torch.zeros(6, 150)), 5 * torch.randn(4, 150)
    visible_bias = torch.randn(4, 6)
    path = AnnealingPath(head, visible_bias, hidden_bias, 1000, base=visible_bias)
    expected = (F.softplus(hidden_bias.double()) - math.log(2)).sum(-1).expand(16, -1)
    # float32's relative 6e-8 of 200 nats, a few roundings a step, of which the same η at every step makes a bias
    assert torch.allclose(path.ascend(path.draw_base(16)).gain, expected, rtol=0, atol=1e-4)


def test_chunks_cover_every_frame_and_leave_torch_s_generator_alone():
    head, visible_bias, hidden_bias = model(UnitSlabs, 8, 5, 7, 0.3, seed=6)
    before = torch.get_rng_state()
    found = ais_log_partition(head, visible_bias, hidden_bias, temperatures=300, chains=64, chunk=3)
    assert torch.allclose(found.value, exact_log_partition(head, visible_bias, hidden_bias), atol=0.1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_head_of_another_kind_is_refused():
    class Other(Spikes):
        pass

    head = Other(torch.zeros(3, 2))
    Sweeper(head, torch.zeros(1, 2), 1)  # a subclass draws as its parent does
    with pytest.raises(TypeError, match="found a head str; expected UnitSlabs or Spikes"):
        Sweeper("head", torch.zeros(1, 2), 1)  # pyright: ignore[reportArgumentType]


def test_summary_of_known_weights():
    summary = log_mean(torch.log(torch.tensor([[1.0], [3.0]], dtype=torch.double)))
    assert summary.value.item() == pytest.approx(math.log(2))
    assert summary.effective_sample_size.item() == pytest.approx(16 / 10)  # (Σw)² / Σw²
    assert summary.standard_error.item() == pytest.approx(math.sqrt(0.5) / math.sqrt(2))
