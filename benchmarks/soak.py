"""`cgrnn-live` with a human for half an hour, one core kept busy: deadlines, memory, drift, notes that hang.

    python benchmarks/soak.py [--minutes 30] [--model NAME|PATH] [--seed 0] [--out FOLDER]

A human in this process plays random phrases into it through JACK and now and then changes the mode, most of the time
"accompany"; it records. A process pinned to the first core computes without end meanwhile, at the same priority; how
much of the core it got is printed. Nothing else is pinned.

Prints what the command counted; the resident memory a minute after the start, at the end, and the slope of a line
through samples every ten seconds after that minute, beside what must grow, the recording and the report of lateness,
measured with the same messages; how far the frames, of which each is stamped when its notes have been sent, are from
their count at the end, by both clocks of the system, and the drift of the notes at the ear; notes that hang by what was
sent, and by what JACK brought to the ear.

Exits with 1 at a traceback, an exit code other than 0, a note that hangs by what was sent, or a growth of 5 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from busy import busy_core
from jack_server import server
from partner import PARTNER, Human, Log, Send, begins_note, hanging, partner

from cgrnn_live.clock import MILLISECOND, SECOND
from cgrnn_live.ledger import NOTE_OFF, NOTE_ON
from cgrnn_live.midifile import Track
from cgrnn_live.recording import SYSTEM
from cgrnn_live.roles import PROGRAM_CHANGE

FRAME_SECONDS = 0.25
SETTLED = 60.0
"""Seconds after which memory is compared."""

SAMPLE_SECONDS = 10.0
MOST_GROWTH = 5.0
"""MB."""

ACCOMPANY = 2
OTHER_MODES = (0, 1)
STAYS_SECONDS = (40.0, 15.0)
"""How long, about: in "accompany", and in another mode."""


@dataclass
class Memory:
    """Resident memory of a process, sampled by a thread: (seconds, MB)."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Sample until the context is left, and then once more."""
        is_over, began = threading.Event(), time.monotonic()

        def look() -> None:
            self.samples.append((time.monotonic() - began, resident_megabytes(self.pid)))

        def run() -> None:
            while not is_over.wait(SAMPLE_SECONDS - (time.monotonic() - began) % SAMPLE_SECONDS):
                look()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            look()

    def figures(self) -> tuple[float, float, float]:
        """MB once settled, MB at the end, MB a minute in between."""
        settled = [sample for sample in self.samples if sample[0] >= SETTLED - 1] or self.samples
        times, sizes = np.array(settled).T
        slope = np.polyfit(times / 60, sizes, 1)[0] if len(settled) > 1 else 0.0
        return sizes[0], sizes[-1], float(slope)


