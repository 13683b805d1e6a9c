"""Export of a model of sound: PyTorch = ONNX Runtime = numpy, streaming = offline, and no bundle where they are not."""

import dataclasses

import numpy as np
import pytest
import torch

from cgrnn_bundle.bundle import Sizes, load
from cgrnn_bundle.layout import MIN_GAP, MIN_SCALE
from cgrnn_bundle.parameters import largest_singular_value
from cgrnn_bundle.waves import WaveSpec
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_train import agreement, transition
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.waves import Clip, Waves, write_waves
from cgrnn_train.export import ExportError, export, model_arrays
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.run import RunError, save_config, save_weights

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# Streaming through ONNX Runtime and numpy against PyTorch offline, float32 with other orders of summation, over 20
# fed-back steps of frames that are a few scales wide.
STREAMING = 5e-5


@pytest.fixture(scope="module")
def waves(tmp_path_factory) -> Waves:
    """Decaying tones at 8 kHz, in frames of 20 samples."""
    random, time = np.random.default_rng(0), np.arange(800) / 8_000
    clips = [
        Clip(
            f"tone {index}",
            "train" if index < 6 else "valid" if index < 8 else "test",
            (0.5 * np.exp(-20 * time) * np.sin(2 * np.pi * random.uniform(200, 900) * time)).astype(np.float32),
            {},
        )
        for index in range(10)
    ]
    folder = tmp_path_factory.mktemp("data") / "tones"
    write_waves(folder, clips, WaveSpec(8_000, 20), {"source": "tones, made by the test", "licence": "CC0"})
    return Waves.open(folder)


@pytest.fixture
def small() -> RunConfig:
    model = CGRNNConfig(kind="continuous", visible=20, hidden=12, state=16, mlp=(16,), dropout=0.1, slab_mean=0.3)
    model = dataclasses.replace(model, gains=5)
    return RunConfig("cgrnn", model, FitConfig(seed=5))


def write_run(folder, config: RunConfig, stretch: float = 1.0) -> CGRNN:
    """A run with lively random weights: no difference may hide behind zeros."""
    torch.manual_seed(0)
    assert isinstance(config.model, CGRNNConfig)
    model = CGRNN(config.model)
    rbm = model.rbm
    assert isinstance(rbm, ContinuousCSSRBM)
    with torch.no_grad():
        rbm.start_from(
            FrameStatistics(torch.linspace(-0.1, 0.1, 20), torch.diag(torch.linspace(0.3, 1.5, 20).square()))
        )
        rbm.hidden_bias.zero_()
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        rbm.raw_weight.normal_(std=0.25 * stretch)
    save_config(folder, config, "cgrnn-train fit by hand")
    save_weights(folder, model)
    return model.eval()


@pytest.fixture
def run(small, tmp_path):
    return tmp_path / "run", write_run(tmp_path / "run", small)


def with_model(config: RunConfig, **values) -> RunConfig:
    return dataclasses.replace(config, model=dataclasses.replace(config.model, **values))


@pytest.mark.parametrize("mode", ["D", "S", "full"])
def test_streaming_equals_offline(mode, small, waves, tmp_path):
    model = write_run(tmp_path / "run", with_model(small, mode=mode))
    export(tmp_path / "run", tmp_path / "bundle", waves, name="small")
    engine = WaveEngine(load(tmp_path / "bundle"), seed=0)
    frames = waves.frames(waves.pieces("test")[0])[:20]
    with torch.no_grad():
        expected = model.rbm.conditionals(model.states(torch.from_numpy(frames)[None])[0])
    for time, frame in enumerate(frames):
        snapshot = engine.snapshot()
        for name, values in expected._asdict().items():
            assert snapshot[name] == pytest.approx(values[time].numpy(), abs=STREAMING), (name, time)
        engine.advance(frame)
    assert np.ptp(expected[0].numpy(), axis=0).min() > 100 * STREAMING, "the comparison would see a state that stands"


def test_the_manifest_says_what_the_run_was(small, waves, tmp_path):
    write_run(tmp_path / "run", with_model(small, mode="S", feed="sampled"))
    (tmp_path / "card.md").write_text("# Small\n")
    export(tmp_path / "run", tmp_path / "small.zip", waves, name="small", card=tmp_path / "card.md", temperature=0.9)
    bundle = load(tmp_path / "small.zip")
    manifest = bundle.manifest
    assert manifest.kind == "continuous"
    assert manifest.frame == waves.spec
    assert manifest.sizes == Sizes(visible=20, hidden=12, state=16, gains=5)
    assert (manifest.feed, manifest.spike_slab_feed) == ("stochastic", "sampled")
    assert (manifest.temperature, manifest.sweeps) == (0.9, 2)
    assert (manifest.training.data, manifest.training.licence) == ("tones, made by the test", "CC0")
    assert (manifest.training.seed, manifest.training.command) == (5, "cgrnn-train fit by hand")
    assert bundle.card == "# Small\n"


