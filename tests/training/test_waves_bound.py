"""The systems that are trained by a bound, over sound: densities, where they start, what they learn, an exact case.

What holds for either kind of frame is in test_systems.py and test_vae.py.
"""

import math

import numpy as np
import pytest
import torch

from cgrnn_train.models.emission import Bernoulli, Gaussian, emission_of
from cgrnn_train.models.normal import LEAST_STD, raw_of, std_of
from cgrnn_train.models.srnn import SRNN, SRNNConfig
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.system import BoundSystem
from cgrnn_train.systems import SYSTEMS, build

SIZES = {"visible": 6, "kind": "continuous", "state": 16, "latent": 3, "width": 12}

every_system = pytest.mark.parametrize("name", ["rnn-1", "rnn-2", "storn", "vrnn", "srnn-s", "srnn-s-res", "srnn-f"])


def make(name, **changes):
    torch.manual_seed(0)
    architecture = SYSTEMS[name]
    fields = architecture.config.__dataclass_fields__
    values = {key: value for key, value in (SIZES | changes).items() if key in fields} | architecture.fixed
    model = build(name, architecture.config(**values)).eval()
    assert isinstance(model, BoundSystem)
    return model


def test_a_gaussian_frame_has_the_density_that_torch_gives_it():
    torch.manual_seed(0)
    numbers, frames = torch.randn(4, 5, 12, dtype=torch.double), torch.randn(4, 5, 6, dtype=torch.double)
    mean, raw = numbers[..., :6], numbers[..., 6:]
    normal = torch.distributions.Normal(mean, torch.nn.functional.softplus(raw) + 1e-3)
    assert torch.allclose(Gaussian.log_probability(numbers, frames), normal.log_prob(frames).sum(-1), atol=1e-12)
    assert torch.equal(Gaussian.mean(numbers), mean)
    everywhere = Gaussian.log_probability(numbers[0, 0], frames)  # one row of numbers for many frames
    assert torch.allclose(everywhere[2, 3], Gaussian.log_probability(numbers[0, 0], frames[2, 3]))


def test_a_density_by_hand():
    """At its own mean a frame of n samples has the density (σ √(2π))^−n; one σ away from it in one sample, ½ less."""
    numbers = torch.cat([torch.tensor([0.2, -0.1, 0.0]), raw_of(torch.full((3,), 0.05))])
    peak = -3 * math.log(0.05 * math.sqrt(2 * math.pi))
    assert peak > 0  # a density, no probability
    assert Gaussian.log_probability(numbers, numbers[:3]).item() == pytest.approx(peak, abs=1e-4)
    beside = numbers[:3] + torch.tensor([0.0, 0.05, 0.0])
    assert Gaussian.log_probability(numbers, beside).item() == pytest.approx(peak - 0.5, abs=1e-4)


def test_frames_are_drawn_with_the_mean_and_the_deviation_that_the_numbers_say():
    torch.manual_seed(0)
    numbers = torch.cat([torch.tensor([-1.0, 2.0]), raw_of(torch.tensor([0.5, 3.0]))])
    drawn = Gaussian.draw(numbers.expand(40_000, -1))
    assert torch.allclose(drawn.mean(0), torch.tensor([-1.0, 2.0]), atol=0.06)  # standard errors: 0.0025 and 0.015
    assert torch.allclose(drawn.std(0), torch.tensor([0.5, 3.0]), rtol=0.02)


def test_a_standard_deviation_comes_back_from_its_number():
    std = torch.tensor([0.002, 0.01, 0.3, 1.0, 40.0], dtype=torch.double)
    assert torch.allclose(std_of(raw_of(std)), std, rtol=1e-9)
    assert std_of(torch.tensor(-1e4)).item() == pytest.approx(LEAST_STD)
    silent = raw_of(torch.zeros(3))  # a place that never sounds in the training set
    assert torch.isfinite(silent).all()
    assert torch.allclose(std_of(silent), torch.full((3,), LEAST_STD), rtol=0.02)


