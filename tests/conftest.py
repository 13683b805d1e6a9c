"""What holds for all tests: where a JACK server is required, a test that skips for want of one fails."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CGRNN_REQUIRE_JACK set, as in CI, no test marked `jack` may skip."""
    report = yield
    if report.skipped and os.environ.get("CGRNN_REQUIRE_JACK") and item.get_closest_marker("jack"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped where JACK is required: {report.longrepr}"
    return report
