"""The variational autoencoders: their bounds against brute force, what each posterior and prediction may look at."""

import pytest
import torch

from cgrnn_train.models.normal import Normal
from cgrnn_train.models.srnn import SRNN, LatentScan, SRNNConfig
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.storn import STORN, STORNConfig
from cgrnn_train.models.vrnn import VRNN, VRNNConfig, VRNNScan
from cgrnn_train.ranges import ConfigError

SYSTEMS = {
    "storn": (STORN, STORNConfig, {}),
    "vrnn": (VRNN, VRNNConfig, {}),
    "srnn-s": (SRNN, SRNNConfig, {}),
    "srnn-s-res": (SRNN, SRNNConfig, {"residual": True}),
    "srnn-f": (SRNN, SRNNConfig, {"inference": "filtering"}),
}
SIZES = {"visible": 7, "state": 6, "latent": 4, "width": 9, "mlp": (5,)}
TINY = {"visible": 3, "state": 4, "latent": 2, "width": 6, "mlp": ()}


def make(name, **sizes):
    torch.manual_seed(0)
    system, config, variant = SYSTEMS[name]
    return system(config(**variant, **sizes)).eval()


def make_tiny(name, kind="binary"):
    """A model with a posterior that covers the prior: the weights' tails are light, so that draws miss nothing."""
    model = make(name, **TINY, kind=kind)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.35)
        model.decoder.output.weight.mul_(3 if kind == "binary" else 1)  # what is played depends on the latents
        model.decoder.output.bias.zero_()
        model.decoder.output.weight[3:] *= 0.1  # raw standard deviations of samples, where frames are sound
        model.decoder.output.bias[3:] = 1
        model.posterior.output.weight.mul_(0.3)
        model.posterior.output.bias[:2] *= 0.3
        model.posterior.output.bias[2:] = 1 + (name == "storn")  # raw standard deviations
        if kind == "continuous" and name != "storn":  # such sound says little of z, and the prior is narrow
            model.posterior.output.bias.copy_(model.prior.output.bias)
            model.posterior.output.bias[2:] += 0.5
    return model


def some_frames(batch, time, visible=7, kind="binary"):
    uniform = torch.rand(batch, time, visible)
    return (uniform < 0.3).float() if kind == "binary" else 2 * uniform - 1


every_system = pytest.mark.parametrize("name", list(SYSTEMS))
of_every_kind = pytest.mark.parametrize("kind", ["binary", "continuous"])


@torch.no_grad()
def brute_force(model, frames, paths=100_000):
    """log p(frames) and its standard error, by averaging p(frames | z) over latents that `play` draws.

    The model is made to play ``frames``, whatever it draws, while their log-probability is added up.
    """
    coming, total = iter(frames), torch.zeros(paths, dtype=torch.double)

    def draw(numbers):
        frame = next(coming).expand(len(numbers), -1)
        total.add_(model.emission.log_probability(numbers, frame))
        return frame

    model.emission.draw = draw
    memory = tuple(part.expand(paths, -1) for part in model.before())
    for _ in frames:
        _, memory = model.play(memory)
    del model.emission.draw
    weights = total.exp()
    return float(weights.mean().log()), float(weights.std() / weights.mean() / paths**0.5)


@every_system
@of_every_kind
def test_more_draws_tighten_the_bound_until_it_is_the_likelihood(name, kind):
    model, frames = make_tiny(name, kind), torch.tensor([[1.0, 0, 1], [0, 0, 1], [1, 1, 0]])
    expected, error = brute_force(model, frames)
    assert error < 0.005
    with torch.no_grad():
        elbo = float(model.bound(frames.expand(10_000, -1, -1)).sum(1).mean())
    few, more = (float(sum(model.log_likelihood(frames, k).sum() for _ in range(60)) / 60) for k in (8, 64))
    increments = model.log_likelihood(frames, 100_000)
    most = float(increments.sum())
    assert elbo < few < more < most + 0.03
    assert increments.shape == (3,)
    assert increments.dtype == torch.double
    # Two Monte Carlo errors: brute force's, and the bound's, whose effective draws are 3,000 to 47,000.
    assert most == pytest.approx(expected, abs=0.03)


