"""The ten effects: each is measured to be what its name and its parameters say."""

import numpy as np
import pytest
import scipy.signal
import soxr

from cgrnn_train.data.effects import (
    CLASSES,
    EFFECTS,
    apply_effect,
    chorus,
    distortion,
    draw_parameters,
    feedback_delay,
    flanger,
    overdrive,
    phaser,
    reverb,
    slapback_delay,
    tremolo,
    vibrato,
)

RATE = 22_050
TIME = np.arange(2 * RATE) / RATE


def click() -> np.ndarray:
    samples = np.zeros(2 * RATE)
    samples[0] = 1
    return samples


def tone(hz: float, level: float = 0.8) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * TIME)


def noise(seconds: float = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.2, round(seconds * RATE))


def at(x: np.ndarray, seconds: float, width: int) -> np.ndarray:
    """The samples around a time, faded in and out."""
    middle = round(seconds * RATE)
    return x[middle - width // 2 : middle + width // 2] * np.hanning(width)


def correlation(x: np.ndarray, y: np.ndarray, seconds: float, width: int = 2048) -> np.ndarray:
    """How alike `y` is to what `x` was (lag) samples before, by lag from 0, at a time."""
    middle = round(seconds * RATE)
    late = at(y, seconds, width)
    return np.array([late @ x[middle - width // 2 - lag : middle + width // 2 - lag] for lag in range(800)])


def response(x: np.ndarray, y: np.ndarray, seconds: float, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, and how much of each passes at a time: |Y/X| over short spectra around it."""
    starts = round(seconds * RATE) + np.arange(-width * 4, width * 4, width // 4)
    window = np.hanning(width)
    spectra = [[np.fft.rfft(window * z[start : start + width]) for start in starts] for z in (x, y)]
    before, after = np.array(spectra)
    cross = (after * before.conj()).sum(0) / (np.abs(before) ** 2).sum(0)
    return np.fft.rfftfreq(width, 1 / RATE), np.abs(cross)


def harmonics(y: np.ndarray, hz: float) -> np.ndarray:
    """Levels of the first nine harmonics against the first's; `hz` is whole, and two seconds hold whole periods."""
    spectrum = np.abs(np.fft.rfft(y[RATE // 2 : RATE // 2 + RATE]))  # one bin a hertz
    return np.array([spectrum[round(hz * number)] for number in range(1, 10)]) / spectrum[round(hz)]


def lfo_of(curve: np.ndarray) -> tuple[float, float]:
    """Rate in Hz and amplitude of the sine that a curve over the middle second is."""
    middle = curve[RATE // 2 : RATE // 2 + RATE]
    spectrum = np.abs(np.fft.rfft((middle - middle.mean()) * np.hanning(RATE)))
    peak = int(spectrum[: RATE // 20].argmax())
    return float(peak), float(4 * spectrum[peak] / RATE)


def test_feedback_delay_has_echoes_at_its_spacing_that_fall_geometrically():
    y = feedback_delay(click(), RATE, delay_seconds=0.2, feedback=0.5, mix=0.6)
    step = round(0.2 * RATE)
    expected = click()
    expected[step::step] = 0.6 * 0.5 ** np.arange(len(expected[step::step]))
    assert np.allclose(y, expected, rtol=0, atol=1e-15)
    burst = np.concatenate([noise(0.05), np.zeros(2 * RATE)])
    late = feedback_delay(burst, RATE, delay_seconds=0.2, feedback=0.5, mix=0.6)
    likeness = scipy.signal.correlate(late, late, method="fft")[len(late) - 1 :]
    assert abs(int(likeness[RATE // 10 :].argmax()) + RATE // 10 - step) <= 1


def test_slapback_delay_has_one_echo():
    y = slapback_delay(click(), RATE, delay_seconds=0.08, mix=0.7)
    assert np.flatnonzero(y).tolist() == [0, round(0.08 * RATE)]
    assert y[round(0.08 * RATE)] == 0.7


@pytest.mark.parametrize("decay_seconds", [0.6, 1.5])
def test_reverb_has_a_dense_tail_of_the_stated_decay(decay_seconds: float):
    options = {"pre_delay_seconds": 0.02, "damping_hz": 4000.0, "mix": 0.5, "room": 3}
    y = reverb(click(), RATE, decay_seconds, **options)
    first = round(0.02 * RATE)
    assert y[0] == 0.5
    assert not y[1:first].any()
    left = np.cumsum(y[:first:-1] ** 2)[::-1]  # Schroeder's backward integral
    decibels = 10 * np.log10(left / left[0])
    begin, end = (int(np.argmax(decibels < level)) for level in (-5, -35))
    assert 2 * (end - begin) / RATE == pytest.approx(
        decay_seconds, rel=0.1
    )  # twice T30; one room's chance is about 5 %
    tail = y[first : first + RATE // 4] / 1e-3 ** (np.arange(RATE // 4) / RATE / decay_seconds)
    kurtosis = np.mean(tail**4) / np.mean(tail**2) ** 2
    assert 2.5 < kurtosis < 3.5  # noise has 3; echoes with gaps have many times that
    assert not np.allclose(y, reverb(click(), RATE, decay_seconds, **{**options, "room": 4}))


def test_reverb_is_duller_with_more_damping():
    def brightness(damping_hz: float) -> float:
        y = reverb(click(), RATE, 1.0, pre_delay_seconds=0.01, damping_hz=damping_hz, mix=1.0, room=3)
        power = np.abs(np.fft.rfft(y)) ** 2
        return float(power @ np.fft.rfftfreq(len(y), 1 / RATE) / power.sum())

    assert brightness(1500) < 0.75 * brightness(5000)


def test_chorus_adds_two_voices_whose_delays_move():
    x = noise()
    y = chorus(x, RATE, lfo_hz=0.5, delay_seconds=0.02, depth_seconds=0.004, mix=0.6, phase=0.1)
    seen = set()
    for seconds in (0.3, 0.8, 1.3, 1.8):
        sines = np.sin(2 * np.pi * (0.5 * seconds + 0.1 + np.array([0, 0.25])))
        expected = RATE * (0.02 + 0.004 * sines)
        alike = correlation(x, y, seconds, width=512)
        top = np.argsort(alike)[::-1][:8].tolist()
        assert 0 in top
        for lag in expected:
            assert min(abs(lag - each) for each in top) < 3  # the delay moves by three samples within the window
            seen.add(round(lag))
    assert max(seen) - min(seen) > 100


def test_flanger_is_a_comb_whose_notches_move():
    x = noise()
    y = flanger(
        x, RATE, lfo_hz=0.2, delay_seconds=0.003, depth_seconds=0.0015, feedback=0.4, mix=0.8, phase=0.0
    )  # slower than it is drawn, so that it stands still within a window
    delays = []
    for seconds in (0.3, 1.25, 1.8):
        delay = 0.003 + 0.0015 * np.sin(2 * np.pi * 0.2 * seconds)
        alike = correlation(x, y, seconds)
        assert int(alike[20:].argmax()) + 20 == pytest.approx(delay * RATE, abs=1.5)
        hz, passed = response(x, y, seconds, 512)
        for order in range(4):
            peak = passed[(np.abs(hz - (order + 1) / delay)).argmin()]
            notch = passed[(np.abs(hz - (order + 0.5) / delay)).argmin()]
            assert notch < 0.55 * peak
        delays.append(delay)
    assert max(delays) > 1.2 * min(delays)


def test_feedback_sharpens_the_flanger_as_its_series_says():
    options = {"lfo_hz": 0.001, "delay_seconds": 0.004, "depth_seconds": 0.0, "mix": 0.8, "phase": 0.0}
    y = flanger(click(), RATE, feedback=0.5, **options)
    step = 0.004 * RATE
    for echo in range(1, 6):
        near = y[round(echo * step) - 4 : round(echo * step) + 5]
        assert near.sum() == pytest.approx(0.8 * 0.5 ** (echo - 1), abs=2e-3)  # cubics keep the sum; the rest is cut


def test_phaser_has_two_notches_that_move_and_no_delay():
    x = noise()
    found = []
    for phase in (0.0, 0.25):
        y = phaser(x, RATE, lfo_hz=1e-3, low_hz=300, high_hz=2000, mix=1.0, phase=phase)
        assert correlation(x, y, 1).argmax() == 0
        hz, passed = response(x, y, 1, 4096)
        sweep = 0.5 + 0.5 * np.sin(2 * np.pi * phase)
        tangent = np.tan(np.pi * 300 * (2000 / 300) ** sweep / RATE)
        for eighth in (1, 3):
            notch = RATE / np.pi * np.arctan(np.tan(eighth * np.pi / 8) * tangent)
            around = (hz > 0.7 * notch) & (hz < 1.4 * notch)
            found.append(hz[around][passed[around].argmin()])
            assert found[-1] == pytest.approx(notch, rel=0.05)
            assert passed[around].min() < 0.15
        assert passed[hz < 50].max() == pytest.approx(2, rel=0.05)  # at the bottom nothing is turned
    assert found[2] > 2 * found[0]
    moving = phaser(x, RATE, lfo_hz=0.5, low_hz=300, high_hz=2000, mix=1.0, phase=0.0)
    top, bottom = (response(x, moving, seconds, 1024)[1][6] for seconds in (0.5, 1.5))  # at 129 Hz
    assert top > 3 * bottom  # where the lower notch is at 124 Hz


def test_tremolo_moves_the_level_at_its_rate():
    y = tremolo(tone(440), RATE, lfo_hz=6, depth=0.7, phase=0.3)
    envelope = np.abs(np.asarray(scipy.signal.hilbert(y))) / 0.8
    rate, amplitude = lfo_of(envelope)
    assert rate == 6
    assert amplitude == pytest.approx(0.35, abs=0.01)
    assert envelope.max() < 1.02


def test_vibrato_moves_the_pitch_at_its_rate_and_not_the_level():
    y = vibrato(tone(440), RATE, lfo_hz=5, depth_cents=50, phase=0.2)
    turning = np.asarray(scipy.signal.hilbert(y[RATE // 4 :]))  # the line is empty at first
    cents = 1200 * np.log2(np.diff(np.unwrap(np.angle(turning))) * RATE / (2 * np.pi * 440))
    rate, amplitude = lfo_of(cents)
    assert rate == 5
    assert amplitude == pytest.approx(50, abs=2)
    assert np.ptp(np.abs(turning)[RATE // 2 : -RATE // 2]) < 0.01 * 0.8


def test_distortion_has_odd_harmonics_and_overdrive_even_ones_too():
    hard = harmonics(distortion(tone(200), RATE, gain_db=30, tone_hz=5000), 200)
    soft = harmonics(overdrive(tone(200), RATE, gain_db=10, bias=0.4, tone_hz=5000), 200)
    odd, even = slice(2, None, 2), slice(1, None, 2)
    assert hard[2] == pytest.approx(1 / 3, rel=0.05)  # a square wave's
    assert hard[4] == pytest.approx(1 / 5, rel=0.05)
    assert hard[even].max() < 0.01
    assert soft[1] > 0.03
    assert soft[odd].sum() < hard[odd].sum()
    assert not np.allclose(harmonics(tone(200), 200)[1:], soft[1:], atol=0.01)


def test_what_is_clipped_does_not_fold_back():
    def folded(y: np.ndarray) -> float:
        """Share of the power that lies beside the harmonics."""
        power = np.abs(np.fft.rfft(y[RATE // 2 : RATE // 2 + RATE] * np.hanning(RATE))) ** 2
        beside = np.ones(len(power), bool)
        for number in range(8):
            beside[max(0, 1501 * number - 5) : 1501 * number + 6] = False
        return float(power[beside].sum() / power.sum())

    y = distortion(tone(1501), RATE, gain_db=35, tone_hz=5000)
    assert folded(y) < 1e-3
    assert folded(np.clip(tone(1501) * 10 ** (35 / 20), -1, 1)) > 20 * folded(y)  # clipped at the rate itself


def test_overdrive_leaves_no_offset():
    y = overdrive(tone(200), RATE, gain_db=15, bias=0.5, tone_hz=4000)
    assert abs(y[RATE:].mean()) < 0.01 * y.std()


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_heard_whatever_is_drawn(name: str):
    """On a plucked tone, with twenty draws: as many samples, finite, and more than 3 % of the power is another's."""
    random = np.random.default_rng(1)
    x = (np.exp(-2 * TIME) * sum(tone(110 * n, 0.5 / n) for n in range(1, 12))).astype(np.float32)
    x /= np.abs(x).max()
    for _ in range(20):
        y = apply_effect(name, x, RATE, draw_parameters(name, random))
        assert (y.dtype, y.shape) == (np.float32, x.shape)
        assert np.isfinite(y).all()
        assert 0.01 < np.abs(y).max() < 10
        gain = (x @ y) / (x @ x)  # the part that is the clean sound, louder or softer
        assert np.sum((y - gain * x) ** 2) > 0.03 * np.sum(y**2)


@pytest.mark.parametrize("name", [name for name in EFFECTS if name != "reverb"])  # whose noise is of another length
def test_an_effect_is_the_same_at_another_rate(name: str):
    x = np.asarray(scipy.signal.sosfilt(scipy.signal.butter(8, 1500, fs=RATE, output="sos"), noise()))
    x = (x / np.abs(x).max()).astype(np.float32)
    twice = soxr.resample(x, RATE, 2 * RATE, quality="VHQ")
    parameters = draw_parameters(name, np.random.default_rng(2))
    here = apply_effect(name, x, RATE, parameters)
    there = soxr.resample(apply_effect(name, twice, 2 * RATE, parameters), 2 * RATE, RATE, quality="VHQ")
    here, there = here[1000:-1000], there[1000 : len(here) - 1000]
    assert np.corrcoef(here, there)[0, 1] > 0.99  # cubics, half-samples of delay and filters' tops differ a little


def test_parameters_lie_in_their_ranges_and_fill_them():
    random = np.random.default_rng(0)
    for name, effect in EFFECTS.items():
        drawn = [draw_parameters(name, random) for _ in range(300)]
        for key, each in effect.ranges.items():
            values = np.array([one[key] for one in drawn])
            low, high = (each[0], each[-1])
            assert low * 0.999 <= values.min() < low + 0.05 * (high - low)
            assert high - 0.05 * (high - low) < values.max() <= high * 1.001
        assert set(drawn[0]) == set(effect.ranges)


def test_there_are_eleven_classes():
    assert len(CLASSES) == 11
    assert CLASSES[0] == "none"
