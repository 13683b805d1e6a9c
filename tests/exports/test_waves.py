"""Samples to frames and back."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest

from cgrnn_bundle.prediction import LEAST_SCALE
from cgrnn_bundle.waves import (
    MAX_ORDER,
    MAX_WINDOW,
    Samples,
    WaveCoder,
    WaveSpec,
    frames_to_samples,
    predictions,
    residuals,
    samples_to_frames,
)

PREDICTED = WaveSpec(mean=0.01, std=0.07, order=8, window=400)
PAPER = WaveSpec(mean=0.01, std=0.07, order=128)
CLOSE = 1e-6
"""Of two samples: a thirtieth of a step of 16 bits."""
SPECS = pytest.mark.parametrize(
    "spec",
    [
        replace(PREDICTED, order=0),
        PREDICTED,
        replace(PREDICTED, order=1, window=2),
        replace(PREDICTED, order=200, window=300),
        replace(PREDICTED, frame_samples=1),
        replace(PREDICTED, frame_samples=7),
        PAPER,
    ],
    ids=lambda spec: f"{spec.order} of {spec.window}, {spec.frame_samples} a frame",
)


def strings(seconds: float = 2.0, noise: float = 1e-4, seed: int = 0) -> Samples:
    """Two decaying tones, the second from the middle on, with noise."""
    count = round(11_025 * seconds)
    time = np.arange(count) / 11_025
    sound = noise * np.random.default_rng(seed).standard_normal(count)
    for start, pitch in ((0.0, 110.0), (seconds / 2, 185.0)):
        own = time[time >= start] - start
        for partial in range(1, 16):
            sound[time >= start] += 0.2 / partial * np.exp(-partial * own) * np.sin(2 * np.pi * pitch * partial * own)
    return sound.astype(np.float32)


def test_a_frame_is_150_successive_samples_normalised() -> None:
    samples = np.arange(450, dtype=np.float32)
    frames = samples_to_frames(samples, WaveSpec(mean=100.0, std=2.0))
    assert frames.shape == (3, 150)
    assert frames.dtype == np.float32
    assert frames[1, 0] == (150 - 100) / 2


def test_a_clip_of_the_paper_has_147_frames() -> None:
    assert samples_to_frames(np.zeros(22_050, np.float32), WaveSpec()).shape == (147, 150)


def test_a_last_partial_frame_is_left_out() -> None:
    assert samples_to_frames(np.zeros(299, np.float32), WaveSpec()).shape == (1, 150)
    assert samples_to_frames(np.zeros(0, np.float32), WaveSpec()).shape == (0, 150)


def test_there_and_back_is_the_same_within_rounding() -> None:
    spec = WaveSpec(mean=0.01, std=0.07)
    samples = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    assert np.allclose(frames_to_samples(samples_to_frames(samples, spec), spec), samples, atol=1e-6)


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="mix the channels to mono"):
        samples_to_frames(np.zeros((2, 300), np.float32), WaveSpec())


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(frames, 150\)"):
        frames_to_samples(np.zeros((2, 128), np.float32), WaveSpec())


@pytest.mark.parametrize(
    "fields",
    [
        {"sample_rate": 0},
        {"frame_samples": 0},
        {"mean": float("nan")},
        {"std": 0.0},
        {"std": float("inf")},
        {"order": -1},
        {"order": MAX_ORDER + 1},
        {"window": 0},
        {"window": 128, "order": 128},
        {"window": MAX_WINDOW + 1},
    ],
)
def test_a_spec_that_means_nothing_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(fields))} is"):
        WaveSpec(**fields)  # pyright: ignore[reportArgumentType]


def test_the_paper_s_frame_lasts_13_6_milliseconds() -> None:
    assert WaveSpec().frame_seconds == pytest.approx(0.0136, abs=1e-4)


# ---- with a prediction


@SPECS
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_decoding_undoes_encoding_within_rounding(spec: WaveSpec, noise: float) -> None:
    samples = strings(2.0 if spec.frame_samples == 150 else 0.1, noise)  # 147 frames
    frames = samples_to_frames(samples, spec)
    assert np.isfinite(frames).all()
    assert frames.shape == (len(samples) // spec.frame_samples, spec.frame_samples)
    back = frames_to_samples(frames, spec)
    # Frames are rounded to 24 bits and reach a hundred σ where a tone begins; within a frame the filter adds up some.
    assert np.abs(back - samples[: len(back)]).max() < CLOSE


@pytest.mark.parametrize("order", [8, 128])
def test_rounding_does_not_add_up(order: int) -> None:
    """Were the history the samples themselves, the end would be another sound, of order 8 one without bound."""
    spec = replace(PAPER, order=order, window=16 * order)
    samples = strings(6.0, 1e-3)
    back = frames_to_samples(samples_to_frames(samples, spec), spec)
    assert np.abs(back - samples[: len(back)]).max() < CLOSE


def test_what_is_predicted_is_small_in_a_frame() -> None:
    """The frames of a string but for its beginnings hold a hundredth of its power."""
    samples = strings(noise=1e-4)
    normalised = (samples[:22_050].astype(np.float64) - PAPER.mean) / PAPER.std
    frames, scales = residuals(normalised, PAPER)
    added = (np.square(frames).mean(-1) * scales**2)[10:70]
    assert added.mean() < 0.01 * np.square(normalised.reshape(-1, 150)[10:70]).mean()


@SPECS
def test_frames_together_are_those_of_the_coder(spec: WaveSpec) -> None:
    seconds = 0.5 if spec.frame_samples == 150 else 0.05
    sounds = np.stack([strings(seconds, seed=seed) * (1 + seed) for seed in range(3)])
    together, scales = residuals((sounds.astype(np.float64) - spec.mean) / spec.std, spec)
    alone = np.stack([samples_to_frames(sound, spec) for sound in sounds])
    assert (together.shape, scales.shape) == (alone.shape, alone.shape[:2])
    # The coder's history has been rounded to float32, by 1e-7 of numbers up to 10, in units of σ of 0.001 and more.
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-3)
    assert (scales >= LEAST_SCALE).all()
    said = list(predictions((sounds[0].astype(np.float64) - spec.mean) / spec.std, spec))
    assert [one.scale for one in said] == pytest.approx(scales[0])


def test_there_may_be_no_whole_frame() -> None:
    frames, scales = residuals(np.zeros((2, 149)), PREDICTED)
    assert (frames.shape, scales.shape) == ((2, 0, 150), (2, 0))
    assert samples_to_frames(np.zeros(149, np.float32), PREDICTED).shape == (0, 150)
    assert frames_to_samples(np.zeros((0, 150), np.float32), PREDICTED).shape == (0,)


def test_the_first_frame_is_the_samples() -> None:
    samples = strings()
    first = (samples[:150].astype(np.float64) - PAPER.mean) / PAPER.std
    assert samples_to_frames(samples, PAPER)[0] == pytest.approx(first, rel=1e-6)
    _, scales = residuals(first, PAPER)
    assert scales.tolist() == [1.0]


def test_silence_is_silence_and_ends() -> None:
    silence = np.full(3_000, PREDICTED.mean, np.float32)
    frames = samples_to_frames(silence, PREDICTED)
    assert np.abs(frames).max() < 1e-4  # `mean` in float32
    sound = np.concatenate([silence, strings()])
    frames = samples_to_frames(sound, PREDICTED)
    assert np.isfinite(frames).all()
    assert np.abs(frames_to_samples(frames, PREDICTED) - sound[: frames.size]).max() < CLOSE


@SPECS
def test_a_frame_has_the_volume_of_its_samples_over_sigma(spec: WaveSpec) -> None:
    """The determinant of the samples by the frame, after a string: σ^N, by which densities of the two differ."""
    size = spec.frame_samples
    rows = strings()[: 1_200 // size * size].reshape(-1, size)
    scale = residuals((rows.reshape(-1).astype(np.float64) - spec.mean) / spec.std, spec)[1][-1]
    coder = WaveCoder(spec)
    for row in rows[:-1]:
        coder.encode(row)
    frames = [np.zeros(size, np.float32), *np.eye(size, dtype=np.float32) * np.float32(1e3)]
    base, *columns = [copy.deepcopy(coder).decode(frame).astype(np.float64) for frame in frames]
    jacobian = (np.array(columns) - base).T / (1e3 * spec.std)  # exact, of a linear map, but for rounding to float32
    sign, log_volume = np.linalg.slogdet(jacobian)
    assert sign == 1
    assert log_volume == pytest.approx(size * np.log(scale), abs=size * 1e-3)


def test_frame_by_frame_is_the_whole() -> None:
    samples = strings(0.5)
    encoder, decoder = WaveCoder(PREDICTED), WaveCoder(PREDICTED)
    rows = samples[: len(samples) // 150 * 150].reshape(-1, 150)
    frames = np.stack([encoder.encode(row) for row in rows])
    sounds = np.stack([decoder.decode(frame) for frame in frames])
    assert np.array_equal(frames, samples_to_frames(samples, PREDICTED))
    assert np.array_equal(sounds.reshape(-1), frames_to_samples(frames, PREDICTED))
    assert np.array_equal(frames[:9], samples_to_frames(samples[: 9 * 150 + 60], PREDICTED))


def test_who_encoded_a_prompt_goes_on_as_who_decoded_it() -> None:
    """Bit for bit: what follows hears the same history."""
    samples = strings(0.5)
    encoder, decoder = WaveCoder(PREDICTED), WaveCoder(PREDICTED)
    for row in samples[:3_000].reshape(-1, 150):
        decoder.decode(encoder.encode(row))
    for row in np.random.default_rng(0).standard_normal((20, 150)).astype(np.float32):
        assert np.array_equal(encoder.decode(row), decoder.decode(row))


def test_reset_forgets() -> None:
    coder, samples = WaveCoder(PREDICTED), strings()[:150]
    first = coder.encode(samples)
    assert not np.array_equal(coder.encode(samples), first)
    coder.reset()
    assert np.array_equal(coder.encode(samples), first)


@pytest.mark.parametrize("order", [0, 8])
def test_what_is_held_within_bounds_is_what_was_heard(order: int) -> None:
    """A frame of a thousand standard deviations is clipped, and the next begins where the clipped one ended."""
    spec = replace(PREDICTED, order=order)
    loud = np.full(150, 1e3, np.float32)
    held = WaveCoder(spec, loudest=0.5)
    sound = held.decode(loud)
    assert sound == pytest.approx(np.full(150, 0.5))
    other = WaveCoder(spec)
    other.encode(sound)
    quiet = np.random.default_rng(0).standard_normal(150).astype(np.float32)
    assert held.decode(quiet) == pytest.approx(other.decode(quiet).clip(-0.5, 0.5), abs=1e-4)


def test_a_prompt_beyond_the_bounds_is_held_within_them_both_ways() -> None:
    samples = 20 * strings()
    assert np.abs(samples).max() > 2
    frames = samples_to_frames(samples, PREDICTED, loudest=2.0)
    coder = WaveCoder(PREDICTED, loudest=2.0)
    back = np.concatenate([coder.decode(frame) for frame in frames])
    assert np.abs(back - samples[: len(back)].clip(-2, 2)).max() < 1e-5


@pytest.mark.parametrize("order", [0, 8])
def test_no_frame_within_float32_leaves_bounds_or_becomes_no_number(order: int) -> None:
    coder = WaveCoder(replace(PREDICTED, order=order), loudest=16.0)
    random = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level in (1.0, 3e38, 1.0, 1e20, -3e38, 1e-30, 1.0):
            samples = coder.decode((level * random.uniform(-1, 1, 150)).astype(np.float32))
            assert np.isfinite(samples).all()
            assert np.abs(samples).max() <= 16.0


@pytest.mark.parametrize("order", [0, 8])
@pytest.mark.parametrize("shape", [(149,), (1, 150), (151,), ()])
def test_a_row_of_another_size_is_refused(order: int, shape: tuple[int, ...]) -> None:
    coder = WaveCoder(replace(PREDICTED, order=order))
    with pytest.raises(ValueError, match=r"^samples of the shape .*; expected \(150,\)"):
        coder.encode(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match=r"^a frame of the shape .*; expected \(150,\)"):
        coder.decode(np.zeros(shape, np.float32))
