"""The ten effects of IDMT-SMT-Audio-Effects, in their textbook forms, with parameters drawn from ranges stated here.

Each takes mono samples (time,) at a rate and returns as many; levels are the caller's business. Delays and modulation
follow Zölzer (ed.), *DAFX*, 2nd edition, chapters 2 and 4: a chorus, a flanger and a vibrato are one delay line that a
sine moves; they differ in its length, in what is mixed and in feedback. Seconds, Hz and decibels are in the names;
phases are in turns.

    ambience      feedback-delay, slapback-delay, reverb
    modulation    chorus, flanger, phaser, tremolo, vibrato
    saturation    distortion, overdrive
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from cgrnn_bundle.waves import Samples

Signal = NDArray[np.float64]

TAIL = 1e-3
"""Share of full scale, −60 dB, at which what is fed back is left out."""


def feedback_delay(x: Signal, rate: int, delay_seconds: float, feedback: float, mix: float) -> Signal:
    """Echoes at every multiple of the delay, each `feedback` of the one before; the first has level `mix`."""
    step = round(delay_seconds * rate)
    echoes = np.zeros(len(x))
    echoes[step:] = mix * x[: len(x) - step]
    for start in range(step, len(x) - step, step):
        stop = min(start + step, len(x) - step)
        echoes[start + step : stop + step] += feedback * echoes[start:stop]
    return x + echoes


def slapback_delay(x: Signal, rate: int, delay_seconds: float, mix: float) -> Signal:
    """One echo, soon after the sound."""
    step = round(delay_seconds * rate)
    y = x.copy()
    y[step:] += mix * x[: len(x) - step]
    return y


def reverb(
    x: Signal, rate: int, decay_seconds: float, pre_delay_seconds: float, damping_hz: float, mix: float, room: int
) -> Signal:
    """A dense tail of noise that falls by 60 dB in `decay_seconds` (RT60), low-passed; `room` is the noise's seed."""
    count = math.ceil(decay_seconds * rate)
    noise = np.random.default_rng(room).standard_normal(count)
    pole = math.exp(-2 * math.pi * damping_hz / rate)
    tail = np.asarray(scipy.signal.lfilter([1 - pole], [1, -pole], noise)) * TAIL ** (np.arange(count) / count)
    tail /= np.linalg.norm(tail)
    wet = np.concatenate([np.zeros(round(pre_delay_seconds * rate)), scipy.signal.fftconvolve(x, tail)])
    return (1 - mix) * x + mix * wet[: len(x)]


def chorus(
    x: Signal, rate: int, lfo_hz: float, delay_seconds: float, depth_seconds: float, mix: float, phase: float
) -> Signal:
    """Two further voices, late by a delay that a sine moves by ±depth, a quarter turn apart."""
    voices = [
        _delayed(x, rate * (delay_seconds + depth_seconds * _sine(len(x), rate, lfo_hz, phase + turn)))
        for turn in (0, 0.25)
    ]
    return x + mix * (voices[0] + voices[1])


def flanger(
    x: Signal,
    rate: int,
    lfo_hz: float,
    delay_seconds: float,
    depth_seconds: float,
    feedback: float,
    mix: float,
    phase: float,
) -> Signal:
    """A short moving delay, fed back into itself and added: a comb whose notches move."""
    delay = rate * (delay_seconds + depth_seconds * _sine(len(x), rate, lfo_hz, phase))
    line = x
    for _ in range(math.ceil(math.log(TAIL) / math.log(feedback))):  # line = x + feedback · delayed line, by its series
        line = x + feedback * _delayed(line, delay)
    return x + mix * _delayed(line, delay)


def phaser(x: Signal, rate: int, lfo_hz: float, low_hz: float, high_hz: float, mix: float, phase: float) -> Signal:
    """Four all-passes of first order added to the sound: two notches that move, and no delay.

    Each turns by 90° at a frequency that sweeps from low to high and back; the sum has its notches where one turns by
    45° and by 135°. The filters' coefficients are renewed every `PHASER_BLOCK` samples.
    """
    sweep = 0.5 + 0.5 * _sine(len(x), rate, lfo_hz, phase)[::PHASER_BLOCK]
    centre = low_hz * (high_hz / low_hz) ** sweep  # (blocks,)
    tangent = np.tan(np.pi * centre / rate)
    coefficients = (tangent - 1) / (tangent + 1)
    state = np.zeros((PHASER_STAGES, 2))
    turned = np.empty(len(x))
    for block, a in enumerate(coefficients):
        part = slice(block * PHASER_BLOCK, (block + 1) * PHASER_BLOCK)
        sections = np.tile([a, 1, 0, 1, a, 0], (PHASER_STAGES, 1))
        turned[part], state = scipy.signal.sosfilt(sections, x[part], zi=state)
    return x + mix * turned


PHASER_STAGES, PHASER_BLOCK = 4, 32


def tremolo(x: Signal, rate: int, lfo_hz: float, depth: float, phase: float) -> Signal:
    """A sine moves the level between 1 and 1 − depth."""
    return x * (1 - depth * (0.5 + 0.5 * _sine(len(x), rate, lfo_hz, phase)))


def vibrato(x: Signal, rate: int, lfo_hz: float, depth_cents: float, phase: float) -> Signal:
    """A moving delay alone, so that the pitch moves by ±depth at the sine's rate."""
    swing = (2 ** (depth_cents / 1200) - 1) / (2 * math.pi * lfo_hz)  # seconds: its slope is the change of pitch
    return _delayed(x, rate * swing * (1 + _sine(len(x), rate, lfo_hz, phase)))


def distortion(x: Signal, rate: int, gain_db: float, tone_hz: float) -> Signal:
    """Hard clipping, the same above and below: odd harmonics, many of them; then a low-pass."""
    return _low_passed(_shaped(x, lambda wide: np.clip(_gained(wide, gain_db), -1, 1)), rate, tone_hz)


