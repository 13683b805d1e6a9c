"""The configurations that ship: each is read, and each trains a step."""

import dataclasses
from pathlib import Path

import pytest

from cgrnn_train.config import RunConfig
from cgrnn_train.fit import fit

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_configuration_trains(path, data, tmp_path):
    config = RunConfig.read(path)
    small = {"state": 8, "mlp": (6,)} | ({"hidden": 5} if config.system == "cgrnn" else {})
    short = {"epochs": 1, "validation_every": 1, "validation_frames": 5, "validation_temperatures": 5}
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, **small), fit=dataclasses.replace(config.fit, **short)
    )
    assert fit(config, data, tmp_path / "run", accelerator="cpu", show_progress=False) < 0


def test_there_are_configurations():
    assert {path.stem for path in CONFIGS} >= {"paper", "jsb", "pop909", "pop909-rnn"}
