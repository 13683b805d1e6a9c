"""Systems with an RBM over sound: trained, stopped and gone on with, scored and checked."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cgrnn_bundle.waves import WaveSpec
from cgrnn_train import fit as fitting
from cgrnn_train.chains import WaveChains
from cgrnn_train.check import check_annealing
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.sequences import frame_statistics, sequences
from cgrnn_train.data.store import DataSet
from cgrnn_train.data.waves import Clip, Waves, write_waves
from cgrnn_train.frame_scores import Settings
from cgrnn_train.likelihood.particle import Conditional, particle_filter
from cgrnn_train.likelihood.wave_exact import exact_wave_log_partition
from cgrnn_train.log_likelihood import log_likelihoods
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.conditional import Conditionals
from cgrnn_train.models.continuous import ContinuousFrames, WaveConditionals
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.run import load
from cgrnn_train.systems import SYSTEMS

SAMPLES = 12
"""In a frame."""

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Tones that die away, each with a phase and pitch of its own: 10 to train on, 3 to validate and 2 to test."""
    random = np.random.default_rng(0)
    clips = []
    for index in range(15):
        time = np.arange(20 * SAMPLES)
        tone = np.sin(time * random.uniform(0.2, 0.5) + random.uniform(0, 6)) * np.exp(-time / 150)
        noisy = 0.4 * tone + 0.01 * random.standard_normal(len(time))
        split = "train" if index < 10 else "valid" if index < 13 else "test"
        clips.append(Clip(f"tone {index}", split, noisy.astype(np.float32), {}))
    folder = tmp_path_factory.mktemp("sound") / "tones"
    write_waves(folder, clips, WaveSpec(11_025, SAMPLES), {"source": "tones, made by the test", "licence": "CC0"})
    return open_data(folder)


def config(system: str, epochs: int = 6, **model: object) -> RunConfig:
    architecture = SYSTEMS[system]
    sizes = {"kind": "continuous", "visible": SAMPLES, "hidden": 6, "state": 10, "mlp": (10,), "slab_mean": 0.0}
    values = {key: value for key, value in sizes.items() if key in architecture.config.__dataclass_fields__}
    settings = FitConfig(
        epochs=epochs, batch_size=2, sweeps=1, learning_rate=1e-2, average=0.9, validation_every=1, validation_frames=40
    )
    return RunConfig(system, architecture.config(**(values | architecture.fixed | model)), settings)


def run(settings: RunConfig, sound: DataSet, folder, **options) -> float:
    return fitting.fit(settings, sound, folder, accelerator="cpu", show_progress=False, **options)


@pytest.mark.parametrize("system", ["rnn-rbm", "rnn-ssrbm", "cgrnn"])
def test_training_raises_the_likelihood_of_frames_that_it_has_not_seen(system, sound, tmp_path):
    first = run(config(system, epochs=1), sound, tmp_path / "short")
    assert run(config(system, epochs=12), sound, tmp_path / "long") > first + 0.5


@pytest.mark.parametrize("mode", ["D", "S", "full"])
@pytest.mark.parametrize("feed", ["mean", "sampled"])
def test_every_mode_trains_every_parameter_that_it_has(mode, feed):
    torch.manual_seed(0)
    model = CGRNN(config("cgrnn", mode=mode, feed=feed).model)
    frames = torch.randn(3, 7, SAMPLES)
    conditionals = model(frames)
    fantasy, _ = model.rbm.gibbs(torch.zeros(21, SAMPLES), tuple_of(conditionals), 1)
    model.rbm.contrast(frames, fantasy.view(3, 7, -1), conditionals).mean().backward()
    for name, parameter in model.named_parameters():
        if parameter.numel():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name


def tuple_of(conditionals: Conditionals) -> WaveConditionals:
    return WaveConditionals(*(part.flatten(0, 1) for part in conditionals))


@pytest.mark.parametrize("feed", ["mean", "sampled"])
def test_a_step_at_a_time_has_the_states_of_the_whole_sequence(feed):
    torch.manual_seed(1)
    model = CGRNN(config("cgrnn", feed=feed).model).eval()
    frames = torch.randn(1, 5, SAMPLES)
    torch.manual_seed(2)
    with torch.no_grad():
        states = model.states(frames)[0]
        torch.manual_seed(2)
        state = model.initial()[None]
        for index in range(4):
            state = model.advance(state, frames[:, index])
            assert torch.allclose(state[0], states[index + 1], atol=1e-6)


def test_a_run_that_is_stopped_ends_with_the_weights_of_one_that_was_not(sound, tmp_path, monkeypatch):
    settings = config("cgrnn", epochs=4)
    run(settings, sound, tmp_path / "whole")
    validated = fitting.task_of(CGRNN(settings.model)).validation_step

    def stop(self, batch):
        validated(self, batch)
        if self.current_epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting.task_of(CGRNN(settings.model)), "validation_step", stop)
        with pytest.raises(KeyboardInterrupt):
            run(settings, sound, tmp_path / "parts")
    run(settings, sound, tmp_path / "parts", resume=True)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_precision_is_positive_definite_for_any_state_and_spikes_after_training(sound, tmp_path):
    run(config("cgrnn", epochs=3), sound, tmp_path / "run")
    _, model = load(tmp_path / "run")
    assert isinstance(model, CGRNN)
    assert isinstance(model.rbm, ContinuousCSSRBM)
    torch.manual_seed(3)
    with torch.no_grad():
        given = model.rbm.conditionals(3 * torch.randn(1000, 10))
        precision = model.rbm.precision((torch.rand(1000, 6) < torch.rand(1000, 1)).float(), given)
    assert (torch.linalg.eigvalsh(precision) > 0).all()