def main() -> None:
    """Play, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None, help="where log and recording stay")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log").unlink(missing_ok=True)
        with server():
            sys.exit(soak(folder, options.minutes, options.model, options.seed))


def soak(folder: Path, minutes: float, model: str | None, seed: int) -> int:
    """Play for ``minutes`` and print; return the exit code."""
    arguments = ["--mode", "accompany", "--frame", FRAME_SECONDS, "--seed", seed, "--json"]
    arguments += ["--record", folder / "take.mid", *([] if model is None else ["--model", model])]
    human = Human()
    log, told, said = folder / "log", folder / "told.json", folder / "said"
    with told.open("w") as out, said.open("w") as err:
        with partner(log, *arguments, stdout=out, stderr=err) as process:
            send, memory = human.hand(PARTNER), Memory(process.pid)
            time.sleep(1.0)
            with busy_core() as busy, memory.watch():
                began, spent = time.monotonic(), cpu_seconds(busy)
                live(send, began + 60 * minutes, process)
                share = (cpu_seconds(busy) - spent) / (time.monotonic() - began)
    human.close()
    stamps = Log.read(log)
    has_traceback = "Traceback" in said.read_text()
    print(f"{minutes:g} minutes, one core of {os.cpu_count()} kept busy: the busy process had {share:.0%} of it")
    print(f"exit code {process.returncode}, {'a traceback' if has_traceback else 'no traceback'}")
    if process.returncode:
        print(said.read_text())
        return 1
    show_frames(json.loads(told.read_text()))
    growth = show_memory(memory, stamps)
    show_drift(stamps, human)
    hangs = show_notes(stamps, human)
    is_met = not has_traceback and not hangs and growth < MOST_GROWTH
    return 0 if is_met else 1


def live(send: Send, end: float, process: subprocess.Popen[str]) -> None:
    """Be a human until a time of `time.monotonic`, or until the partner has gone."""
    mode, change = ACCOMPANY, time.monotonic() + STAYS_SECONDS[0]
    while time.monotonic() < end and process.poll() is None:
        if time.monotonic() > change:
            mode = random.choice(OTHER_MODES) if mode == ACCOMPANY else ACCOMPANY
            change = time.monotonic() + STAYS_SECONDS[mode != ACCOMPANY] * random.uniform(0.5, 1.5)
            send((PROGRAM_CHANGE, mode))
        for _ in range(random.randint(1, 8)):
            pitches = random.sample(range(36, 85), random.choice((1, 1, 1, 2, 3, 4)))
            for pitch in pitches:
                send((NOTE_ON, pitch, random.randint(30, 120)))
            time.sleep(random.uniform(0.04, 0.6))
            for pitch in pitches:
                send((NOTE_OFF, pitch, 0))
            time.sleep(random.choice((0.0, random.uniform(0.0, 0.3))))
        time.sleep(random.uniform(0.1, 2.5))


def show_frames(told: dict[str, Any]) -> None:
    """What the command counted."""
    late = told["lateness_ms"]
    counts = ", ".join(f"{told[name]} {name}" for name in ("late", "reduced", "held", "dropped"))
    print(f"{told['frames']} frames: {counts}; {told['notes']} notes")
    print(f"sent after the deadline: p50 {late['p50']:.3f}, p99 {late['p99']:.3f}, max {late['max']:.3f} ms")


def show_memory(memory: Memory, log: Log) -> float:
    """Memory and what must grow; return the growth in MB."""
    settled, end, slope = memory.figures()
    recorded, messages = recording_bytes(log)
    report = 8 * len(log.frames)
    print(f"memory: {settled:.2f} MB after a minute, {end:.2f} at the end: {end - settled:+.2f}; {slope:+.4f} a minute")
    each = recorded / messages if messages else 0.0
    print(f"of which the recording {recorded / 1e6:.3f} ({messages} messages of {each:.1f} bytes)", end="")
    print(f", the report {report / 1e6:.3f}")
    return end - settled


def recording_bytes(log: Log) -> tuple[int, int]:
    """Bytes that a recording of these messages takes in memory, and their number."""
    tracks = [(stamps, Track("measured", 120.0)) for stamps in (log.sent, log.heard)]
    tracemalloc.start()
    before, messages = tracemalloc.get_traced_memory()[0], 0
    for stamps, track in tracks:
        for at, message in stamps:
            if message[0] < SYSTEM:
                track.add(message, (at - log.grid[0]) / SECOND)
                messages += 1
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return size, messages


def show_drift(log: Log, human: Human) -> None:
    """Frames counted against the clocks, and their phase at the ear."""
    frame = log.grid[1] - log.grid[0]
    at, late, number, utc = np.array(log.frames, np.int64).T
    counted = (number - number[0]) * frame
    for name, clock in (("CLOCK_MONOTONIC", at), ("CLOCK_REALTIME", utc)):
        lost = (clock - late - clock[0] + late[0] - counted) / MILLISECOND
        print(f"{name}: {len(number)} frames of {number[-1] + 1} are {lost[-1]:+.3f} ms from their count", end="")
        print(f" (at most {np.abs(lost).max():.3f})")
    ons = np.array([at for at, message in human.heard if begins_note(message)], np.int64)
    phase = (ons - log.grid[0] + frame // 4) % frame - frame // 4
    slope = np.polyfit((ons - ons[0]) / (60 * SECOND), phase / MILLISECOND, 1)[0]
    print(f"at the ear: p50 {np.median(phase) / MILLISECOND:.3f} ms after the deadline, {slope:+.4f} ms a minute")


def show_notes(log: Log, human: Human) -> bool:
    """Notes that hang; return whether any does by what was sent."""
    sent, heard = ([message for _, message in stamps] for stamps in (log.sent, human.heard))
    hang = hanging(sent)
    print(f"hanging: {sorted(hang) or 'none'} by what was sent; ", end="")
    print(f"{sorted(hanging(heard)) or 'none'} at the ear, to which JACK brought {len(heard)} of {len(sent)} messages")
    return bool(hang)


def resident_megabytes(pid: int) -> float:
    """VmRSS."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1000 if found is not None else float("nan")


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Time that a process has computed."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