def test_one_draw_is_the_bound_that_is_trained():
    model, frames = make("vrnn", **SIZES), some_frames(1, 5)[0]
    torch.manual_seed(1)
    expected = model.bound(frames[None])[0]
    torch.manual_seed(1)
    assert torch.equal(model.log_likelihood(frames, 1), expected.double())
    assert model.kind(1) == "ELBO, 1 draw (errs low)"
    assert model.kind(64) == "importance-weighted bound, 64 draws (errs low)"


def test_draws_in_chunks_are_all_counted(monkeypatch):
    """The bound of paths that are inferred a few at a time is that of all of them."""
    model, frames, noise = make_tiny("srnn-f"), some_frames(1, 6, visible=3)[0], torch.randn(40, 6, 2)
    sizes = list[int]()

    def next_noise(_, paths):
        sizes.append(paths)
        return noise[sum(sizes) - paths : sum(sizes)]

    monkeypatch.setattr(model, "_noise", next_noise)
    whole = model.log_likelihood(frames, 40)
    assert sizes == [40]
    sizes.clear()
    monkeypatch.setattr("cgrnn_train.models.vae.FRAMES_AT_ONCE", 6 * 16)
    assert torch.allclose(model.log_likelihood(frames, 40), whole, atol=1e-5)  # float32
    assert sizes == [16, 16, 8]


def test_divergence_and_density_agree_with_torch():
    torch.manual_seed(0)
    p, q = (Normal.of(torch.randn(5, 6, dtype=torch.double)) for _ in range(2))
    first, second = (torch.distributions.Normal(*normal) for normal in (p, q))
    expected = torch.distributions.kl_divergence(first, second).sum(-1)
    assert torch.allclose(p.divergence(q), expected, atol=1e-12)
    assert torch.allclose(p.divergence(p), torch.zeros(5, dtype=torch.double), atol=1e-12)
    value = torch.randn(5, 3, dtype=torch.double)
    assert torch.allclose(p.log_density(value), first.log_prob(value).sum(-1), atol=1e-12)


@every_system
@of_every_kind
def test_every_parameter_is_trained(name, kind):
    model = make(name, **SIZES, kind=kind)
    model.bound(some_frames(3, 5, kind=kind)).sum().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_backward_of_the_scans():
    torch.manual_seed(0)
    time, batch, state, width, latent = 4, 2, 3, 5, 2

    def tensors(*shapes):
        return [torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in shapes]

    noise = torch.randn(time, batch, latent, dtype=torch.double)
    seen, encoded, *weights = tensors(
        (time, batch, 3 * state),
        (time, batch, width),
        (batch, state),
        (3 * state + width, state),
        (3 * state + width,),
        (2 * latent, width),
        (2 * latent,),
        (6, latent),
        (6,),
        (3 * state, 6),
    )
    assert torch.autograd.gradcheck(lambda *t: VRNNScan.apply(*t[:2], noise, *t[2:]), (seen, encoded, *weights))
    encoded, *weights = tensors((time, batch, width), (width, latent), (2 * latent, width), (2 * latent,))
    assert torch.autograd.gradcheck(lambda e, *t: LatentScan.apply(e, noise, *t), (encoded, *weights))


@every_system
@of_every_kind
def test_padding_changes_nothing(name, kind):
    model, noise = make(name, **SIZES, kind=kind), torch.randn(3, 8, 4)
    frames, lengths = some_frames(3, 8, kind=kind), [8, 3, 5]
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    padded = model.infer(frames, mask, noise)  # what stands on the padding is arbitrary
    for row, length in enumerate(lengths):
        alone = model.infer(frames[row, None, :length], None, noise[row, None, :length])
        for there, here in zip(padded, alone, strict=True):
            for found, expected in zip(there, here, strict=True) if isinstance(there, Normal) else [(there, here)]:
                assert torch.allclose(found[row, :length], expected[0], atol=1e-5)  # float32
    assert model.bound(frames, mask).shape == (3, 8)


