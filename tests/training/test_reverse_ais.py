"""The sandwich on trained models: enumeration, AIS, reverse AIS and RAISE agree on each of 64 frames."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from cgrnn_train.likelihood.ais import ais, ais_log_partition
from cgrnn_train.likelihood.exact import all_frames, exact_log_partition, exact_log_probabilities
from cgrnn_train.likelihood.path import Annealed
from cgrnn_train.likelihood.raise_ import raise_log_probabilities
from cgrnn_train.likelihood.reverse_ais import annealed_starts, reverse_ais_log_partition, sandwich
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.head import Head, free_energy
from cgrnn_train.models.rnn_rbm import RNNRBM, RNNRBMConfig
from cgrnn_train.models.start import FrameStatistics

VISIBLE, CHAINS = 12, 32


@dataclass(frozen=True)
class Trained:
    """A model's view of 64 frames, and exact samples of each."""

    head: Head
    frames: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    log_z: Tensor
    samples: Tensor

    @property
    def biases(self) -> tuple[Tensor, Tensor]:
        return self.visible_bias, self.hidden_bias

    @property
    def energy(self) -> Tensor:
        return free_energy(self.head.double(), self.frames.double(), *(bias.double() for bias in self.biases))


def chords() -> Tensor:
    """Four sequences of 16 frames, (batch, time, visible): a chord held for two frames, in several keys."""
    progression = [(0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2)]
    frames = torch.zeros(4, 16, VISIBLE)
    for key in range(4):
        for time in range(16):
            frames[key, time, [(pitch + 3 * key) % 12 for pitch in progression[time // 2 % 4]]] = 1
    return frames


@pytest.fixture(scope="module", params=["cgrnn", "rnn-rbm"])
def trained(request) -> Trained:
    """Trained by the exact gradient, log Z by enumeration, until it knows the chords."""
    torch.manual_seed(0)
    if request.param == "cgrnn":
        system: EnergySystem = CGRNN(CGRNNConfig(visible=VISIBLE, hidden=10, state=12, mlp=(12,)))
    else:
        system = RNNRBM(RNNRBMConfig(visible=VISIBLE, hidden=10, state=12, mlp=(12,)))
    frames, every = chords(), all_frames(VISIBLE).float()[:, None]
    system.start_from(FrameStatistics(frames.mean((0, 1)), None))
    optimiser = torch.optim.Adam(system.parameters(), lr=0.03)
    loss = torch.zeros(())
    for step in range(50):
        batch = frames[step % 2 :: 2]
        biases = [bias.flatten(0, 1) for bias in system(batch)]
        head = system.rbm.head()
        log_z = torch.logsumexp(-free_energy(head, every, *biases), 0)
        loss = (free_energy(head, batch.flatten(0, 1), *biases) + log_z).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 5  # twelve independent pitches at a quarter each are 6.7 nats
    with torch.no_grad():
        visible_bias, hidden_bias = (bias.flatten(0, 1) for bias in system(frames))
        head = system.rbm.head()
        exact = [exact_log_probabilities(head, *pair).exp() for pair in zip(visible_bias, hidden_bias, strict=True)]
        codes = torch.multinomial(torch.stack(exact), CHAINS, replacement=True)  # (frames, chains)
        samples = all_frames(VISIBLE)[codes].float().transpose(0, 1)
        log_z = exact_log_partition(head, visible_bias, hidden_bias)
        return Trained(head, frames.flatten(0, 1), visible_bias, hidden_bias, log_z, samples)


def test_the_truth_is_sandwiched(trained):
    torch.manual_seed(1)
    found = sandwich(trained.head, *trained.biases, start=trained.samples, temperatures=1000)
    # 64 frames within 4.5 standard errors each: once in 2,000 seeds by chance, but that the error itself is estimated,
    # from 32 skewed weights; 0.01 is for the frames where none of them is from the tail
    for side in found.forward, found.reverse:
        assert ((side.value - trained.log_z).abs() < 4.5 * side.standard_error + 0.01).all()
    # the figure: 0.02 nat a frame
    assert found.gap.abs().mean() < 0.02
    assert (found.forward.value - trained.log_z).abs().mean() < 0.02
    assert (found.reverse.value - trained.log_z).abs().mean() < 0.02


def test_all_estimators_agree_within_their_printed_errors(trained):
    exact = -trained.energy - trained.log_z
    forward = ais_log_partition(trained.head, *trained.biases, temperatures=1000, chains=CHAINS)
    torch.manual_seed(2)
    lower = raise_log_probabilities(trained.head, trained.frames, *trained.biases, temperatures=1000, chains=CHAINS)
    assert ((-trained.energy - forward.value - exact).abs() < 4.5 * forward.standard_error + 0.01).all()
    # RAISE's own error besides chance is p_ann against p, which 1,000 transitions bring below 0.02 here
    assert ((lower.value - exact).abs() < 4.5 * lower.standard_error + 0.02).all()


def test_the_errors_have_their_sides(trained):
    """Few temperatures, one chain, where the bias shows: AIS puts log Z low, reverse AIS high; RAISE errs low."""
    torch.manual_seed(3)
    repeats = 40  # × 64 frames: the mean's standard error is a tenth of the bias or less
    visible_bias, hidden_bias = (bias.repeat(repeats, 1) for bias in trained.biases)
    log_z = trained.log_z.repeat(repeats)
    forward = ais_log_partition(trained.head, visible_bias, hidden_bias, temperatures=10, chains=1).value
    start = trained.samples[torch.randint(CHAINS, (repeats,))].flatten(0, 1)[None]  # the repeats' frames in order
    reverse = reverse_ais_log_partition(trained.head, visible_bias, hidden_bias, start=start, temperatures=10).value
    assert (forward - log_z).mean() < -2 * _error(forward - log_z)
    assert (reverse - log_z).mean() > 2 * _error(reverse - log_z)
    # RAISE promises on frames of the model itself
    samples = start[0]
    own = -free_energy(trained.head, samples, visible_bias, hidden_bias) - log_z
    lower = raise_log_probabilities(trained.head, samples, visible_bias, hidden_bias, temperatures=10, chains=1).value
    assert (lower - own).mean() < -2 * _error(lower - own)


def test_the_ends_of_ais_stand_in_for_exact_samples(trained):
    """Heuristic starts: on a model this small AIS of 100 temperatures ends in samples, so that the bound agrees."""
    torch.manual_seed(4)
    head, (visible_bias, hidden_bias) = trained.head, trained.biases
    _, ends = ais(head, visible_bias, hidden_bias, temperatures=100, chains=CHAINS)
    start = annealed_starts(head, visible_bias, hidden_bias, ends)
    found = reverse_ais_log_partition(head, visible_bias, hidden_bias, start=start, temperatures=300)
    assert (found.value - trained.log_z).abs().mean() < 0.05  # 300 temperatures; the starts' own noise


def test_a_chain_without_weight_starts_nothing(trained):
    frames = trained.samples
    gain = torch.full(frames.shape[:2], -1000.0, dtype=torch.float64)
    gain[3] = 0
    starts = annealed_starts(trained.head, *trained.biases, annealed=Annealed(gain, frames), sweeps=0)
    assert torch.equal(starts, frames[3].expand_as(frames))
    moved = annealed_starts(trained.head, *trained.biases, annealed=Annealed(gain, frames), sweeps=2)
    assert not torch.equal(moved, starts)


def _error(values: Tensor) -> Tensor:
    return values.std() / len(values) ** 0.5
