"""The particle filter: unbiased in p(v_1:N), a lower bound that rises with particles, exact without latent noise."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cgrnn_train.likelihood.exact import all_frames, exact_log_partition
from cgrnn_train.likelihood.particle import Conditional, particle_filter
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.conditional import Conditionals
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.head import free_energy
from cgrnn_train.models.rnn_rbm import RNNRBM, RNNRBMConfig

FRAMES = torch.tensor([[1, 0, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]).float()


def cgrnn(feed) -> CGRNN:
    """Weights large enough for the latent path to matter."""
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig(visible=5, hidden=4, state=6, mlp=(4,), feed=feed))
    with torch.no_grad():
        model.rbm.weight.normal_(std=0.7)
        model.feed_weight.mul_(3)
        model.rbm.hidden_modulation.weight.normal_(std=2)
        assert model.rbm.visible_modulation is not None
        model.rbm.visible_modulation.weight.normal_(std=2)
    return model.eval()


def rnn_rbm() -> RNNRBM:
    torch.manual_seed(1)
    return RNNRBM(RNNRBMConfig(visible=5, hidden=4, state=6, mlp=(4,))).eval()


@pytest.mark.parametrize("model", [cgrnn("mean"), rnn_rbm()], ids=["mean feed", "frames only"])
def test_without_latent_noise_it_is_the_plain_sum(model: EnergySystem):
    with torch.no_grad():
        visible_bias, hidden_bias = (bias[0] for bias in model(FRAMES[None]))
        head = model.rbm.head()
        energy = free_energy(head, FRAMES, visible_bias, hidden_bias)
        expected = -energy - exact_log_partition(head, visible_bias, hidden_bias)
        means = enumerated(model)((visible_bias, hidden_bias)).mean
    for particles in (1, 8):
        found = particle_filter(model, FRAMES, particles, conditional=enumerated(model))
        assert found.log_likelihood.dtype == torch.float64
        assert torch.allclose(found.log_likelihood, expected.double(), atol=1e-5)  # float32 states
        assert torch.allclose(found.means, means, atol=1e-5)


def enumerated(model: EnergySystem) -> Callable[[Conditionals], Conditional]:
    """log Z and means of rows, over all 32 frames at once."""

    def conditional(conditionals: Conditionals) -> Conditional:
        every = all_frames(5)
        energy = model.rbm.free_energy(every[:, None], conditionals)  # (32, rows)
        return Conditional(torch.logsumexp(-energy, 0), torch.softmax(-energy, 0).T @ every)

    return conditional


def estimate(model: EnergySystem, particles: int, **settings: float) -> Tensor:
    return particle_filter(model, FRAMES, particles, conditional=enumerated(model), **settings).log_likelihood.sum()


def test_a_prediction_is_of_the_paths_weighted_by_the_frames_before():
    """Frame by frame from plain draws: all paths alike for the second, weighted by the second frame for the third."""
    model, paths = cgrnn("sampled"), 20_000
    torch.manual_seed(4)
    found = particle_filter(model, FRAMES, 4000, conditional=enumerated(model)).means
    with torch.no_grad():
        state = model.initial().expand(paths, -1)
        expected, weights = list[Tensor](), torch.full((paths,), 1 / paths, dtype=torch.float64)
        for frame in FRAMES:
            visible_bias, hidden_bias = model.rbm.conditionals(state)
            log_z, means = enumerated(model)((visible_bias, hidden_bias))
            expected.append(weights @ means)
            energy = free_energy(model.rbm.head(), frame, visible_bias, hidden_bias)
            weights = torch.softmax(weights.log() - energy - log_z, 0)
            state = model.advance(state, frame.expand(paths, -1))
    assert (found - torch.stack(expected)).abs().max() < 0.04  # 4,000 paths: a standard error of 0.008 at most
    assert (expected[2] - found[1]).abs().max() > 0.1


def test_the_bound_rises_to_the_exact_value():
    model = cgrnn("sampled")
    torch.manual_seed(2)
    exact = estimate(model, 50_000, resample_below=0.0).item()  # the mean over that many latent paths: no filter
    means, errors = [], []
    for particles, repeats in [(1, 600), (8, 200), (32, 100), (128, 60)]:
        runs = torch.stack([estimate(model, particles) for _ in range(repeats)])
        means.append(runs.mean().item())
        errors.append(runs.std().item() / repeats**0.5)
        # unbiased in p: four standard errors of the mean of p̂, and 1 % for the 50,000 paths themselves
        density = (runs - exact).exp()
        assert density.mean().item() == pytest.approx(1, abs=0.01 + 4 * density.std().item() / repeats**0.5)
    assert means == sorted(means)
    assert means[0] < exact - 4 * errors[0]  # a lower bound where the path matters,
    assert means[-1] == pytest.approx(exact, abs=0.02 + 4 * errors[-1])  # and near the truth with many particles


def test_no_frames_no_increments():
    found = particle_filter(cgrnn("sampled"), FRAMES[:0], 4, conditional=enumerated(cgrnn("sampled")))
    assert [values.shape for values in found] == [(0,), (0, 5)]