@pytest.mark.parametrize("system", ["rnn-rbm", "cgrnn"])
def test_the_likelihood_of_a_split_agrees_with_enumeration_and_the_check_with_both(system, sound, tmp_path):
    run(config(system, epochs=6), sound, tmp_path / "run")
    _, model = load(tmp_path / "run")
    assert isinstance(model, EnergySystem)
    pieces, settings = sequences(sound, "test"), Settings(temperatures=100, chains=32)
    scores = log_likelihoods(model, pieces, settings)
    rows = torch.cat([exact(model, piece) for piece in pieces])
    error = (scores.log_likelihood - rows).abs()
    assert scores.standard_error is not None
    assert (error < 6 * scores.standard_error + 0.01).all()
    assert scores.log_likelihood.mean().item() == pytest.approx(rows.mean().item(), abs=0.02)
    assert scores.means is not None
    assert scores.means.shape == (40, SAMPLES)
    checked = check_annealing(model, pieces, settings, 20)
    assert checked.standard_error is not None
    assert abs(checked.gap) < 0.02 + 2 * checked.standard_error
    assert abs(checked.change) < 0.02
    assert checked.raise_log_likelihood is None


def test_scores_and_check_of_predicted_frames_are_of_samples(tmp_path):
    """Both have the volume of the change of variables: on all frames they are the same figure."""
    random = np.random.default_rng(3)
    clips = [
        Clip(split, split, (0.01 * np.cumsum(random.standard_normal(20 * SAMPLES))).clip(-1, 1).astype(np.float32))
        for split in ("train", "valid", "test")
    ]
    write_waves(tmp_path / "set", clips, WaveSpec(11_025, SAMPLES, order=3, window=60), {"source": "walks"})
    data = Waves.open(tmp_path / "set")
    torch.manual_seed(7)
    model, pieces = CGRNN(config("cgrnn").model), sequences(data, "test")
    model.start_from(frame_statistics(data))
    settings = Settings(temperatures=40, chains=16)
    scores = log_likelihoods(model, pieces, settings)
    scale = pieces.log_scale(0)
    assert scale is not None
    assert scale.abs().mean() > 5
    expected = exact(model.eval(), pieces[0]) - scale
    assert scores.log_likelihood.mean().item() == pytest.approx(expected.mean().item(), abs=0.05)
    checked = check_annealing(model, pieces, settings, 20)
    assert checked.log_likelihood == pytest.approx(expected.mean().item(), abs=0.05)


def exact(model: EnergySystem, piece: torch.Tensor) -> torch.Tensor:
    """log p of each frame, log Z by enumeration."""
    with torch.no_grad():
        given = WaveConditionals(*(part[0] for part in model(piece[None])))
        assert isinstance(model.rbm, ContinuousFrames)
        energy = model.rbm.free_energy(piece, given).double()
        return -energy - exact_wave_log_partition(model.rbm.units(), given.hidden_bias)


def test_a_sampled_feed_is_followed_by_particles():
    torch.manual_seed(4)
    model = CGRNN(dataclasses.replace(config("cgrnn", feed="sampled").model, hidden=4)).eval()
    with torch.no_grad():
        model.feed_weight.mul_(3)
        model.rbm.hidden_modulation.weight.normal_(std=1)
    frames = torch.randn(4, SAMPLES)

    def conditional(given: Conditionals) -> Conditional:
        assert isinstance(model.rbm, ContinuousFrames)
        own = WaveConditionals(*given)
        return Conditional(exact_wave_log_partition(model.rbm.units(), own.hidden_bias), own.visible_mean)

    totals = {
        count: torch.stack(
            [
                particle_filter(model, frames, count, conditional=conditional).log_likelihood.sum()
                for _ in range(repeats)
            ]
        )
        for count, repeats in ((1, 200), (64, 20))
    }
    assert totals[64].mean() > totals[1].mean()
    long = particle_filter(model, frames, 20_000, conditional=conditional).log_likelihood.sum()
    assert totals[64].mean().item() == pytest.approx(long.item(), abs=0.1 + 4 * totals[64].std().item() / 20**0.5)


def test_chains_of_sound_are_kept_as_they_were_and_begin_where_they_are_told():
    torch.manual_seed(5)
    chains = WaveChains(30, 13)
    rows, shift, first = torch.tensor([4, 29, 0]), torch.zeros(3, dtype=torch.int64), torch.randn(3, 13)
    assert torch.equal(chains.read(rows, shift, first), first)
    frames = 100 * torch.randn(3, 13)
    frames[0, 0] = 1e9  # beyond float16
    chains.write(rows, shift, frames)
    kept = chains.read(rows, shift, first)
    assert torch.allclose(kept[1:], frames[1:], rtol=1e-3)
    assert kept[0, 0] == torch.finfo(torch.float16).max
    assert torch.equal(chains.read(torch.tensor([1]), shift[:1], first[:1]), first[:1])


def test_a_drawn_frame_has_the_scale_of_what_the_model_says():
    torch.manual_seed(6)
    model = CGRNN(config("cgrnn").model)
    given = model.rbm.conditionals(torch.zeros(2000, 10))
    drawn = model.rbm.draw(torch.zeros(2000, SAMPLES), given, 5)
    assert 0.5 < drawn.std().item() / math.log(2) < 4  # d = softplus(0), and what spikes add
