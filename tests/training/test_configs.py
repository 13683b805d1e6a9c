"""The configurations that ship: each is read, and each trains a step."""

import dataclasses
import math
from pathlib import Path

import pytest

from cgrnn_train.config import RunConfig
from cgrnn_train.fit import fit
from cgrnn_train.systems import SYSTEMS

FOLDER = Path(__file__).parents[2] / "training" / "configs"
CONFIGS = [(path, None) for path in sorted(FOLDER.glob("*.toml"))] + [
    (path, system) for path in sorted(FOLDER.glob("table/*.toml")) for system in SYSTEMS
]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)


@pytest.mark.parametrize(("path", "system"), CONFIGS, ids=lambda value: getattr(value, "stem", value))
def test_a_shipped_configuration_trains(path, system, data, sound, tmp_path):
    config = RunConfig.read(path, system)
    sizes = {"state": 8, "mlp": (6,), "hidden": 5, "latent": 3, "width": 6}
    small = {key: size for key, size in sizes.items() if hasattr(config.model, key)}
    short = {"epochs": 1, "validation_every": 1, "validation_frames": 5, "validation_temperatures": 5}
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, **small), fit=dataclasses.replace(config.fit, **short)
    )
    frames, most = (sound, math.inf) if config.kind == "continuous" else (data, 0.0)  # a density has no bound
    assert -math.inf < fit(config, frames, tmp_path / "run", accelerator="cpu", show_progress=False) < most


def test_there_are_configurations():
    stems = {path.stem for path, _ in CONFIGS}
    assert stems >= {"paper", "jsb", "pop909", "pop909-rnn", "nottingham", "muse", "piano", "lakh", "notes"}
