"""Linear prediction: against its equations written out, and what it promises of sounds."""

from __future__ import annotations

import numpy as np
import pytest

from cgrnn_bundle.prediction import LEAST_SCALE, Prediction, Wide, predict, residual, respond

SIZES = [(1, 2), (2, 9), (7, 64), (8, 400), (33, 130)]  # order, window
TIME = np.arange(3_968)


def noise(*shape: int, seed: int = 0) -> Wide:
    return np.random.default_rng(seed).standard_normal(shape)


def string(count: int = len(TIME)) -> Wide:
    """A decaying tone of 30 partials at 110 Hz, 11,025 samples a second, with noise 60 dB below it; (count,)."""
    time = np.arange(count) / 11_025
    partials = [np.exp(-(1 + k) * time) * np.sin(2 * np.pi * 110 * k * time + k * k) / k for k in range(1, 31)]
    return np.sum(partials, axis=0) + 1e-3 * noise(count)


def covariance(history: Wide, heard: int, order: int) -> Wide:
    """Steps 1 to 4 of FORMAT.md, term by term."""
    window = len(history)
    fade = max(1, round(0.05 * window))
    up = [np.sin(np.pi / 2 * (i + 0.5) / (window - fade)) for i in range(window - fade)]
    down = [np.cos(np.pi / 2 * (i - window + fade + 0.5) / fade) for i in range(window - fade, window)]
    taper = np.array(up + down)
    faded = taper * history
    lags = np.array([faded[lag:] @ faded[: window - lag] for lag in range(order + 1)])
    lags /= np.square(taper[window - heard :]).sum()
    lags[0] += 1e-8 + 2.0**-40 * lags[0]
    return lags


@pytest.mark.parametrize(("order", "window"), [*SIZES, (128, 3_968)])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_coefficients_and_scale_are_those_of_the_format(order: int, window: int, share: float) -> None:
    heard = max(1, round(share * window))
    history = np.zeros(window)
    history[window - heard :] = np.cumsum(noise(heard)) / 10 + noise(heard, seed=1)
    found = predict(history, heard, order)
    lags = covariance(history, heard, order)
    equations = lags[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))]
    # float64, over sums of a few thousand terms of order one
    assert equations @ found.coefficients == pytest.approx(lags[1:], abs=1e-10)
    assert found.scale == pytest.approx(np.sqrt(lags[0] - found.coefficients @ lags[1:]), rel=1e-9)


@pytest.mark.parametrize("frequency", [0.003, 0.2, 1.5, 3.0])
def test_a_sinusoid_is_predicted(frequency: float) -> None:
    tone = np.sin(frequency * np.arange(4_118))
    found = predict(tone[:3_968], 3_968, 128)
    rest = residual(tone[3_840:3_968], tone[3_968:], found) * found.scale
    assert np.abs(rest).max() < 2e-3  # the fit is of a tone that fades, in noise 80 dB below it
    gone_on = respond(tone[3_840:3_968], np.zeros(150), found)
    assert np.abs(gone_on - tone[3_968:]).max() < 0.1  # and so a little less sure of the whole of a frame


def test_white_noise_is_not() -> None:
    history = noise(3_968)
    found = predict(history, 3_968, 32)
    assert np.abs(found.coefficients).max() < 5 / 3_968**0.5
    assert found.scale == pytest.approx(1, rel=0.1)


def reflections(coefficients: Wide) -> Wide:
    """Those of the filter, by stepping down its order (Makhoul's eq. 42): all below 1 if and only if it is stable."""
    rest, found = coefficients, list[float]()
    while len(rest):
        last = rest[-1]
        found.append(abs(last))
        if last**2 >= 1:
            break
        rest = (rest[:-1] + last * rest[-2::-1]) / (1 - last**2) if len(rest) > 1 else rest[:0]
    return np.array(found)


SOUNDS = {
    "noise": noise(3_968),
    "a walk": np.cumsum(noise(3_968)),
    "a tone": np.sin(0.2 * TIME),
    "a low tone": np.sin(0.003 * TIME),
    "a constant": np.ones(3_968),
    "a beat": np.sin(0.2 * TIME) + np.sin(0.2005 * TIME),
    "a string": string(),
    "a string's onset": np.concatenate([np.zeros(3_800), string()[:168]]),
    "a square": np.sign(np.sin(0.1 * TIME)),
    "a click": 1.0 * (TIME == 3_000),
}


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("level", [1e-3, 1.0, 230.0, 1e7])
@pytest.mark.parametrize("order", [1, 8, 128])
def test_filters_are_stable_at_any_level(sound: str, level: float, order: int) -> None:
    found = predict(level * SOUNDS[sound], 3_968, order)
    roots = np.roots(np.concatenate([[1.0], -found.coefficients]))
    assert np.abs(roots).max() < 1
    assert reflections(found.coefficients).max() < 1
    assert LEAST_SCALE <= found.scale <= 1.01 * max(LEAST_SCALE, 1e4 * level)


