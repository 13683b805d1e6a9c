"""The sampler against the exact distribution of small models, clamped and not, by brute force in float64."""

import numpy as np
import pytest

from cgrnn_live.engine import make_denser
from cgrnn_live.noise import draw_logistic, draw_normal
from cgrnn_live.sampler import FREE, OFF, ON, Sampler

VISIBLE, HIDDEN = 5, 4
DRAWS = 2_000
SWEEPS = 40  # far more than this model needs to forget its start


def small_model():
    random = np.random.default_rng(7)
    weight = random.normal(0, 0.6, (VISIBLE, HIDDEN)).astype(np.float32)
    precision = random.uniform(0.5, 2, HIDDEN).astype(np.float32)
    mean = random.normal(0, 1, HIDDEN).astype(np.float32)
    visible_bias = random.normal(-0.3, 0.8, VISIBLE).astype(np.float32)
    hidden_bias = random.normal(-0.5, 0.8, HIDDEN).astype(np.float32)
    return weight, precision, mean, visible_bias, hidden_bias


def all_frames():
    return (np.arange(2**VISIBLE)[:, None] >> np.arange(VISIBLE)) & 1


def exact_probabilities(clamp=None, temperature=1.0):
    """p(v | clamp) at a temperature of the joint energy: slabs integrated and spikes summed in closed form.

    ∫ exp(−E/T) ds = exp(h η / T) times a constant, so each spike contributes log(1 + exp(η / T)).
    """
    weight, precision, mean, visible_bias, hidden_bias = (a.astype(float) for a in small_model())
    v = all_frames()
    a = v @ weight
    eta = a**2 / (2 * precision) + mean * a + hidden_bias
    log_p = v @ visible_bias / temperature + np.logaddexp(0, eta / temperature).sum(1)
    if clamp is not None:
        bad = ((clamp == ON) & (v == 0)) | ((clamp == OFF) & (v == 1))
        log_p[bad.any(1)] = -np.inf
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def draw(clamp, temperature=1.0, seed=0, start=1, density=1.0):
    weight, precision, mean, visible_bias, hidden_bias = small_model()
    visible_bias = make_denser(visible_bias, density, temperature)
    sampler = Sampler(weight, precision, mean, np.random.default_rng(seed))
    begin = np.full(VISIBLE, bool(start))
    frames = [
        sampler.sample_frame(begin, visible_bias, hidden_bias, clamp, sweeps=SWEEPS, temperature=temperature)
        for _ in range(DRAWS)
    ]
    return np.bincount(np.array(frames) @ (1 << np.arange(VISIBLE)), minlength=2**VISIBLE)


def chi_square(counts, expected):
    possible = expected > 0
    assert counts[~possible].sum() == 0
    return float(((counts - DRAWS * expected)[possible] ** 2 / (DRAWS * expected[possible])).sum())


FREE_ALL = np.full(VISIBLE, FREE, np.int8)
CLAMPED = np.array([FREE, ON, FREE, OFF, FREE], np.int8)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
def test_free_frames_follow_the_exact_distribution(temperature):
    statistic = chi_square(draw(FREE_ALL, temperature), exact_probabilities(temperature=temperature))
    assert statistic < 61.1  # the 99.9 % point of χ² with 31 degrees of freedom; seeds are fixed


@pytest.mark.parametrize(("density", "temperature"), [(3.0, 1.0), (0.25, 0.7), (2.0, 1.6)])
def test_density_multiplies_the_odds_of_each_free_note(density, temperature):
    exact = exact_probabilities(CLAMPED, temperature)
    expected = exact * density ** all_frames().sum(1)
    counts = draw(CLAMPED, temperature, density=density)
    assert chi_square(counts, expected / expected.sum()) < 24.3  # the 99.9 % point with 7 degrees of freedom
    assert chi_square(counts, exact) > 24.3, "the test can fail"


def test_clamped_frames_follow_the_exact_conditional():
    statistic = chi_square(draw(CLAMPED), exact_probabilities(CLAMPED))
    assert statistic < 24.3  # the 99.9 % point with 7 degrees of freedom