def test_an_emission_is_of_its_kind_of_frame():
    assert isinstance(emission_of("binary"), Bernoulli)
    assert isinstance(emission_of("continuous"), Gaussian)
    with pytest.raises(ValueError, match="expected that of sound, with standard deviations"):
        Gaussian.numbers_of(FrameStatistics(torch.zeros(3), None))


@every_system
def test_an_untrained_system_starts_from_the_statistics_of_the_frames(name):
    model = make(name)
    start = FrameStatistics(torch.linspace(-1, 1, 6), torch.diag(torch.linspace(0.05, 2, 6).square()))
    model.start_from(start)
    output = model.get_submodule("output" if name.startswith("rnn-") else "decoder.output")
    assert isinstance(output, torch.nn.Linear)
    with torch.no_grad():
        output.weight.zero_()
    torch.manual_seed(1)
    played = torch.cat([model.generate(500) for _ in range(6)])
    assert torch.allclose(model.predict(played[None, :4])[0], start.mean.expand(4, -1), atol=1e-6)
    assert start.std is not None
    assert torch.allclose(played.mean(0), start.mean, atol=0.2)  # five standard errors of the loudest sample: 0.18
    assert torch.allclose(played.std(0), start.std, rtol=0.08)  # 3,000 draws: 1.3 %


@every_system
def test_gradients_stay_finite_where_frames_are_silent_or_far_too_loud(name):
    model = make(name)
    model.start_from(FrameStatistics(torch.zeros(6), LEAST_STD**2 * torch.eye(6)))
    torch.manual_seed(1)
    frames = torch.randn(4, 9, 6) * torch.tensor([0.0, 1e-4, 1.0, 1e3])[:, None, None]
    bound = model.bound(frames)
    assert torch.isfinite(bound).all()
    bound.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@every_system
def test_padding_never_changes_the_bound_of_real_frames(name, monkeypatch):
    model, noise = make(name), torch.randn(3, 8, 3)
    monkeypatch.setattr(model, "_noise", lambda frames, paths: noise[:, : frames.shape[1]], raising=False)
    frames, lengths = torch.randn(3, 8, 6), torch.tensor([8, 3, 5])
    mask = torch.arange(8) < lengths[:, None]
    bounds = [model.bound(torch.where(mask[:, :, None], frames, padding), mask) for padding in (0.0, 50.0)]
    assert torch.allclose(bounds[0][mask], bounds[1][mask], atol=1e-4)  # float32, of values near 10
    monkeypatch.setattr(model, "_noise", lambda frames, paths: noise[1:2, : frames.shape[1]], raising=False)
    assert torch.allclose(bounds[0][1, :3], model.bound(frames[1:2, :3])[0], atol=1e-4)


FEEDBACK, SHOCK = np.array([1.6, -0.8]), 0.1
"""An autoregressive process: x_t = 1.6 x_(t−1) − 0.8 x_(t−2) + 0.1 noise, a tone of about 7.4 samples with noise."""


def autoregressive(batch, time, visible=6):
    """Sequences of the process in frames, (batch, time, visible), after it has settled."""
    shocks = np.random.default_rng(0).normal(0, SHOCK, (batch, 100 + time * visible))
    samples = np.zeros_like(shocks)
    for t in range(2, shocks.shape[1]):
        samples[:, t] = FEEDBACK[0] * samples[:, t - 1] + FEEDBACK[1] * samples[:, t - 2] + shocks[:, t]
    return torch.from_numpy(samples[:, 100:]).float().reshape(batch, time, visible)


