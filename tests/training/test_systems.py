"""Every system of the table behind the one interface: what it predicts, reconstructs, plays and scores."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cgrnn_train.frame_scores import Settings
from cgrnn_train.log_likelihood import estimator, log_likelihoods
from cgrnn_train.models.conditional import each
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.rnn import RNN
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.system import BoundSystem
from cgrnn_train.models.vae import SequentialVAE
from cgrnn_train.systems import SYSTEMS, build

SIZES = {"visible": 6, "state": 5, "hidden": 4, "latent": 3, "width": 4, "mlp": (4,)}
START = {
    "binary": FrameStatistics(torch.full((6,), 0.3), None),
    "continuous": FrameStatistics(torch.linspace(-0.4, 0.6, 6), 0.25 * torch.eye(6)),
}
OVER_SOUND = [name for name, architecture in SYSTEMS.items() if "kind" in architecture.config.__dataclass_fields__]

of_every_kind = pytest.mark.parametrize(
    ("system", "kind"), [(name, "binary") for name in SYSTEMS] + [(name, "continuous") for name in OVER_SOUND]
)


def small(system, kind="binary", **changes):
    """A random model of `system` over 6 pitches or samples, in evaluation mode."""
    torch.manual_seed(0)
    architecture = SYSTEMS[system]
    fields = architecture.config.__dataclass_fields__
    values = {key: value for key, value in (SIZES | {"kind": kind}).items() if key in fields}
    model = build(system, architecture.config(**(values | architecture.fixed | changes)))
    model.start_from(START[kind])
    if kind == "continuous" and isinstance(model, EnergySystem):  # in which u says nothing at first
        for name, parameter in model.rbm.named_parameters():
            if "modulation" in name:
                nn.init.normal_(parameter, std=0.3)
    return model.eval()


def frames(time=7, batch=2, kind="binary"):
    torch.manual_seed(1)
    uniform = torch.rand(batch, time, 6)
    return (uniform < 0.4).float() if kind == "binary" else 2 * uniform - 1


def seeded(call, *arguments):
    torch.manual_seed(2)
    return call(*arguments)


@of_every_kind
def test_predictions_are_of_the_past_alone(system, kind):
    model, played = small(system, kind), frames(kind=kind)
    changed = played.clone()
    changed[:, 4:] = 1 - changed[:, 4:]
    first, second = seeded(model.predict, played), seeded(model.predict, changed)
    assert first.shape == played.shape
    assert torch.isfinite(first).all()
    assert kind == "continuous" or ((first > 0) & (first < 1)).all()
    assert torch.equal(first[:, :5], second[:, :5])  # frame 4 itself is not seen
    assert not torch.equal(first[:, 5], second[:, 5])


@of_every_kind
def test_a_reconstruction_has_seen_the_frame_or_does_not_exist(system, kind):
    model, played = small(system, kind), frames(batch=40, kind=kind)
    changed = played.clone()
    changed[:, 4] = 1 - changed[:, 4]
    with torch.no_grad():
        for parameter in model.parameters():  # weights of order 1: the frame must matter
            if parameter.dim() > 1:
                parameter.mul_(5)
    first, second = seeded(model.reconstruct, played), seeded(model.reconstruct, changed)
    if system.startswith("rnn-") and not isinstance(model, EnergySystem):
        assert first is None
        assert second is None
        assert model.activations(played) is None
    else:
        assert first is not None
        assert second is not None
        assert first.shape == played.shape
        assert not torch.equal(first[:, 4], second[:, 4])
        activations = model.activations(played)
        assert activations is not None
        assert activations.shape[:2] == played.shape[:2]
        assert torch.isfinite(activations).all()


@of_every_kind
def test_free_play_is_of_its_kind_and_seeded(system, kind):
    model = small(system, kind)
    first, second = seeded(model.generate, 9), seeded(model.generate, 9)
    assert first.shape == (9, 6)
    assert torch.equal(first, second)
    if kind == "binary":
        assert set(first.unique().tolist()) <= {0.0, 1.0}
    else:
        assert 0.1 < first.std() < 4  # it starts from frames of a standard deviation of 0.5, to which spikes add


@of_every_kind
def test_the_first_frame_of_free_play_has_the_predicted_mean(system, kind):
    model = small(system, kind)
    if isinstance(model, EnergySystem):
        with torch.no_grad():
            (weight,) = model.rbm.slow_parameters()[:1]
            weight.normal_()  # so that the hidden units matter
    shown = frames(1, 1, kind)
    torch.manual_seed(3)
    played = torch.stack([model.generate(1)[0] for _ in range(1500)])
    predicted = torch.stack([model.predict(shown)[0, 0] for _ in range(20)])
    error = torch.hypot(played.std(0) / 1500**0.5, predicted.std(0) / 20**0.5)
    assert ((played.mean(0) - predicted.mean(0)).abs() < 4.5 * error + 1e-3).all()


@of_every_kind
def test_a_likelihood_names_its_kind_and_covers_every_frame(system, kind):
    model, pieces = small(system, kind), [frames(time, 1, kind)[0] for time in (5, 3, 1)]
    settings = Settings(temperatures=30, chains=4, samples=3)
    scores = log_likelihoods(model, pieces, settings)
    assert len(scores.log_likelihood) == 9
    assert scores.sequence.tolist() == [0] * 5 + [1] * 3 + [2]
    assert scores.log_likelihood.sum() < 0
    words = estimator(model, settings)
    if isinstance(model, EnergySystem):
        sums = ", visited frames summed" if kind == "binary" else ""
        assert words == f"AIS, 30 temperatures x 4 chains{sums} (errs high)"
    elif system.startswith("rnn-"):
        assert words == "exact"
    else:
        assert words == "importance-weighted bound, 3 draws (errs low)"


@pytest.mark.parametrize("system", SYSTEMS)
def test_likelihoods_of_all_frames_sum_to_one(system):
    """Over all 64 frames the probabilities of one frame sum to 1, or to less for a lower bound."""
    model = small(system)
    everything = ((torch.arange(64)[:, None] >> torch.arange(6)) & 1).float()
    settings = Settings(temperatures=300, chains=32, samples=1000)
    scores = log_likelihoods(model, [row[None] for row in everything], settings)
    total = scores.log_likelihood.exp().sum().item()
    if isinstance(model, BoundSystem) and not model.is_exact:
        assert total == pytest.approx(1, abs=0.03)  # 1,000 draws leave no gap that could be seen, and little noise
    else:
        assert total == pytest.approx(1, abs=1e-4 if isinstance(model, BoundSystem) else 0.02)  # AIS: 64 log Z's


@pytest.mark.parametrize("system", ["cgrnn", "rnn-ssrbm"])
def test_activations_are_the_mean_of_spike_times_slab(system):
    """E[h∘s | v, u] = σ(η) (μ + a/α) with precisions that differ."""
    model, played = small(system), frames()
    assert isinstance(model, EnergySystem)
    with torch.no_grad():
        model.rbm.raw_precision.copy_(torch.tensor([-1.0, 0.0, 1.0, 2.0]))
        model.rbm.slab_mean.copy_(torch.tensor([1.0, -0.5, 0.3, 2.0]))
        model.rbm.weight.mul_(50)
        slabs = model.rbm.slabs()
        drive = played @ slabs.weight
        logits = drive.square() / (2 * slabs.precision) + slabs.mean * drive + model(played).hidden_bias
        expected = torch.sigmoid(logits) * (slabs.mean + drive / slabs.precision)
    assert torch.allclose(model.activations(played), expected, atol=1e-5)  # float32


def test_a_system_s_name_settles_its_architecture():
    assert SYSTEMS["rnn-2"].fixed == {"layers": 2}
    assert small("rnn-2").config.layers == 2
    assert small("srnn-f").config.inference == "filtering"
    assert small("srnn-s-res").config.residual


@of_every_kind
def test_play_after_a_prompt_begins_in_the_state_that_the_prompt_leaves(system, kind):
    model, prompt = small(system, kind), frames(kind=kind)
    following = F.pad(prompt, (0, 0, 0, 1))  # a frame more, for what the model says before it
    first = seeded(model.generate, 1, prompt)
    with torch.no_grad():
        if isinstance(model, EnergySystem):
            given = each(model(following), lambda part: part[:, -1])
            expected = seeded(model.rbm.draw, prompt[:, -1], given, 25)
        elif isinstance(model, RNN):
            expected = seeded(model.emission.draw, model(following)[:, -1])
        else:
            assert isinstance(model, SequentialVAE)
            torch.manual_seed(2)
            noise = torch.randn(2, 7, 3)
            path = model.infer(prompt, None, noise)
            memory = model.after(prompt, path)
            states = model.infer(following, None, F.pad(noise, (0, 0, 0, 1))).state
            assert torch.allclose(memory[0], states[:, -1], atol=1e-6)  # float32
            expected, _ = model.play(memory)
    assert first.shape == (2, 1, 6)
    assert torch.allclose(first[:, 0], expected, atol=1e-5)  # float32


@of_every_kind
def test_play_after_a_prompt_is_seeded_and_hears_all_of_it(system, kind):
    model, prompt = small(system, kind), frames(6, 1, kind)[0]
    changed, many = prompt.clone(), (2000, -1, -1)
    changed[0] = 1 - changed[0]
    first = seeded(model.generate, 9, prompt)
    assert first.shape == (9, 6)
    assert torch.equal(first, seeded(model.generate, 9, prompt))
    assert torch.equal(first, seeded(model.generate, 9, prompt[None])[0])
    assert torch.equal(seeded(model.generate, 9, prompt[:0]), seeded(model.generate, 9))
    with torch.no_grad():
        for parameter in model.parameters():  # weights of order 1: draws of 0 and 1 must show it
            if parameter.dim() > 1:
                parameter.mul_(5)
    following, other = (seeded(model.generate, 1, heard.expand(many)) for heard in (prompt, changed))
    assert not torch.equal(following, other)


@pytest.mark.parametrize("kind", START)
@pytest.mark.parametrize("system", [name for name in SYSTEMS if not name.startswith("srnn")])
def test_the_first_frame_after_a_prompt_has_the_predicted_mean(system, kind):
    """An SRNN predicts by particles that follow the true posterior of z, and goes on from its own."""
    model = small(system, kind)
    with torch.no_grad():
        for parameter in model.parameters():  # so that the prompt matters
            if parameter.dim() > 1 and not isinstance(model, EnergySystem):
                parameter.mul_(3)
    shown = frames(5, 1, kind)
    torch.manual_seed(3)
    played = model.generate(1, shown[:, :4].expand(3000, -1, -1))[:, 0]
    predicted = torch.stack([model.predict(shown)[0, 4] for _ in range(20)])
    error = torch.hypot(played.std(0) / 3000**0.5, predicted.std(0) / 20**0.5)
    assert ((played.mean(0) - predicted.mean(0)).abs() < 4.5 * error + 1e-3).all()