def test_the_arrays_are_the_model_s(run, waves, tmp_path):
    model = run[1]
    export(run[0], tmp_path / "bundle", waves, name="small", sweeps=9)
    bundle = load(tmp_path / "bundle")
    assert bundle.manifest.sweeps == 9
    units = model.rbm.units()
    # W by way of float64 against float32: some roundings of numbers below 1
    assert bundle.arrays["weight"] == pytest.approx(units.weight.detach().numpy(), abs=1e-6)
    np.testing.assert_allclose(bundle.arrays["slab_mean"], units.offset.detach().numpy(), rtol=1e-6)
    scale = model.rbm.conditionals(model.initial())
    for name, values in scale._asdict().items():
        np.testing.assert_array_equal(bundle.arrays[f"initial_{name}"], values.detach().numpy())


def test_the_transition_s_scale_is_softplus_wherever_it_is(run):
    """From silence, 10⁻³, to the loud: ONNX Runtime's Softplus against PyTorch's in float64."""
    model, rbm = run[1], run[1].rbm
    raw = torch.tensor([-120.0, -30, -15, -8, -1, 0, 1, 8, 15, 19.9, 20.1, 30, 80, 500] + [0.0] * 6)
    with torch.no_grad():
        rbm.scale_bias.copy_(raw)
        rbm.scale_modulation.weight.zero_()
    execute = transition.runner(transition.transition_onnx(model))
    outputs = execute(np.zeros((1, 20), np.float32), np.zeros((1, 12), np.float32), np.zeros((1, 16), np.float32))
    expected = 1e-3 + torch.nn.functional.softplus(raw.double(), threshold=1e9)
    assert outputs[2][0] == pytest.approx(expected.numpy(), rel=3e-7)
    assert outputs[2].min() > MIN_SCALE


def test_the_graph_carries_no_path_of_this_machine(run):
    assert b".py" not in transition.transition_onnx(run[1])


@pytest.mark.parametrize("feed", ["mean", "sampled"])
def test_the_engine_plays_what_is_exported(feed, small, waves, tmp_path):
    write_run(tmp_path / "run", with_model(small, feed=feed))
    export(tmp_path / "run", tmp_path / "bundle", waves, name="small")
    bundle = load(tmp_path / "bundle")

    def play(engine, steps):
        frames = []
        for _ in range(steps):
            frames.append(engine.sample())
            engine.advance(frames[-1])
        return np.array(frames)

    whole = play(WaveEngine(bundle, seed=3), 40)
    assert np.isfinite(whole).all()
    assert whole.std() > 0.1
    assert np.array_equal(whole, play(WaveEngine(bundle, seed=3), 40))
    first, second = WaveEngine(bundle, seed=3), WaveEngine(bundle, seed=99)
    play(first, 17)
    second.restore(first.snapshot())
    assert np.array_equal(whole[17:], play(second, 23))


def test_the_engine_draws_what_the_model_draws(run, waves, tmp_path):
    """The first frame of many players against as many draws of PyTorch's, mean and variance of each sample."""
    export(run[0], tmp_path / "bundle", waves, name="small", sweeps=12)
    engine, count = WaveEngine(load(tmp_path / "bundle"), seed=1), 4_000
    live = np.array([engine.sample() for _ in range(count)])
    rbm = run[1].rbm
    torch.manual_seed(2)
    with torch.no_grad():
        given = rbm.conditionals(run[1].initial().expand(count, -1))
        offline = rbm.draw(torch.zeros(count, 20), given, 12).numpy()
    error = np.hypot(live.std(0), offline.std(0)) / count**0.5
    assert (np.abs(live.mean(0) - offline.mean(0)) < 4.5 * error).all()
    # the log of a variance of n draws has the variance (kurtosis - 1) / n
    spread = sum((((x - x.mean(0)) / x.std(0)) ** 4).mean(0) - 1 for x in (live, offline)) / count
    assert (np.abs(np.log(live.var(0) / offline.var(0))) < 4.5 * spread**0.5).all()
    assert np.abs(np.corrcoef(live.T) - np.corrcoef(offline.T)).max() < 4.5 * (2 / count) ** 0.5
    assert np.abs(np.corrcoef(live.T) - np.eye(20)).max() > 0.15, "W shows"