def test_the_goodness_of_fit_can_fail():
    """The same statistic is far out when temperature or clamps are not what was drawn."""
    assert chi_square(draw(FREE_ALL, 1.6), exact_probabilities(temperature=1.0)) > 61.1
    assert chi_square(draw(CLAMPED), exact_probabilities(CLAMPED, temperature=2.0)) > 24.3


def test_the_start_is_forgotten():
    """Chains from silence and from every pitch at once end alike: what the draws above rest on."""
    silence, full = draw(FREE_ALL, 0.7, start=0), draw(FREE_ALL, 0.7, start=1)
    pooled = (silence + full) / 2
    seen = pooled > 0
    assert ((silence - full)[seen] ** 2 / (2 * pooled[seen])).sum() < 61.1


def test_a_clamped_pitch_wins_over_the_start():
    weight, precision, mean, visible_bias, hidden_bias = small_model()
    sampler = Sampler(weight, precision, mean, np.random.default_rng(0))
    frame = sampler.sample_frame(np.ones(VISIBLE, bool), visible_bias, hidden_bias, CLAMPED, sweeps=1)
    assert frame[1]
    assert not frame[3]
    assert frame.dtype == np.bool_


def test_everything_clamped_is_returned_as_it_is():
    weight, precision, mean, visible_bias, hidden_bias = small_model()
    sampler = Sampler(weight, precision, mean, np.random.default_rng(0))
    clamp = np.array([ON, OFF, ON, ON, OFF], np.int8)
    frame = sampler.sample_frame(np.zeros(VISIBLE, bool), visible_bias, hidden_bias, clamp, sweeps=3)
    assert (frame == (clamp == ON)).all()


def test_spike_slabs_have_their_exact_moments():
    weight, precision, mean, _, hidden_bias = small_model()
    sampler = Sampler(weight, precision, mean, np.random.default_rng(1))
    v = np.array([1, 0, 1, 1, 0], bool)
    a = v @ weight.astype(float)
    spike = 1 / (1 + np.exp(-(a**2 / (2 * precision) + mean * a + hidden_bias)))
    slab = mean + a / precision
    draws = np.array([sampler.sample_spike_slab(v, hidden_bias) for _ in range(20_000)])
    expected_square = spike * (slab**2 + 1 / precision)
    spread = draws.std(0) / 20_000**0.5
    assert (np.abs(draws.mean(0) - spike * slab) < 4 * spread).all()
    assert (draws**2).mean(0) == pytest.approx(expected_square, rel=0.05)
    assert (np.abs((draws == 0).mean(0) - (1 - spike)) < 4 * 0.5 / 20_000**0.5).all()
    # float32 against float64: a dozen roundings of numbers of order one
    assert sampler.mean_spike_slab(v, hidden_bias) == pytest.approx(spike * slab, abs=1e-5)


def test_same_seed_same_frames():
    weight, precision, mean, visible_bias, hidden_bias = small_model()
    runs = []
    for _ in range(2):
        sampler = Sampler(weight, precision, mean, np.random.default_rng(5))
        start = np.zeros(VISIBLE, bool)
        runs.append([sampler.sample_frame(start, visible_bias, hidden_bias, FREE_ALL, sweeps=2) for _ in range(50)])
    assert np.array_equal(runs[0], runs[1])


def test_noise_is_standard_normal_and_logistic():
    """Moments of half a million draws each, within five standard errors of their own."""
    random = np.random.default_rng(11)
    normal = draw_normal(random, 701, 703).astype(float)  # an odd number of them
    assert normal.shape == (701, 703)
    count = normal.size
    assert abs(normal.mean()) < 5 / count**0.5
    assert abs(normal.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs((normal**4).mean() - 3) < 5 * (96 / count) ** 0.5
    assert abs((normal[:-1] * normal[1:]).mean()) < 5 / count**0.5
    pairs = normal.ravel()
    assert abs((pairs[: count // 2] * pairs[count // 2 : count // 2 * 2]).mean()) < 10 / count**0.5  # cosine by sine
    logistic = draw_logistic(random, 700, 700).astype(float)
    assert abs(logistic.mean()) < 5 * (np.pi**2 / 3 / logistic.size) ** 0.5
    assert logistic.var() == pytest.approx(np.pi**2 / 3, rel=0.02)