@pytest.mark.parametrize("sound", ["a low tone", "a constant", "a beat"])
def test_and_at_the_largest_order_and_window_in_rounding(sound: str) -> None:
    history = 1e7 * np.resize(SOUNDS[sound], 1 << 16)
    assert reflections(predict(history, 1 << 16, 512).coefficients).max() < 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("order", "window"), SIZES)
def test_so_are_those_of_random_histories(order: int, window: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    heard = int(random.integers(1, window + 1))
    history = np.zeros(window)
    history[window - heard :] = 10 ** random.uniform(-4, 4) * random.standard_t(1, heard).clip(-1e6, 1e6)
    assert reflections(predict(history, heard, order).coefficients).max() < 1


def test_a_sound_dies_away_where_the_frame_is_nothing() -> None:
    sound = string()
    gone_on = respond(sound[-128:], np.zeros(1 << 16), predict(sound, 3_968, 128))
    assert np.abs(gone_on[:150]).max() > 0.5
    assert np.abs(gone_on[-1_000:]).max() < 0.01  # 6 s later


@pytest.mark.parametrize(("order", "samples"), [(1, 150), (8, 5), (128, 150), (300, 150), (0, 150)])
def test_respond_undoes_residual(order: int, samples: int) -> None:
    sound = string(3_968 + samples)
    history, frame = sound[:3_968], sound[3_968:]
    found = predict(history, 3_968, order)
    past = history[3_968 - order :]
    back = respond(past, residual(past, frame, found), found)
    assert np.abs(back - frame).max() < 1e-12  # float64: some thousand sums of numbers below 10


def test_the_scale_is_the_level_of_the_residual() -> None:
    """Of a process that the filter can say: here z_t = 1.6 z_(t−1) − 0.8 z_(t−2) + 0.3 v."""
    innovation = noise(8_000)
    said = Prediction(np.array([1.6, -0.8]), np.float64(0.3))  # pyright: ignore[reportArgumentType]
    sound = respond(np.zeros(2), innovation, said)
    found = predict(sound[:4_000], 4_000, 2)
    assert found.coefficients == pytest.approx([1.6, -0.8], abs=0.05)
    assert found.scale == pytest.approx(0.3, rel=0.05)
    assert residual(sound[3_998:4_000], sound[4_000:], found).std() == pytest.approx(1, rel=0.05)


def test_with_nothing_heard_it_says_nothing() -> None:
    found = predict(np.zeros(400), 0, 8)
    assert (found.coefficients.tolist(), found.scale) == ([0.0] * 8, 1.0)


def test_of_order_0_it_says_nothing() -> None:
    found = predict(noise(400), 400, 0)
    assert (found.coefficients.shape, found.scale) == ((0,), 1.0)


@pytest.mark.parametrize("heard", [1, 200, 400])
def test_after_silence_it_says_silence(heard: int) -> None:
    found = predict(np.zeros(400), heard, 8)
    assert not found.coefficients.any()
    assert found.scale == LEAST_SCALE


@pytest.mark.parametrize("order", [0, 1, 8])
@pytest.mark.parametrize("heard", [0, 70, 400])
def test_sounds_together_are_as_each_alone(order: int, heard: int) -> None:
    whole = noise(2, 3, 450)
    whole[..., : 400 - heard] = 0
    history, frames = whole[..., :400], whole[..., 400:]
    past = history[..., 400 - order :]
    found = predict(history, heard, order)
    together = residual(past, frames, found)
    assert (found.coefficients.shape, found.scale.shape, together.shape) == ((2, 3, order), (2, 3), (2, 3, 50))
    for place in np.ndindex(2, 3):
        one = predict(history[place], heard, order)
        assert found.coefficients[place] == pytest.approx(one.coefficients, abs=1e-12)
        assert found.scale[place] == pytest.approx(one.scale, rel=1e-12)
        assert together[place] == pytest.approx(residual(past[place], frames[place], one), abs=1e-10)
