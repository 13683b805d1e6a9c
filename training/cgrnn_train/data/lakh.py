"""Lakh clean_midi by the CGRNN paper's protocol, except for its split.

A source is a folder or zip of Artist/Title.mid. Each file is cut into one-minute segments of 0.25 s frames; the last
partial segment is dropped, and so is every file shorter than a minute. The paper splits 0.9/0.05/0.05 without regard
to who plays, so that one song, or two files of it, may lie on both sides. Here the split is by artist, and results are
the harder for it. Artists are told apart by the words of their names, because the collection files some under two
("Jackson Michael" and "Michael Jackson", "Band" and "The Band").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cgrnn_bundle.frames import FrameSpec, Rule
from cgrnn_train.data.convert import Converted, Report, convert
from cgrnn_train.data.errors import DataError, UnusableFileError
from cgrnn_train.data.midi import score_frames
from cgrnn_train.data.packed import Roll, write_packed
from cgrnn_train.data.score import read_score
from cgrnn_train.data.source import list_midi, read_file
from cgrnn_train.data.splits import SHARES, split_by_group
from cgrnn_train.data.store import check_target

FRAME_SECONDS = 0.25
SEGMENT_FRAMES = 240
"""Frames of one minute."""

COMPLETE_FILES = 17_000
"""clean_midi has "more than 17,000" files; a source with fewer is a subset, and must be called one."""


@dataclass(frozen=True, slots=True)
class SegmentEncoder:
    """From the name of a MIDI file in `source` to the frames of its whole minutes."""

    source: Path
    spec: FrameSpec

    def __call__(self, name: str) -> Converted:
        """Return a multiple of 240 frames, from the file's time 0; UnusableFileError if it gives none."""
        frames = score_frames(read_score(read_file(self.source, name)), self.spec)
        whole = len(frames) - len(frames) % SEGMENT_FRAMES
        if not whole:
            raise UnusableFileError("is shorter than one minute")
        return Converted(frames[:whole])


def prepare_lakh(source: Path, out: Path, *, rule: Rule = "half", seed: int = 0, workers: int = 1) -> dict[str, Any]:
    """Write the one-minute segments of a folder or zip of Artist/Title.mid as data set `out`; return the meta.

    A piece is a segment, named Artist/Title.mid#NUMBER. Raises DataError, also where files lie in no artist's folder.
    """
    check_target(out)
    names = list_midi(source)
    spec = FrameSpec(FRAME_SECONDS, rule)
    strays = [name for name in names if "/" not in name]
    if strays:
        raise DataError(f"{source} is not laid out as Artist/Title.mid ({strays[0]}); use 'cgrnn-train prepare midi'")
    split_of = split_by_group(names, seed, artist)
    report = Report(source.resolve().name, len(names))
    meta: dict[str, Any] = {
        "source": _title(len(names)),
        "licence": "CC-BY 4.0",
        "seed": seed,
        "split_rule": f"{SHARES} by artist (the paper's split is not)",
        "segment_seconds": SEGMENT_FRAMES * FRAME_SECONDS,
    }

    def rolls() -> Iterator[Roll]:
        for name, (frames, _) in convert(SegmentEncoder(source, spec), names, workers, report):
            for number, first in enumerate(range(0, len(frames), SEGMENT_FRAMES)):
                yield Roll(f"{name}#{number:02}", split_of[name], frames[first : first + SEGMENT_FRAMES])
        meta["files"] = report.counts

    written = write_packed(out, rolls(), spec, meta)
    report.write(out)
    return written


def artist(name: str) -> str:
    """Return the artist of Artist/Title.mid: the folder's words, lower-case, in alphabetical order.

    "The" and "and" do not count, so that "Earth, Wind & Fire" is "Earth Wind and Fire".
    """
    folder = PurePosixPath(name).parent.name.casefold()
    words = sorted(set(re.findall(r"\w+", folder)) - {"the", "and"})
    return " ".join(words) or folder


def _title(files: int) -> str:
    """Name the set as results on it must name it."""
    share = 100 * files // COMPLETE_FILES
    whole = "" if share >= 100 else f"a {share} % subset of " if share else "part of "
    return f"{whole}Lakh clean_midi ({files} files)"
