"""How fast `cgrnn-train prepare` reads MIDI files, against a plain pretty_midi loop that applies the same frame rule.

    python benchmarks/prepare_throughput.py FOLDER|ZIP [--files 60] [--repeats 3] [--workers 2]

Both sides read the same files in the same run, in one process each, from the source's bytes to frames; ours also writes
the data set. They take turns, and the median of the repeats counts. The last line is the command's own figure on the
whole source with workers: start of the processes, reading, progress bar, duplicates, writing.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pretty_midi
from numpy.typing import NDArray

from cgrnn_bundle.frames import PITCHES, TOLERANCE, FrameSpec
from cgrnn_train.data.errors import UnusableFileError
from cgrnn_train.data.midi import FileEncoder, prepare_midi
from cgrnn_train.data.packed import Roll, write_packed
from cgrnn_train.data.source import list_midi, read_file

SPEC = FrameSpec()


def pretty_midi_frames(data: bytes) -> NDArray[np.bool_]:
    """Return the frames of one file as one would write it by hand: note by note."""
    midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    frames = np.zeros((int(midi.get_end_time() / SPEC.frame_seconds) + 2, PITCHES), np.bool_)
    for instrument in midi.instruments:
        if not instrument.is_drum:
            for note in instrument.notes:
                first = int(note.start / SPEC.frame_seconds + TOLERANCE)
                stop = int(note.end / SPEC.frame_seconds + 0.5 + TOLERANCE)
                frames[first : max(stop, first + 1), note.pitch] = True
    return frames


def is_readable(source: Path, name: str) -> bool:
    """Say whether both sides can read the file."""
    try:
        FileEncoder(source, SPEC)(name)
        pretty_midi_frames(read_file(source, name))
    except (UnusableFileError, OSError, EOFError, ValueError, KeyError, IndexError):
        return False
    return True


def ours(source: Path, names: list[str]) -> None:
    """Read, convert and write the files in this process."""
    encode = FileEncoder(source, SPEC)
    with tempfile.TemporaryDirectory() as scratch:
        write_packed(Path(scratch) / "set", (Roll(name, "train", encode(name).frames) for name in names), SPEC, {})


def theirs(source: Path, names: list[str]) -> None:
    """Read and convert the files with pretty_midi."""
    for name in names:
        pretty_midi_frames(read_file(source, name))


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="FOLDER|ZIP")
    parser.add_argument("--files", type=int, default=60, help="sample of files that both sides read (default 60)")
    parser.add_argument("--repeats", type=int, default=3, help="turns that each side takes (default 3)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of the last line")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # pretty_midi's, of tempo events off the first track

    everything = list_midi(options.source)
    shuffled = np.random.default_rng(0).permutation(everything).tolist()
    names: list[str] = []
    for name in shuffled:
        if len(names) < options.files and is_readable(options.source, name):
            names.append(name)

    turns = [
        (seconds(lambda: ours(options.source, names)), seconds(lambda: theirs(options.source, names)))
        for _ in range(options.repeats)
    ]
    our_rate, their_rate = (len(names) / statistics.median(side) for side in zip(*turns, strict=True))
    print(f"{len(names)} files of {options.source.name}, median of {options.repeats}, one process each")
    print(f"pretty_midi loop     {their_rate:8.1f} files/s")
    print(f"cgrnn-train prepare  {our_rate:8.1f} files/s   {our_rate / their_rate:.0f} times as fast")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "set"
        whole = seconds(lambda: prepare_midi(options.source, out, SPEC, workers=options.workers))
    rate = len(everything) / whole
    print(f"whole source, {options.workers} workers: {len(everything)} files in {whole:.1f} s, {rate:.0f} files/s")


if __name__ == "__main__":
    main()
