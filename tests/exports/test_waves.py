"""Samples to frames and back."""

from __future__ import annotations

import numpy as np
import pytest

from cgrnn_bundle.waves import WaveSpec, frames_to_samples, samples_to_frames


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
    "fields", [{"sample_rate": 0}, {"frame_samples": 0}, {"mean": float("nan")}, {"std": 0.0}, {"std": float("inf")}]
)
def test_a_spec_that_means_nothing_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(fields))} is"):
        WaveSpec(**fields)  # pyright: ignore[reportArgumentType]


def test_the_paper_s_frame_lasts_13_6_milliseconds() -> None:
    assert WaveSpec().frame_seconds == pytest.approx(0.0136, abs=1e-4)