def test_a_wide_direction_is_exported_with_its_w_from_float64(small, waves, tmp_path):
    """R of singular values about 300: a variance of 10⁵ in one direction."""
    rbm = write_run(tmp_path / "run", small, stretch=150.0).rbm
    assert isinstance(rbm, ContinuousCSSRBM)
    export(tmp_path / "run", tmp_path / "bundle", waves, name="small")
    largest = largest_singular_value(load(tmp_path / "bundle").arrays["weight"])
    raw = float(torch.linalg.svdvals(rbm.raw_weight.detach().double())[0])
    assert raw > 200
    assert 1 / (1 - largest**2) == pytest.approx(1 + raw**2, rel=0.05)  # of which 2⁻²⁴ · 10⁵ is W's rounding


def test_refuses_a_weight_at_the_edge(small, waves, tmp_path):
    write_run(tmp_path / "run", small, stretch=1e4)
    with pytest.raises(ExportError, match=r"W leaves 1 - s\^2 = .*, expected at least 9.5e-07: .* train again"):
        export(tmp_path / "run", tmp_path / "bundle", waves, name="small")
    assert not (tmp_path / "bundle").exists()
    assert MIN_GAP < 1e-6


@pytest.mark.parametrize(
    ("output", "name"),
    [(0, "state"), (1, "visible mean"), (2, "visible scale"), (3, "hidden bias"), (4, "gain logits")],
)
def test_refuses_when_the_transition_disagrees(run, waves, tmp_path, monkeypatch, output, name):
    forward = transition.Transition.forward

    def slightly_wrong(self, frame, spike_slab, state):
        outputs = list(forward(self, frame, spike_slab, state))
        outputs[output] = outputs[output] + 0.003
        return tuple(outputs)

    monkeypatch.setattr(transition.Transition, "forward", slightly_wrong)
    with pytest.raises(ExportError, match=f"ONNX Runtime's {name} at step 0 differ"):
        export(run[0], tmp_path / "bundle", waves, name="small")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        ("weight", "numpy's spike logits"),
        ("slab_mean", "numpy's spike logits"),
        ("gains", "numpy's (spike logits|weight of a gain)"),
    ],
)
def test_refuses_when_the_arrays_disagree(run, array, sentence):
    model = run[1]
    arrays = model_arrays(model)
    execute = transition.runner(transition.transition_onnx(model))
    agreement.check_agreement(model, execute, arrays)
    with pytest.raises(ExportError, match=sentence):
        agreement.check_agreement(model, execute, {**arrays, array: arrays[array] * np.float32(1.01)})


@pytest.mark.parametrize(
    ("method", "sentence"),
    [("answer", "numpy's spike logits"), ("mean_hidden", "numpy's mean feed"), ("given_spikes", "numpy's frame given")],
)
def test_refuses_when_the_conditionals_disagree(run, monkeypatch, method, sentence):
    right = getattr(agreement.WaveSlabs, method)

    def slightly_wrong(self, *arguments):
        found = right(self, *arguments)
        if method == "given_spikes":
            return found._replace(mean=found.mean + 0.01)
        return (found[0], found[1] + 0.01) if method == "answer" else found + 0.01

    model = run[1]
    arrays = model_arrays(model)
    execute = transition.runner(transition.transition_onnx(model))
    monkeypatch.setattr(agreement.WaveSlabs, method, slightly_wrong)
    with pytest.raises(ExportError, match=sentence):
        agreement.check_agreement(model, execute, arrays)


def test_refuses_data_of_the_other_kind(run, data, waves, small_run, tmp_path):
    with pytest.raises(DataError, match="holds piano rolls; expected sound"):
        export(run[0], tmp_path / "bundle", data, name="small")
    save_config(tmp_path / "rolls", small_run, "by hand")
    save_weights(tmp_path / "rolls", CGRNN(small_run.model))
    with pytest.raises(DataError, match="holds sound; expected piano rolls"):
        export(tmp_path / "rolls", tmp_path / "bundle", waves, name="small")


def test_refuses_frames_of_another_length(small, waves, tmp_path):
    config = with_model(small, visible=30)
    save_config(tmp_path / "run", config, "by hand")
    save_weights(tmp_path / "run", CGRNN(config.model))
    with pytest.raises(RunError, match="frames of 20 values; the model sees continuous ones of 30"):
        export(tmp_path / "run", tmp_path / "bundle", waves, name="small")


def test_what_others_draw_is_not_disturbed(run):
    """The checks draw frames, from a stream of their own."""
    model = run[1]
    arrays, execute = model_arrays(model), transition.runner(transition.transition_onnx(model))
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    agreement.check_agreement(model, execute, arrays)
    assert torch.equal(torch.rand(3), expected)