def overdrive(x: Signal, rate: int, gain_db: float, bias: float, tone_hz: float) -> Signal:
    """Soft clipping, sooner above than below: even harmonics too; then a low-pass, and no offset."""
    soft = _shaped(x, lambda wide: np.tanh(_gained(wide, gain_db) + bias) - math.tanh(bias))
    pole = math.exp(-2 * math.pi * OFFSET_HZ / rate)
    return _low_passed(np.asarray(scipy.signal.lfilter([1, -1], [1, -pole], soft)), rate, tone_hz)


OFFSET_HZ = 20.0
OVERSAMPLING = 4
"""Of what is clipped: harmonics beyond half the rate would come back as other tones."""


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect, and what each of its parameters is drawn from, uniformly: an interval, or a range of whole numbers."""

    apply: Callable[..., Signal]
    ranges: Mapping[str, tuple[float, float] | range]


PHASE = (0.0, 1.0)

EFFECTS: dict[str, Effect] = {
    "feedback-delay": Effect(feedback_delay, {"delay_seconds": (0.15, 0.4), "feedback": (0.3, 0.7), "mix": (0.4, 0.8)}),
    "slapback-delay": Effect(slapback_delay, {"delay_seconds": (0.06, 0.12), "mix": (0.5, 0.9)}),
    "reverb": Effect(
        reverb,
        {
            "decay_seconds": (0.6, 2.0),
            "pre_delay_seconds": (0.0, 0.03),
            "damping_hz": (1500.0, 5000.0),
            "mix": (0.3, 0.6),
            "room": range(1 << 16),
        },
    ),
    "chorus": Effect(
        chorus,
        {
            "lfo_hz": (0.5, 2.0),
            "delay_seconds": (0.015, 0.025),
            "depth_seconds": (0.002, 0.005),
            "mix": (0.4, 0.7),
            "phase": PHASE,
        },
    ),
    "flanger": Effect(
        flanger,
        {
            "lfo_hz": (0.3, 1.0),
            "delay_seconds": (0.0025, 0.004),
            "depth_seconds": (0.001, 0.002),
            "feedback": (0.3, 0.6),
            "mix": (0.6, 0.9),
            "phase": PHASE,
        },
    ),
    "phaser": Effect(
        phaser,
        {
            "lfo_hz": (0.5, 2.0),
            "low_hz": (200.0, 400.0),
            "high_hz": (1200.0, 2500.0),
            "mix": (0.8, 1.0),
            "phase": PHASE,
        },
    ),
    "tremolo": Effect(tremolo, {"lfo_hz": (3.0, 9.0), "depth": (0.5, 0.9), "phase": PHASE}),
    "vibrato": Effect(vibrato, {"lfo_hz": (4.0, 7.0), "depth_cents": (20.0, 60.0), "phase": PHASE}),
    "distortion": Effect(distortion, {"gain_db": (25.0, 40.0), "tone_hz": (2500.0, 5000.0)}),
    "overdrive": Effect(overdrive, {"gain_db": (12.0, 22.0), "bias": (0.2, 0.5), "tone_hz": (3000.0, 5000.0)}),
}

NO_EFFECT = "none"
CLASSES = (NO_EFFECT, *EFFECTS)
"""The eleven classes, in the order of the data set's description."""


def draw_parameters(name: str, random: np.random.Generator) -> dict[str, float]:
    """Draw an effect's parameters, with six significant digits: what is recorded is what is applied."""
    drawn: dict[str, float] = {}
    for key, each in EFFECTS[name].ranges.items():
        if isinstance(each, range):
            drawn[key] = each[random.integers(len(each))]
        else:
            drawn[key] = float(f"{random.uniform(*each):.6g}")
    return drawn


def apply_effect(name: str, samples: Samples, rate: int, parameters: Mapping[str, float]) -> Samples:
    """Return `samples` (time,) at `rate` with effect `name`: as many, float32, of whatever level it has."""
    return EFFECTS[name].apply(samples.astype(np.float64), rate, **parameters).astype(np.float32)


def _sine(count: int, rate: int, hz: float, phase: float) -> Signal:
    return np.sin(2 * np.pi * (hz * np.arange(count) / rate + phase))


def _delayed(x: Signal, delay: Signal) -> Signal:
    """Return what was `delay` samples ago (each sample its own delay), by cubics through four samples."""
    reach = math.ceil(delay.max()) + 2
    padded = np.concatenate([np.zeros(reach), x, np.zeros(2)])
    place = reach + np.arange(len(x)) - delay
    index = np.floor(place).astype(np.intp)
    t = place - index
    before, here, after, beyond = (padded[index + offset] for offset in (-1, 0, 1, 2))
    slope, next_slope = 0.5 * (after - before), 0.5 * (beyond - here)  # Catmull and Rom (1974)
    square, cube = 3 * (after - here) - 2 * slope - next_slope, 2 * (here - after) + slope + next_slope
    return here + t * (slope + t * (square + t * cube))


def _gained(x: Signal, gain_db: float) -> Signal:
    return x * 10 ** (gain_db / 20)


def _shaped(x: Signal, shape: Callable[[Signal], Signal]) -> Signal:
    """Apply a curve at a multiple of the rate."""
    wide = scipy.signal.resample_poly(x, OVERSAMPLING, 1)
    return np.asarray(scipy.signal.resample_poly(shape(wide), 1, OVERSAMPLING))


def _low_passed(x: Signal, rate: int, hz: float) -> Signal:
    sections = scipy.signal.butter(2, min(hz, 0.45 * rate), fs=rate, output="sos")
    return np.asarray(scipy.signal.sosfilt(sections, x))
