"""The sampler of sound against the exact distribution of small models: mixtures of Gaussians, and E by quadrature."""

import itertools

import numpy as np
import pytest

from cgrnn_live.wave_sampler import WaveSampler

VISIBLE, HIDDEN = 4, 6
BATCHES, BATCH = 50, 120


def small_model(largest=0.95, seed=7):
    random = np.random.default_rng(seed)
    weight = random.normal(0, 1, (VISIBLE, HIDDEN))
    weight = (largest * weight / np.linalg.norm(weight, 2)).astype(np.float32)
    mean = random.normal(0, 1, HIDDEN).astype(np.float32)
    hidden_bias = random.normal(-0.5, 0.8, HIDDEN).astype(np.float32)
    return weight, mean, hidden_bias


def spike_vectors(hidden):
    return np.array(list(itertools.product([0.0, 1.0], repeat=hidden)))


def components(weight, mean, temperature=1.0):
    """Of each h: mean (2^H, V) and covariance (2^H, V, V) of x | h, and log ∫ exp(−E/T) dx ds without b̃_hᵀh / T."""
    weight, mean = weight.astype(float), mean.astype(float)
    means, covariances, logs = [], [], []
    for spikes in spike_vectors(len(mean)):
        precision = np.eye(len(weight)) - (weight * spikes) @ weight.T
        covariance = np.linalg.inv(precision)
        pull = weight @ (mean * spikes)
        means.append(covariance @ pull)
        covariances.append(temperature * covariance)
        logs.append(0.5 * pull @ covariance @ pull / temperature - 0.5 * np.linalg.slogdet(precision)[1])
    return np.array(means), np.array(covariances), np.array(logs)


def mixed(weights, means, covariances):
    """Mean and second moments about 0 of a mixture, in one row of V + V² numbers."""
    second = np.einsum("h,hij->ij", weights, covariances + means[:, :, None] * means[:, None, :])
    return np.concatenate([weights @ means, second.ravel()])


def exact_moments(weight, mean, hidden_bias, temperature=1.0):
    means, covariances, logs = components(weight, mean, temperature)
    logs = logs + spike_vectors(len(mean)) @ hidden_bias.astype(float) / temperature
    weights = np.exp(logs - logs.max())
    return mixed(weights / weights.sum(), means, covariances)


def moments_after_one_sweep(start, weight, mean, hidden_bias, temperature=1.0):
    """Of x drawn by one sweep from ``start``: the mixture with p(h | start) for its weights."""
    drive = start @ weight.astype(float) + mean
    eta = (0.5 * drive**2 - 0.5 * mean.astype(float) ** 2 + hidden_bias) / temperature
    on = 0.5 + 0.5 * np.tanh(eta / 2)  # σ(η)
    weights = np.prod(np.where(spike_vectors(len(mean)) > 0, on, 1 - on), axis=1)
    return mixed(weights, *components(weight, mean, temperature)[:2])


def energy(x, spikes, slabs, weight, mean, hidden_bias):
    """FORMAT.md's E, term by term; x (..., V), slabs (..., H)."""
    pulled = (x @ weight) * slabs * spikes
    return (
        0.5 * (x**2).sum(-1)
        + 0.5 * (slabs**2).sum(-1)
        - pulled.sum(-1)
        - hidden_bias @ spikes
        + 0.5 * (mean**2 * spikes).sum()
        - (mean * slabs * spikes).sum(-1)
    )


def drawn(start, weight, mean, hidden_bias, *, sweeps, temperature=1.0, goes_on=False, seed=0):
    """Draws (BATCHES, BATCH, V), each from ``start`` or, if it goes on, from the one before."""
    sampler = WaveSampler(weight, mean, np.random.default_rng(seed))
    draws = np.empty((BATCHES * BATCH, len(weight)))
    x = start
    for row in draws:
        row[:] = sampler.sample(x if goes_on else start, hidden_bias, sweeps=sweeps, temperature=temperature)
        x = row
    return draws.reshape(BATCHES, BATCH, -1)


def deviations(draws, expected):
    """How many standard errors the draws' moments lie from the expected ones; errors are from the batches' spread."""
    second = np.einsum("bti,btj->btij", draws, draws).reshape(*draws.shape[:2], -1)
    batches = np.concatenate([draws, second], axis=2).mean(axis=1)  # (batch, V + V²)
    return np.abs(batches.mean(0) - expected) / (batches.std(0, ddof=1) / len(batches) ** 0.5)


# 20 moments each (14 of them different), of Student's t with 49 degrees of freedom: beyond 4.5 with a chance of 6e-4.
FAR = 4.5


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
def test_gibbs_has_the_exact_moments(temperature):
    model = small_model()
    draws = drawn(np.zeros(VISIBLE), *model, sweeps=4, temperature=temperature, goes_on=True)
    assert deviations(draws, exact_moments(*model, temperature)).max() < FAR