@every_system
@of_every_kind
def test_what_a_posterior_looks_at(name, kind):
    """A change of frame 4 reaches earlier posteriors where inference smooths, and there alone."""
    model, noise, frames = make(name, **SIZES, kind=kind), torch.randn(1, 8, 4), some_frames(1, 8, kind=kind)
    changed = frames.clone()
    changed[0, 4] = 1 - changed[0, 4]
    before, after = (model.infer(f, None, noise).posterior.mean[0] for f in (frames, changed))
    assert not torch.allclose(before[4], after[4], atol=1e-4)
    assert torch.allclose(before[:4], after[:4], atol=1e-7) is not name.startswith("srnn-s")


@every_system
@of_every_kind
def test_prediction_looks_at_the_past_only(name, kind):
    model, frames = make(name, **SIZES, kind=kind), some_frames(2, 6, kind=kind)
    changed = frames.clone()
    changed[0, 3:] = 1 - changed[0, 3:]
    torch.manual_seed(1)
    before = model.predict(frames)
    torch.manual_seed(1)
    after = model.predict(changed)
    assert before.shape == frames.shape
    assert torch.equal(before[0, :4], after[0, :4])
    assert not torch.allclose(before[0, 4], after[0, 4], atol=1e-5)
    assert torch.equal(before[1], after[1])


@every_system
@of_every_kind
def test_the_first_frame_is_played_as_it_is_predicted(name, kind):
    model, played = make_tiny(name, kind), 100_000
    model.start_from(FrameStatistics(torch.tensor([0.1, 0.5, 0.8]), torch.eye(3) if kind == "continuous" else None))
    with torch.no_grad():
        frames, _ = model.play(tuple(part.expand(played, -1) for part in model.before()))
        found = torch.stack([model.predict(torch.zeros(1, 1, 3))[0, 0] for _ in range(300)]).mean(0)
    assert torch.allclose(frames.mean(0), found, atol=0.02)  # 300 · 32 draws: errors below 0.005


@every_system
def test_generation_reconstruction_and_activations(name):
    model, frames = make(name, **SIZES), some_frames(2, 5)
    torch.manual_seed(3)
    first = model.generate(9)
    torch.manual_seed(3)
    assert torch.equal(first, model.generate(9))
    assert first.shape == (9, 7)
    assert set(first.unique().tolist()) <= {0.0, 1.0}
    reconstruction = model.reconstruct(frames)
    assert reconstruction.shape == frames.shape
    assert ((reconstruction > 0) & (reconstruction < 1)).all()
    assert model.activations(frames).shape == (2, 5, 4)
    assert torch.equal(model.activations(frames), model.activations(frames))


@every_system
def test_an_untrained_model_starts_from_the_mean_frame(name):
    model, mean = make(name, **SIZES), torch.tensor([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    model.start_from(FrameStatistics(mean, None))
    with torch.no_grad():
        model.decoder.output.weight.zero_()
    assert torch.allclose(model.predict(some_frames(1, 3)), mean.expand(1, 3, -1), atol=1e-6)


@every_system
def test_dropout_is_for_training(name):
    model, frames = make(name, **SIZES, dropout=0.5, state_dropout=0.5), some_frames(2, 5)
    noise = torch.zeros(2, 5, 4)
    assert torch.equal(model.infer(frames, None, noise).numbers, model.infer(frames, None, noise).numbers)
    model.train()
    assert not torch.equal(model.infer(frames, None, noise).numbers, model.infer(frames, None, noise).numbers)


def test_a_configuration_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="latent: found 0; expected at least 1"):
        VRNNConfig(latent=0)
