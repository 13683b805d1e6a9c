"""The McLeod pitch method on sounds whose pitch is known."""

import math

import numpy as np
import pytest

from cgrnn_train.pitch import Pitches, pitches

RATE, WINDOW, HOP = 11_025, 1_800, 150


def tone(frequency, *, harmonics=(1,), seconds=1.0, seed=0, decay_seconds=math.inf, inharmonicity=0.0):
    """Partials of `frequency` with amplitudes 1/h and random phases, the root mean square 0.1 at first."""
    random, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    partials = [
        np.sin(2 * np.pi * frequency * h * math.sqrt(1 + inharmonicity * h * h) * time + random.uniform(0, 6)) / h
        for h in harmonics
        if frequency * h < 0.45 * RATE
    ]
    sound = np.sum(partials, axis=0)
    return (0.1 * sound / np.sqrt(np.square(sound).mean()) * np.exp(-time / decay_seconds)).astype(np.float32)


def heard(sound) -> Pitches:
    return pitches(sound, RATE, window=WINDOW, hop=HOP)


def cents(found: Pitches, frequency):
    return np.abs(1200 * np.log2(found.frequencies / frequency))


@pytest.mark.parametrize("frequency", [31.0, 41.2, 82.4, 196.0, 440.0, 659.3, 987.8])
def test_a_sine_has_its_frequency_and_a_clarity_of_one(frequency):
    found = heard(tone(frequency))
    assert len(found.frequencies) == (RATE - WINDOW) // HOP + 1
    assert (cents(found, frequency) < 1).all()  # of the parabola, and of periods that the window cuts
    assert (found.clarity > 0.99).all()
    assert (found.clarity < 1.01).all()


@pytest.mark.parametrize("frequency", [31.0, 41.2, 82.4, 196.0, 440.0])
@pytest.mark.parametrize("decay_seconds", [0.15, 1.0])
def test_a_plucked_string_has_the_frequency_of_its_fundamental(frequency, decay_seconds):
    sound = tone(frequency, harmonics=range(1, 20), decay_seconds=decay_seconds, inharmonicity=1e-5)
    found = heard(sound)
    assert (cents(found, frequency) < 5).all()  # stretched partials pull it up
    assert (found.clarity > 0.9).all()


@pytest.mark.parametrize("frequency", [31.0, 55.0, 110.0, 220.0, 440.0])
def test_a_missing_fundamental_is_heard(frequency):
    found = heard(tone(frequency, harmonics=range(2, 12)))
    assert (cents(found, frequency) < 3).all()
    assert (found.clarity > 0.9).all()


@pytest.mark.parametrize("frequency", [41.2, 110.0, 440.0])
@pytest.mark.parametrize("ratio", [0.1, 1.0])
def test_noise_takes_of_the_clarity_what_it_has_of_the_power(frequency, ratio):
    noise = 0.1 * math.sqrt(ratio) * np.random.default_rng(1).standard_normal(RATE)
    found = heard((tone(frequency) + noise).astype(np.float32))
    assert np.median(cents(found, frequency)) < 40  # at 440 Hz a sample is 69
    assert np.median(found.clarity) == pytest.approx(1 / (1 + ratio), abs=0.07)  # 1,800 samples of noise


def test_noise_alone_has_little_clarity():
    assert (heard(np.random.default_rng(2).normal(0, 0.1, RATE).astype(np.float32)).clarity < 0.2).all()


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_silence_has_no_pitch_whatever_constant_it_is(level):
    found = heard(np.full(RATE, level, np.float32))
    assert np.isnan(found.frequencies).all()
    assert not found.clarity.any()


def test_a_constant_beside_a_tone_changes_nothing():
    assert (cents(heard(tone(110.0) + np.float32(0.5)), 110) < 1).all()


@pytest.mark.parametrize("frequency", [20.0, 1200.0, 2500.0])
def test_a_pitch_out_of_range_is_none_and_not_its_octave(frequency):
    found = heard(tone(frequency))
    assert np.isnan(found.frequencies).all()
    assert not found.clarity.any()


def test_each_window_is_heard_by_itself():
    sound = np.concatenate([tone(110.0), np.zeros(WINDOW, np.float32), tone(165.0)])
    found = pitches(sound, RATE, window=WINDOW, hop=WINDOW)
    assert len(found.frequencies) == len(sound) // WINDOW
    assert cents(found, 110)[0] < 1
    assert cents(found, 165)[-1] < 1


def test_a_sound_shorter_than_a_window_has_none():
    assert len(heard(tone(110.0)[: WINDOW - 1]).frequencies) == 0
    assert len(heard(tone(110.0)[:WINDOW]).frequencies) == 1


def test_what_cannot_be_heard_is_refused():
    with pytest.raises(ValueError, match="mix the channels"):
        pitches(np.zeros((2, RATE), np.float32), RATE, window=WINDOW, hop=HOP)
    with pytest.raises(ValueError, match="give 736 or more"):
        pitches(tone(110.0), RATE, window=700, hop=HOP)
