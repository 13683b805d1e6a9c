"""docs/results.md is what `cgrnn-train table` makes of the records in training/runs/table, byte for byte."""

from pathlib import Path

from cgrnn_train.table import render

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "training" / "runs" / "table"


def test_the_page_is_generated_and_never_typed():
    runs = sorted(path for path in RECORDS.glob("*/*") if path.is_dir())
    assert runs, "no records"
    page = ROOT / "docs" / "results.md"
    assert page.read_text(encoding="utf-8") == render(runs, page, "test")
