"""The map over processes: order, and the death of workers. `eval` is the work, so that an item says what happens."""

import multiprocessing
import os
from pathlib import Path

import pytest

from cgrnn_train.data import workers
from cgrnn_train.data.workers import AHEAD, Failure, map_in_processes

CRASH = "__import__('os')._exit(7)"
ABORT = "__import__('os').abort()"
HANG = "__import__('threading').Event().wait()"
PATIENCE = 5.0  # seconds: what hangs is waited for so long, and nothing else may take it, on however busy a machine


def test_results_come_in_order():
    items = [str(number) for number in range(3 * AHEAD)]
    assert list(map_in_processes(eval, items, workers=2)) == list(range(3 * AHEAD))
    assert not multiprocessing.active_children()


def test_an_exception_fails_its_item_alone():
    assert list(map_in_processes(eval, ["1", "1/0", "3"], workers=1)) == [
        1,
        Failure("ZeroDivisionError: division by zero"),
        3,
    ]


@pytest.mark.parametrize("crash", [CRASH, ABORT])
def test_a_crash_fails_its_item_alone(crash: str):
    items = ["0", "1", crash, "3", crash, "5"]
    expected = [0, 1, Failure("the parser crashed"), 3, Failure("the parser crashed"), 5]
    assert list(map_in_processes(eval, items, workers=2)) == expected
    assert not multiprocessing.active_children()


def test_a_hang_fails_its_item_alone():
    items = ["0", HANG, "2", "3"]
    assert list(map_in_processes(eval, items, workers=1, timeout_seconds=PATIENCE)) == [
        0,
        Failure("the parser took longer than 5 s"),
        2,
        3,
    ]


def test_leaving_early_ends_the_workers():
    outcomes = map_in_processes(eval, ["__import__('os').getpid()"] * 100, workers=2)
    worker = next(outcomes)
    assert worker != os.getpid()
    outcomes.close()
    assert not multiprocessing.active_children()


def test_no_more_than_so_many_items_run_ahead_of_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "AHEAD", 4)
    monkeypatch.setattr(workers, "CHUNK", 1)
    touch = [f"__import__('pathlib').Path({str(tmp_path)!r}, '{number}').touch()" for number in range(1, 20)]
    outcomes = map_in_processes(eval, [HANG, *touch], workers=2, timeout_seconds=PATIENCE)
    assert isinstance(next(outcomes), Failure)
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2", "3"}
    assert list(outcomes) == [None] * 19


def test_no_items_need_no_workers():
    assert list(map_in_processes(eval, [], workers=4)) == []


def test_a_worker_that_cannot_start_is_a_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.path", [])  # the child is told of the parent's path, and now finds no module there
    with pytest.raises(RuntimeError, match="could not start"):
        list(map_in_processes(eval, ["1"], workers=1))
