"""From a source's files to pieces: in parallel, with a progress bar, and with a report of every file skipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cgrnn_train.data.errors import DataError
from cgrnn_train.data.grid import Grid
from cgrnn_train.data.store import REPORT_FILES
from cgrnn_train.data.workers import Failure, map_in_processes


class Converted(NamedTuple):
    """What one file gives: its (time, 128) bool frames, and its beat grid if they lie on one."""

    frames: NDArray[np.bool_]
    grid: Grid | None = None

    def content(self) -> bytes:
        """The frames, packed."""
        return np.packbits(self.frames).tobytes()


class Content(Protocol):
    """What a file is converted to."""

    def content(self) -> bytes:
        """Two files that give the same are one, under two names."""
        ...


Outcome = TypeVar("Outcome", bound=Content)


@dataclass
class Report:
    """What became of each file of a source. skipped: name to reason, in the source's order."""

    source: str
    files: int
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many files there were, and how many of them are in the data set."""
        return {"files": self.files, "used": self.files - len(self.skipped), "skipped": len(self.skipped)}

    def write(self, out: Path) -> None:
        """Write report.json and report.md into the data set's folder."""
        for_programs, for_people = (out / name for name in REPORT_FILES)
        content = {"source": self.source, **self.counts, "skipped_files": self.skipped}
        for_programs.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        title = f"# {self.source}: {self.files} files, {len(self.skipped)} skipped\n\n"
        rows = "".join(f"- `{name}` {reason}\n" for name, reason in self.skipped.items())
        for_people.write_text(title + rows, encoding="utf-8")


def convert(
    encode: Callable[[str], Outcome], names: Sequence[str], workers: int, report: Report
) -> Iterator[tuple[str, Outcome]]:
    """Yield each file's name and what it gives, in order; what gives none goes into the report.

    encode: from a name to that, run in `workers` processes. A file whose frames are those of an earlier one is
    skipped too: collections hold the same file under several titles and artists, and a repeat may not lie on two sides
    of a split. Raises DataError if no file is left.
    """
    seen: dict[bytes, str] = {}
    for name, outcome in zip(names, _with_progress(map_in_processes(encode, names, workers), len(names)), strict=True):
        if isinstance(outcome, Failure):
            report.skipped[name] = outcome.reason
            continue
        digest = hashlib.blake2b(outcome.content(), digest_size=16).digest()
        if digest in seen:
            report.skipped[name] = f"has the same frames as {seen[digest]}"
            continue
        seen[digest] = name
        yield name, outcome
    if not seen:
        name, reason = next(iter(report.skipped.items()))
        raise DataError(f"none of the {len(names)} files of {report.source} can be used; the first, {name}: {reason}")


def _with_progress(outcomes: Iterator[Outcome | Failure], total: int) -> Iterator[Outcome | Failure]:
    """Pass the outcomes through, with a bar on standard error."""
    columns = (TextColumn("files"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(outcomes, total=total)
