"""Systematic resampling: as many copies as a particle's weight promises, rows apart, nothing from weights of zero."""

import math

import pytest
import torch

from cgrnn_train.models.resampling import systematic_ancestors


def counts(ancestors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(ancestors, ancestors.shape[-1]).sum(-2).double()


def test_each_particle_is_kept_in_proportion():
    weight = torch.tensor([0.5, 0.0, 0.3, 0.2], dtype=torch.float64)
    torch.manual_seed(3)
    found = torch.stack([counts(systematic_ancestors(weight.log())) for _ in range(2000)])
    assert (found >= (4 * weight).floor()).all()  # systematic: never fewer than the whole part of what is expected,
    assert (found <= (4 * weight).ceil()).all()  # nor more than the next whole number
    assert torch.allclose(found.mean(0), 4 * weight, atol=0.05)  # 4.5 standard errors of at most 0.5 / √2000


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_drawn_apart_and_need_no_norm(dtype):
    torch.manual_seed(4)
    log_weights = torch.randn(3, 1, 5, dtype=dtype)
    rows = (log_weights - 700 * torch.arange(1, 4)[:, None, None]).expand(3, 2000, 5)
    found = systematic_ancestors(rows.contiguous())
    assert found.shape == (3, 2000, 5)
    assert found.dtype == torch.int64
    expected = 5 * torch.softmax(log_weights.double(), -1)[:, 0]
    assert torch.allclose(counts(found).mean(1), expected, atol=0.05)  # of 2,000 offsets; float32 of 2,100 nats
    assert len(counts(found)[0].unique(dim=0)) > 1  # an offset for each row


@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("offset", [0.0, 0.5, 1 - 2**-53])
def test_one_weight_alone_takes_all_whatever_the_offset(place, offset, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *shape, **kind: torch.full(shape, offset, **kind))
    log_weights = torch.full((2, 7), -math.inf, dtype=torch.float64)
    log_weights[:, place] = -1e5
    assert (systematic_ancestors(log_weights) == place).all()


def test_equal_weights_and_no_weight_at_all_keep_every_particle():
    torch.manual_seed(5)
    for value in (0.0, -math.inf, math.nan):
        assert systematic_ancestors(torch.full((3, 8), value)).tolist() == [list(range(8))] * 3
    assert systematic_ancestors(torch.zeros(1)).tolist() == [0]
