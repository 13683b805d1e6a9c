"""Small data sets and a small run configuration, real in every part but size."""

import numpy as np
import pytest

from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.waves import WaveSpec
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.packed import PackedFrames, Roll, write_packed
from cgrnn_train.data.store import DataSet
from cgrnn_train.data.waves import Clip, write_waves
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


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> DataSet:
    """Tones that die away, in frames of 150 samples, two takes of each: 14 to train on, 4 to validate and 6 to test."""
    random = np.random.default_rng(0)
    clips = []
    for index in range(24):
        split = "train" if index < 14 else "valid" if index < 18 else "test"
        time = np.arange((4 + index % 3) * 150)
        tone = np.sin(time * (0.1 + 0.02 * (index // 2)) + random.uniform(0, 6)) * np.exp(-time / 400)
        noisy = 0.4 * tone + 0.01 * random.standard_normal(len(time))
        clips.append(Clip(f"tone {index}", split, noisy.astype(np.float32), {"group": f"tone {index // 2}"}))
    folder = tmp_path_factory.mktemp("sound") / "tones"
    write_waves(folder, clips, WaveSpec(), {"source": "tones, made by the test", "licence": "CC0"})
    return open_data(folder)


@pytest.fixture
def small_run() -> RunConfig:
    model = CGRNNConfig(hidden=12, state=16, mlp=(16,), dropout=0.1)
    settings = FitConfig(
        epochs=4, batch_size=3, validation_every=1, validation_frames=20, validation_temperatures=20, transpose=2
    )
    return RunConfig("cgrnn", model, settings)
