"""The recurrence: the hand-written backward against autograd, the scan against PyTorch's own GRU, modes and feeds."""

import pytest
import torch
from torch.nn import functional as F

from cgrnn_train.likelihood.sweep import gibbs
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.scan import FeedbackScan
from cgrnn_train.models.start import FrameStatistics

SMALL = {"visible": 7, "hidden": 5, "state": 6, "mlp": (4,)}


def scan_arguments(time=4, batch=3, state=5, hidden=6):
    torch.manual_seed(0)
    shapes = [
        (time, batch, 3 * state),
        (time, batch, hidden),
        (time, batch, hidden),
        (batch, state),
        (3 * state + hidden, state),
        (3 * state + hidden,),
        (3 * state, hidden),
    ]
    return [torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in shapes]


def test_backward_of_the_mean_feed():
    assert torch.autograd.gradcheck(lambda *tensors: FeedbackScan.apply(*tensors, None), scan_arguments())


def test_backward_of_the_sampled_feed():
    """No gradient passes through the sample; the rest is exact. (No spike is near its threshold with this seed.)"""
    arguments = scan_arguments()
    noise = torch.rand(4, 3, 6, dtype=torch.double)
    arguments[1].requires_grad_(False)
    arguments[2].requires_grad_(False)
    assert torch.autograd.gradcheck(lambda *tensors: FeedbackScan.apply(*tensors, noise), arguments)


def test_without_a_feed_the_scan_is_a_gru():
    torch.manual_seed(1)
    gru = torch.nn.GRU(3, 5).double()
    weights = list(gru.parameters())  # of the input and of the state, then the two biases
    inputs = torch.randn(6, 2, 3, dtype=torch.double)
    expected, _ = gru(inputs)
    empty = torch.zeros(6, 2, 0, dtype=torch.double)
    states = FeedbackScan.apply(
        F.linear(inputs, *weights[::2]),
        empty,
        empty,
        torch.zeros(2, 5, dtype=torch.double),
        *weights[1::2],
        torch.zeros(15, 0, dtype=torch.double),
        None,
    )
    assert torch.allclose(states[1:], expected, atol=1e-12)


@pytest.mark.parametrize("mode", ["D", "S", "full"])
@pytest.mark.parametrize("feed", ["mean", "sampled"])
def test_every_mode_trains_every_parameter_that_it_has(mode, feed):
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig(**SMALL, mode=mode, feed=feed))
    model.rbm.start_from(FrameStatistics(torch.full((7,), 0.3)))
    frames = (torch.rand(2, 5, 7) < 0.3).float()
    conditionals = model(frames)
    visible_bias, hidden_bias = (bias.flatten(0, 1) for bias in conditionals)
    fantasy = gibbs(model.rbm.head(), frames.flatten(0, 1)[None], visible_bias, hidden_bias, 2)
    assert not fantasy.requires_grad
    model.rbm.contrast(frames, fantasy.view_as(frames), conditionals).mean().backward()
    silent = [n for n, p in model.named_parameters() if p.numel() and (p.grad is None or not p.grad.any())]
    assert silent == []


def test_a_frame_depends_on_the_past_only():
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig(**SMALL)).eval()
    frames = (torch.rand(1, 6, 7) < 0.3).float()
    changed = frames.clone()
    changed[0, 3] = 1 - changed[0, 3]
    before, after = model(frames), model(changed)
    for first, second in zip(before, after, strict=True):
        assert torch.equal(first[0, :4], second[0, :4])
        assert not torch.equal(first[0, 4], second[0, 4])


def test_padding_does_not_reach_a_shorter_sequence():
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig(**SMALL)).eval()
    frames = (torch.rand(1, 6, 7) < 0.3).float()
    padded = F.pad(frames, (0, 0, 0, 4))
    assert torch.allclose(model(frames).visible_bias, model(padded).visible_bias[:, :6], atol=1e-6)  # float32


def test_sampled_feed_has_the_mean_feed_as_its_mean():
    """With one frame behind it, the gates are linear in the feed: compare through its first-order effect."""
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig(**SMALL, feed="sampled")).eval()
    with torch.no_grad():
        model.feed_weight.mul_(1e-3)  # linear regime
    frames = torch.ones(20_000, 2, 7)
    sampled = model.states(frames)[:, 1]
    mean = model.states(frames[:1], feed="mean")[0, 1]
    base = model.states(frames[:1] * 0, feed="mean")[0, 1]
    error = (sampled.mean(0) - mean).abs().max()
    spread = sampled.std(0).max() / 20_000**0.5
    assert error < 5 * spread
    assert (mean - base).abs().max() > 50 * spread  # the test can see a difference
