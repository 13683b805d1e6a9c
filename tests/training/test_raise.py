"""RAISE: unbiased for the annealing model, a distribution over frames, below the truth on the model's own frames."""

import pytest
import torch

from cgrnn_train.likelihood.exact import all_frames, exact_log_probabilities
from cgrnn_train.likelihood.raise_ import raise_log_probabilities
from cgrnn_train.models.hidden_units import Spikes, UnitSlabs

VISIBLE = 5
EVERY = all_frames(VISIBLE).float()


def model(kind: str):
    torch.manual_seed(3)
    weight = torch.randn(VISIBLE, 4)
    head = UnitSlabs(0.8 * weight, torch.randn(4)) if kind == "slabs" else Spikes(2 * weight)
    return head, torch.randn(VISIBLE) - 1, torch.randn(4) - 1


@pytest.fixture(params=["slabs", "spikes"])
def case(request):
    head, visible_bias, hidden_bias = model(request.param)
    exact = exact_log_probabilities(head, visible_bias, hidden_bias)
    torch.manual_seed(0)
    return head, visible_bias.expand(32, -1), hidden_bias.expand(32, -1), exact


def test_the_annealing_model_is_a_distribution(case, monkeypatch):
    """Σ over all 32 frames of E[w] = 1 with any path: that the estimator is unbiased, in one number.

    The frames must share their base for that, as the base is part of the annealing model.
    """
    head, visible_bias, hidden_bias, _ = case
    base = torch.zeros_like(visible_bias)
    monkeypatch.setattr("cgrnn_train.likelihood.path.base_bias", lambda *_: base)
    found = raise_log_probabilities(head, EVERY, visible_bias, hidden_bias, temperatures=6, chains=20_000)
    total = found.value.exp()
    error = (total * found.standard_error).square().sum().sqrt()
    assert error < 0.02
    assert total.sum().item() == pytest.approx(1, abs=4 * error.item())


def test_agrees_with_enumeration(case):
    head, visible_bias, hidden_bias, exact = case
    found = raise_log_probabilities(head, EVERY, visible_bias, hidden_bias, temperatures=1000, chains=64)
    # 0.02: what is left of p_ann against p after 1,000 transitions
    assert ((found.value - exact).abs() < 4.5 * found.standard_error + 0.02).all()


def test_errs_low_and_less_with_more_temperatures(case):
    """One chain a frame, where the log of a single weight is low by the most; 300 repeats of every frame."""
    head, visible_bias, hidden_bias, exact = case
    frames, visible_bias, hidden_bias = (rows.repeat(300, 1) for rows in (EVERY, visible_bias, hidden_bias))
    means, errors = [], []
    for temperatures in (1, 10, 100):
        found = raise_log_probabilities(
            head, frames, visible_bias, hidden_bias, temperatures=temperatures, chains=1
        ).value.view(300, -1)
        means.append((exact.exp() * (found - exact)).sum(-1).mean().item())  # over the model's own frames
        errors.append((exact.exp() * (found - exact)).sum(-1).std().item() / 300**0.5)
    assert means == sorted(means)
    assert means[0] < -2 * errors[0]
    assert means[-1] == pytest.approx(0, abs=0.02)  # 100 transitions; three standard errors


def test_on_foreign_frames_it_can_err_high(case):
    """All frames weigh the same; a sharp model finds most of them unlikelier than the annealing model does."""
    head, visible_bias, hidden_bias, _ = case
    head = Spikes(3 * head.weight) if isinstance(head, Spikes) else UnitSlabs(2 * head.weight, head.offset)
    exact = exact_log_probabilities(head, visible_bias[0], hidden_bias[0])
    found = raise_log_probabilities(head, EVERY, visible_bias, hidden_bias, temperatures=2, chains=500)
    excess = found.value - exact
    error = found.standard_error.square().sum().sqrt() / len(exact)
    assert excess.mean() > 0.2 + 5 * error  # nats a frame, above the truth
    assert (exact.exp() * excess).sum() < 0.05  # over its own frames it is not; 0.05 is for the weights' noise
