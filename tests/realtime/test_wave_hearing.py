"""What a frame that was heard says, against the exact posterior of a small model: gains and spikes enumerated."""

import itertools

import numpy as np
import pytest

from cgrnn_live.wave_hearing import WaveHearing, draw_index

VISIBLE, HIDDEN = 4, 5
GAINS = np.array([0.5, 1.0, 2.5], np.float32)
LOGITS = np.array([0.3, -0.4, 0.8], np.float32)
WHITENED = np.array([1.0, -2.0, 0.5, 0.3])


def small_model():
    random = np.random.default_rng(7)
    weight = random.normal(0, 1, (VISIBLE, HIDDEN))
    weight = (0.95 * weight / np.linalg.norm(weight, 2)).astype(np.float32)
    return weight, random.normal(0, 1, HIDDEN).astype(np.float32), random.normal(-0.5, 0.8, HIDDEN).astype(np.float32)


def hearing(feeds_mean, gains=GAINS, seed=1):
    weight, mean, _ = small_model()
    return WaveHearing(weight, mean, gains, np.random.default_rng(seed), feeds_mean=feeds_mean)


def exact(whitened=WHITENED):
    """p(g | v, u), (gains,), and E[h∘s | g], E[(h∘s)²| g], (gains, H), of p(v, g, h, s) ∝ p(g) g^−V exp(−E).

    E as in FORMAT.md, its slabs by quadrature over a grid, its spikes by enumeration.
    """
    weight, mean, bias = (values.astype(float) for values in small_model())
    grid = np.linspace(-25, 25, 50_001)
    log_weight, first, second = [], [], []
    for gain, logit in zip(GAINS.astype(float), LOGITS.astype(float), strict=True):
        x = whitened / gain
        pulled = x @ weight
        on = np.exp(-0.5 * grid**2 + np.outer(pulled + mean, grid) + (bias - 0.5 * mean**2)[:, None])  # (H, grid)
        off = np.exp(-0.5 * grid**2).sum()
        logs, means, squares = [], [], []
        for spikes in itertools.product([False, True], repeat=HIDDEN):
            masses = np.where(spikes, on.sum(1), off)
            logs.append(np.log(masses).sum())
            means.append(np.where(spikes, on @ grid / on.sum(1), 0))
            squares.append(np.where(spikes, on @ grid**2 / on.sum(1), 0))
        share = np.exp(np.array(logs) - np.logaddexp.reduce(logs))
        first.append(share @ np.array(means))
        second.append(share @ np.array(squares))
        log_weight.append(logit - 0.5 * x @ x - VISIBLE * np.log(gain) + np.logaddexp.reduce(logs))
    return np.exp(np.array(log_weight) - np.logaddexp.reduce(log_weight)), np.array(first), np.array(second)


def test_the_mean_feed_is_the_posterior_mean():
    share, first, _ = exact()
    assert 0.1 < share.max() < 0.9, "more than one gain counts"
    _, feed = hearing(feeds_mean=True).hear(WHITENED, small_model()[2], LOGITS)
    assert feed.dtype == np.float32
    assert feed == pytest.approx(share @ first, abs=1e-5)


def test_gains_and_sampled_feeds_have_their_exact_moments():
    share, first, second = exact()
    count, heard = 20_000, hearing(feeds_mean=False)
    draws = [heard.hear(WHITENED, small_model()[2], LOGITS) for _ in range(count)]
    gains = np.array([WHITENED[0] / x[0] for x, _ in draws])
    feeds = np.array([feed for _, feed in draws], float)
    for index, gain in enumerate(GAINS):
        its = np.abs(gains - gain) < 1e-6
        assert abs(its.mean() - share[index]) < 4.5 * 0.5 / count**0.5
        error = feeds[its].std(0) / its.sum() ** 0.5
        assert (np.abs(feeds[its].mean(0) - first[index]) < 4.5 * error).all()
        error = (feeds[its] ** 2).std(0) / its.sum() ** 0.5
        assert (np.abs((feeds[its] ** 2).mean(0) - second[index]) < 4.5 * error).all()


@pytest.mark.parametrize("feeds_mean", [True, False])
def test_a_loud_frame_has_the_largest_gain_and_is_finite(feeds_mean):
    weight, mean, bias = small_model()
    x, feed = hearing(feeds_mean).hear(np.full(VISIBLE, 1e6), bias, LOGITS)
    assert x == pytest.approx(np.full(VISIBLE, 1e6 / GAINS[-1]))
    assert feed == pytest.approx(x @ weight + mean, abs=20)
    _, silent = hearing(feeds_mean).hear(np.zeros(VISIBLE), np.full(HIDDEN, -1e6, np.float32), LOGITS)
    assert not silent.any()


def test_one_gain_is_the_plain_model():
    weight, mean, bias = small_model()
    x, feed = hearing(feeds_mean=True, gains=np.ones(1, np.float32)).hear(WHITENED, bias, np.zeros(1, np.float32))
    drive = WHITENED @ weight + mean
    assert np.array_equal(x, WHITENED)
    assert feed == pytest.approx(drive / (1 + np.exp(-(0.5 * drive**2 - 0.5 * mean**2 + bias))), rel=1e-5)


def test_an_index_is_drawn_as_often_as_its_share_says():
    random, share = np.random.default_rng(0), np.array([0.2, 0.0, 0.5, 0.3])
    found = np.bincount([draw_index(random, share) for _ in range(20_000)], minlength=4) / 20_000
    assert found == pytest.approx(share, abs=4.5 * 0.5 / 20_000**0.5)
    assert found[1] == 0
    before = random.bit_generator.state
    assert draw_index(random, np.ones(1)) == 0
    assert random.bit_generator.state == before
