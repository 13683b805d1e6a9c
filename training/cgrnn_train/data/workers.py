"""A map over several processes that survives its workers.

Parsers of binary files crash, hang and exhaust memory on broken ones. A `ProcessPoolExecutor` is lost with its first
worker and cannot end a hung one. Here each worker has a pipe of its own: the parent knows which item it is at, gives
that item up, and starts another worker.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

from cgrnn_train.data.errors import UnusableFileError

Result = TypeVar("Result")

CHUNK = 16
"""Items that a worker has in hand at most, so that it need not wait for the parent between two."""

AHEAD = 1024
"""How far beyond the first unfinished item others may be handed out: it bounds the results that wait in memory."""

START_SECONDS = 120.0
"""Longest that a worker may take to import what it needs."""


class Failure(NamedTuple):
    """What an item gives that has no result: the reason."""

    reason: str


def map_in_processes(
    function: Callable[[str], Result], items: Sequence[str], workers: int, timeout_seconds: float = 60.0
) -> Generator[Result | Failure, None, None]:
    """Yield function(item) of each item, in the items' order, computed by `workers` processes.

    function: importable and picklable; each worker gets it once. An exception in it, the death of its process, and
    more than `timeout_seconds` at one item each yield a `Failure` in that item's place, and the others go on. Raises
    RuntimeError if a worker cannot start. No process outlives the generator.
    """
    todo = deque(enumerate(items))
    done: dict[int, Result | Failure] = {}
    due = 0
    pool = [_Worker(function) for _ in range(min(workers, len(items)))]
    try:
        while due < len(items):
            for worker in pool:
                while todo and len(worker.pending) < CHUNK and todo[0][0] < due + AHEAD:
                    worker.send(todo.popleft())
            done.update(_collect(pool, todo, timeout_seconds))
            while due in done:
                yield done.pop(due)
                due += 1
    finally:
        for worker in pool:
            worker.end()


class _Worker:
    """A process, its pipe, the (index, item) pairs that it has in hand, and when it was last heard of."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        self._function = function
        self.pending: deque[tuple[int, str]] = deque()
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")  # the same on every system, and safe beside threads
        self.connection, other_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(other_end, self._function), daemon=True)
        self.process.start()
        other_end.close()
        self.is_ready = False
        self.heard = time.monotonic()

    def send(self, pair: tuple[int, str]) -> None:
        if not self.pending:
            self.heard = time.monotonic()
        self.pending.append(pair)
        try:
            self.connection.send(pair[1])
        except OSError:
            pass  # the process is gone: the next receive says so

    def deadline(self, timeout_seconds: float) -> float:
        return self.heard + (timeout_seconds if self.is_ready else START_SECONDS)

    def end(self) -> int | None:
        self.connection.close()
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def _collect(
    pool: list[_Worker], todo: deque[tuple[int, str]], timeout_seconds: float
) -> Iterator[tuple[int, Any | Failure]]:
    """Wait until a worker reports, dies or is late; yield what is now known, as (index, result)."""
    busy = [worker for worker in pool if worker.pending]
    first_deadline = min(worker.deadline(timeout_seconds) for worker in busy)
    heard = wait([worker.connection for worker in busy], max(0.0, first_deadline - time.monotonic()))
    for worker in busy:
        if worker.connection in heard:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                yield _give_up(worker, todo, "the parser crashed")
                continue
            worker.heard = time.monotonic()
            if worker.is_ready:
                yield worker.pending.popleft()[0], message
            worker.is_ready = True
        elif time.monotonic() > worker.deadline(timeout_seconds):
            yield _give_up(worker, todo, f"the parser took longer than {timeout_seconds:g} s")


def _give_up(worker: _Worker, todo: deque[tuple[int, str]], reason: str) -> tuple[int, Failure]:
    """Blame the item that the worker was at, hand its other items back, and start it anew."""
    exit_code = worker.end()
    if not worker.is_ready:
        raise RuntimeError(
            f"a worker process could not start (exit code {exit_code}); "
            "is the calling script guarded by 'if __name__ == \"__main__\"'?"
        )
    index, _ = worker.pending.popleft()
    todo.extendleft(reversed(worker.pending))
    worker.pending.clear()
    worker.start()
    return index, Failure(reason)


def _serve(connection: Connection, function: Callable[[str], Any]) -> None:
    """Work off the items that come through the pipe, until the parent closes it: the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends us
    try:
        connection.send("ready")
        while True:
            connection.send(_result(function, connection.recv()))
    except (EOFError, OSError):
        return


def _result(function: Callable[[str], Any], item: str) -> Any | Failure:
    """Return function(item), or why there is none."""
    try:
        return function(item)
    except UnusableFileError as error:
        return Failure(str(error))
    except Exception as error:  # one broken file must not end the preparation of thousands
        return Failure(f"{type(error).__name__}: {error}")
