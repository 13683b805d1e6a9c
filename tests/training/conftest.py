"""A small data set and a small run configuration, real in every part but size."""

import numpy as np
import pytest

from cgrnn_bundle.frames import FrameSpec
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.packed import PackedFrames, Roll, write_packed
from cgrnn_train.models.cgrnn import CGRNNConfig

CHORDS = [(60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62)]


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> PackedFrames:
    """Four-chord songs in several keys: 12 to train on, 3 to validate and 3 to test, 12 to 24 frames each."""
    random = np.random.default_rng(0)
    rolls = []
    for index in range(18):
        frames = np.zeros((12 + index % 3 * 6, 128), bool)
        key = int(random.integers(-5, 6))
        for time in range(len(frames)):
            frames[time, [pitch + key for pitch in CHORDS[time // 3 % 4]]] = True
        split = "train" if index < 12 else "valid" if index < 15 else "test"
        rolls.append(Roll(f"song {index}", split, frames))
    folder = tmp_path_factory.mktemp("data") / "chords"
    write_packed(folder, rolls, FrameSpec(), {"source": "four chords, made by the test", "licence": "CC0"})
    return PackedFrames.open(folder)


@pytest.fixture
def small_run() -> RunConfig:
    model = CGRNNConfig(hidden=12, state=16, mlp=(16,), dropout=0.1)
    settings = FitConfig(
        epochs=4, batch_size=3, validation_every=1, validation_frames=20, validation_temperatures=20, transpose=2
    )
    return RunConfig("cgrnn", model, settings)