def test_the_comparison_can_fail():
    model = small_model()
    draws = drawn(np.zeros(VISIBLE), *model, sweeps=4, goes_on=True)
    assert deviations(draws, exact_moments(*model, temperature=1.2)).max() > FAR
    weight, mean, hidden_bias = model
    assert deviations(draws, exact_moments(weight, mean, hidden_bias + np.float32(0.4))).max() > FAR
    assert deviations(draws, exact_moments(weight, np.float32(0.8) * mean, hidden_bias)).max() > FAR


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("start", [(0, 0, 0, 0), (3, -1, 0.5, -2)], ids=str)
def test_one_sweep_is_the_two_conditionals(start, temperature):
    """p(h | x) and p(x | h), without any need of a chain to forget its start."""
    model, x = small_model(), np.array(start, float)
    draws = drawn(x, *model, sweeps=1, temperature=temperature)
    assert deviations(draws, moments_after_one_sweep(x, *model, temperature)).max() < FAR


@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
def test_the_mixture_is_that_of_the_energy(shape):
    """The reference itself, by quadrature of exp(−E / T) over x and s: on grids this wide and fine it is exact."""
    visible, hidden = shape
    random = np.random.default_rng(1)
    weight = random.uniform(0.2, 0.5, shape)
    mean, hidden_bias = random.normal(0, 0.7, hidden), random.normal(0, 0.5, hidden)
    grid, temperature = np.linspace(-9, 9, 61), 1.3
    points = np.array(list(itertools.product(grid, repeat=visible + hidden)))
    x, slabs = points[:, :visible], points[:, visible:]
    energies = np.array([energy(x, spikes, slabs, weight, mean, hidden_bias) for spikes in spike_vectors(hidden)])
    density = np.exp(-energies / temperature).sum(axis=0)
    density /= density.sum()
    second = np.einsum("p,pi,pj->ij", density, x, x).ravel()
    found = np.concatenate([density @ x, second])
    assert found == pytest.approx(exact_moments(weight, mean, hidden_bias, temperature), abs=1e-6)


@pytest.mark.parametrize("bias", [1e4, -1e4], ids=["all on", "all off"])
def test_a_direction_at_the_edge_of_the_format(bias):
    """Spikes all on, and a singular value with 1 − s² = 2⁻¹⁹: variances from 1 to half a million, and cross terms."""
    random = np.random.default_rng(2)
    left, right = (np.linalg.qr(random.normal(size=(size, size)))[0] for size in (VISIBLE, HIDDEN))
    singular = np.sqrt([1 - 2.0**-19, 0.9, 0.5, 0.0])
    weight = (left * singular) @ right[:VISIBLE]
    weight, mean = weight.astype(np.float32), np.full(HIDDEN, 0.01, np.float32)
    hidden_bias = np.full(HIDDEN, bias, np.float32)
    draws = drawn(np.zeros(VISIBLE), weight, mean, hidden_bias, sweeps=1)
    assert deviations(draws, moments_after_one_sweep(np.zeros(VISIBLE), weight, mean, hidden_bias)).max() < FAR
    # In the singular directions the narrow ones are not lost in the wide one.
    basis = np.linalg.svd(weight.astype(float))[0]
    turned = draws @ basis
    variance = 1 / (1 - np.linalg.svd(weight.astype(float))[1] ** 2) if bias > 0 else np.ones(VISIBLE)
    assert turned.var(axis=(0, 1)) == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize("largest", [0.5, 0.95, (1 - 2.0**-19) ** 0.5], ids=str)
def test_the_mean_given_any_spikes_is_exact_whichever_way_it_is_solved(largest):
    """At a temperature of 0, nearly: few spikes go by themselves, many by the silent ones, all by none."""
    weight, mean, _ = small_model(largest)
    sampler = WaveSampler(weight, mean, np.random.default_rng(0))
    for spikes, expected in zip(spike_vectors(HIDDEN), components(weight, mean)[0], strict=True):
        hidden_bias = np.where(spikes > 0, 1e4, -1e4).astype(np.float32)
        x = sampler.sample(np.zeros(VISIBLE), hidden_bias, sweeps=1, temperature=1e-24)
        # Noise of 1e-12, and rounding of 1e-16, both times the condition, 5e5 at the edge, and means as large.
        assert np.abs(x - expected).max() < 1e-8 * max(1.0, np.abs(expected).max())


def test_the_start_is_forgotten():
    """Chains from silence and from a loud frame end alike, where no spike holds another in its state for long."""
    model = small_model(largest=0.7)
    near = drawn(np.zeros(VISIBLE), *model, sweeps=12)
    far = drawn(np.full(VISIBLE, 8.0), *model, sweeps=12, seed=1)
    expected = exact_moments(*model)
    assert deviations(near, expected).max() < FAR
    assert deviations(far, expected).max() < FAR


def test_same_seed_same_frames_and_the_model_is_not_touched():
    weight, mean, hidden_bias = small_model()
    before = [values.copy() for values in (weight, mean, hidden_bias)]
    runs = []
    for seed in (5, 5, 6):
        sampler, x = WaveSampler(weight, mean, np.random.default_rng(seed)), np.zeros(VISIBLE)
        runs.append([x := sampler.sample(x, hidden_bias, sweeps=2) for _ in range(50)])
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    for values, kept in zip((weight, mean, hidden_bias), before, strict=True):
        assert np.array_equal(values, kept)
