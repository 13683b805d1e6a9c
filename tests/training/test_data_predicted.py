"""Data sets of sound whose frames are residuals of linear prediction: what they hold, and what they compare."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cgrnn_bundle.prediction import respond
from cgrnn_bundle.waves import WaveCoder, WaveSpec, predictions
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.waves import Clip, Waves, write_waves

SPEC = WaveSpec(11_025, 150)


def noise(samples: int, seed: int) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0, 0.2, samples), -1, 1).astype(np.float32)


@pytest.fixture
def predicted(tmp_path: Path) -> Waves:
    """Coloured noise of three lengths, some of it silent, with a prediction of order 6."""
    tones = []
    for index, frames in enumerate((9, 3, 14, 6)):
        sound = np.convolve(noise(frames * 150 + 2, index), [0.5, 0.8, 0.3], "valid")
        sound[: index * 150] = 0
        tones.append(Clip(f"clip {index}", "test" if index == 3 else "train", sound.astype(np.float32)))
    write_waves(tmp_path / "predicted", tones, dataclasses.replace(SPEC, order=6, window=600), {})
    data = open_data(tmp_path / "predicted")
    assert isinstance(data, Waves)
    return data


def test_predicted_frames_are_what_the_coder_makes_of_the_samples(predicted: Waves):
    for piece in predicted.pieces():
        samples = predicted.normalised(piece) * predicted.spec.std + predicted.spec.mean
        coder = WaveCoder(predicted.spec)
        rows = samples.reshape(-1, 150).astype(np.float32)
        expected = np.stack([coder.encode(row) for row in rows])
        assert np.allclose(predicted.frames(piece), expected, rtol=1e-3, atol=1e-3)  # float32 samples there


def test_the_scale_of_predicted_frames_is_the_volume_of_the_change_of_variables(predicted: Waves):
    """log |det ∂v / ∂x| of one frame, by moving each residual a little."""
    piece, frame = predicted.pieces()[0], 5
    spec = dataclasses.replace(predicted.spec, mean=0.0, std=1.0)
    samples = predicted.normalised(piece)

    def decode(row: np.ndarray) -> np.ndarray:
        past = samples[frame * 150 - spec.order : frame * 150]
        said = list(predictions(samples, spec))[frame]
        return respond(past, row, said)

    row = predicted.frames(piece)[frame].astype(np.float64)
    jacobian = np.stack([decode(row + unit) - decode(row) for unit in np.eye(150)], axis=1)
    scale = predicted.log_scale(piece)
    assert scale is not None
    assert np.linalg.slogdet(jacobian).logabsdet == pytest.approx(scale[frame], abs=1e-4)
    assert np.allclose(decode(row), samples[frame * 150 : (frame + 1) * 150], atol=1e-5)


def test_means_of_predicted_frames_are_compared_as_samples(predicted: Waves):
    piece = predicted.pieces()[2]
    frames, truth = predicted.frames(piece), predicted.normalised(piece).reshape(-1, 150)
    expected, real = predicted.compare(piece, frames)
    assert np.array_equal(real, truth)
    assert np.allclose(expected, truth, atol=1e-9)
    silence, _ = predicted.compare(piece, np.zeros_like(frames))
    for index, said in enumerate(predictions(truth.reshape(-1), predicted.spec)):
        past = np.concatenate([np.zeros(6), truth.reshape(-1)])[index * 150 : index * 150 + 6]
        assert np.allclose(silence[index], respond(past, np.zeros(150), said), atol=1e-4)


def test_sets_of_other_predictions_are_other_sets(tmp_path: Path):
    for order in (0, 4, 5):
        spec = dataclasses.replace(SPEC, order=order)
        write_waves(tmp_path / str(order), [Clip("a", "train", noise(600, 1))], spec, {})
    assert len({open_data(tmp_path / str(order)).digest for order in (0, 4, 5)}) == 3


@pytest.mark.parametrize("name", ["residuals.npy", "scales.npy"])
def test_residuals_that_are_not_those_of_the_samples_are_refused(predicted: Waves, name: str):
    np.save(predicted.folder / name, np.zeros((3, 150), np.float32))
    with pytest.raises(DataError, match=r"is damaged .*; prepare it again"):
        open_data(predicted.folder)
    (predicted.folder / name).unlink()
    with pytest.raises(DataError, match=r"is damaged .*; prepare it again"):
        open_data(predicted.folder)