@every_system
def test_training_raises_the_likelihood_of_a_tone_but_never_beyond_the_truth(name):
    """The process's own likelihood, −log(σ √(2πe)) a sample, is the best there is: nothing may score above it."""
    sound = autoregressive(64, 20)
    model, (train, held_out) = make(name).train(), sound.split(32)
    model.start_from(FrameStatistics(train.mean((0, 1)), train.flatten(0, 1).T.cov()))
    with torch.no_grad():
        before = float(model.bound(held_out).mean())
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        (-model.bound(train).mean()).backward()
        optimizer.step()
    with torch.no_grad():
        after = float(model.bound(held_out).mean())
    best = -6 * math.log(SHOCK * math.sqrt(2 * math.pi * math.e))
    assert before + 2 < after < best  # a frame of six samples starts 8 nats below the best
    predicted = model.eval().predict(held_out)[:, 1:]
    errors = (predicted - held_out[:, 1:]).square().sum(-1).mean().sqrt()
    assert errors < 0.85 * held_out.square().sum(-1).mean().sqrt()
    played = model.generate(200)
    assert 0.3 * sound.std() < played.std() < 3 * sound.std()


TRANSITION, NOISE, LOADINGS, ERRORS = 0.8, 0.5, np.array([1.0, -0.6]), np.array([0.3, 0.7])


def linear_srnn():
    """An SRNN that is a linear Gaussian state space model: z′ = 0.8 z + 0.5 noise, x = loadings · z + errors · noise.

    Its ReLU layers hold z and −z, of which h_1 − h_2 makes z again; d weighs nothing.
    """
    config = SRNNConfig(visible=2, kind="continuous", state=2, latent=1, width=2, inference="filtering")
    model = SRNN(config).eval()
    with torch.no_grad():
        for net in (model.prior, model.posterior, model.decoder):
            for parameter in net.parameters():
                parameter.zero_()
            net.weights[0].copy_(torch.tensor([[1.0], [-1.0]]))
        model.prior.output.weight[0].copy_(torch.tensor([TRANSITION, -TRANSITION]))
        model.prior.output.bias[1] = raw_of(torch.tensor(NOISE))
        loadings = torch.from_numpy(LOADINGS).float()
        model.decoder.output.weight[:2].copy_(torch.stack([loadings, -loadings], dim=1))
        model.decoder.output.bias[2:].copy_(raw_of(torch.from_numpy(ERRORS).float()))
        model.posterior.output.bias[1] = raw_of(torch.tensor(0.9))  # wide enough for every z that matters
    return model


def kalman(frames):
    """log p of each frame given those before it, and its mean given them, exactly; z_0 = 0."""
    mean, variance, densities, means = 0.0, 0.0, [], []
    for frame in frames:
        mean, variance = TRANSITION * mean, TRANSITION**2 * variance + NOISE**2
        means.append(LOADINGS * mean)
        covariance = variance * np.outer(LOADINGS, LOADINGS) + np.diag(ERRORS**2)
        surprise = frame - means[-1]
        solved = np.linalg.solve(covariance, surprise)
        densities.append(-0.5 * (surprise @ solved + np.linalg.slogdet(2 * np.pi * covariance)[1]))
        gain = variance * np.linalg.solve(covariance, LOADINGS)
        mean, variance = mean + gain @ surprise, variance * (1 - gain @ LOADINGS)
    return np.array(densities), np.array(means)


def test_a_linear_srnn_has_the_likelihood_and_the_predictions_of_a_kalman_filter():
    torch.manual_seed(0)
    model, frames = linear_srnn(), torch.tensor([[0.5, -0.1], [1.1, -1.0], [0.2, 0.6]])
    densities, means = kalman(frames.double().numpy())
    with torch.no_grad():
        elbo = float(model.bound(frames.expand(2000, -1, -1)).sum(1).mean())
        increments = model.log_likelihood(frames, 400_000)
        predicted = model.predict(frames.expand(4000, -1, -1)).mean(0)
    assert elbo < densities.sum() - 0.1
    # By the effective number of draws, some tens of thousands, the error is below 0.01.
    assert float(increments.sum()) == pytest.approx(densities.sum(), abs=0.02)
    # Means of 32 particles: their chance is averaged out, their bias is of the order of 1/32 of the spread of z.
    assert np.allclose(predicted, means, atol=0.03)
