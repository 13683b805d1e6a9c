"""docs/results.md is what `cgrnn-train table` makes of the records in training/runs/table, and those are of runs that
the shipped configurations make.
"""

from pathlib import Path

import pytest

from cgrnn_train.config import RunConfig
from cgrnn_train.models.cgrnn import CGRNNConfig
from cgrnn_train.origin import read_origin
from cgrnn_train.run import read_config
from cgrnn_train.table import render

ROOT = Path(__file__).parents[2]
RECORDS = sorted(path for path in (ROOT / "training" / "runs" / "table").glob("*/*") if path.is_dir())


def test_the_page_is_generated_and_never_typed():
    page = ROOT / "docs" / "results.md"
    assert page.read_text(encoding="utf-8") == render(RECORDS, page, "test")


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_record_is_of_the_shipped_configuration(record):
    """And so is each stage of its training before."""
    recorded, stages = read_config(record), read_origin(record)
    configurations = [RunConfig.from_dict(stage.config, "origin") for stage in stages] + [recorded]
    names = [record.parent.name, f"{record.parent.name}-finish"][: len(configurations)]
    for found, name in zip(configurations, names, strict=True):
        changed: dict[str, object] = {"mode": found.model.mode} if isinstance(found.model, CGRNNConfig) else {}
        if record.name == "cgrnn-one-gain":
            changed["gains"] = 1
        path = ROOT / "training" / "configs" / "table" / f"{name}.toml"
        assert found == RunConfig.read(path, recorded.system, {"model": changed})
