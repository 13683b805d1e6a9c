"""How soon the command answers and sounds, and how much memory it takes while it plays.

    python benchmarks/startup.py [--repeats 7] [--model NAME|PATH]

`demo` and the port to play into are those of a JACK server, one with the dummy driver where none runs. Each figure is
the median and the maximum of the repeats, each in a process of its own: as a person meets it.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from jack_server import EAR, ear, server

COMMAND = [sys.executable, "-c", "from cgrnn_live.cli import main; main()"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--model")
    options = parser.parse_args()
    model = ["--model", options.model] if options.model else []
    helps = [seconds_of([*COMMAND, "--help"]) for _ in range(options.repeats)]
    print(f"--help: median {statistics.median(helps):.2f} s, maximum {max(helps):.2f} s")
    with server(), ear():
        firsts = [first_note([*COMMAND, "demo", "--seconds", "1", "--json", *model]) for _ in range(options.repeats)]
        print(f"demo, first note: median {statistics.median(firsts):.2f} s, maximum {max(firsts):.2f} s")
        print(f"memory while playing: {resident_megabytes(model):.0f} MB")


def seconds_of(line: list[str]) -> float:
    """Wall-clock seconds of a command that must succeed."""
    begin = time.perf_counter()
    subprocess.run(line, check=True, capture_output=True)
    return time.perf_counter() - begin


def first_note(line: list[str]) -> float:
    """Seconds from the command to the first frame of a one-second demo, at most: all that was not that second."""
    begin = time.perf_counter()
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    if json.loads(done.stdout)["device"] is None:
        sys.exit("demo found no sound device")
    return time.perf_counter() - begin - 1.0


def resident_megabytes(model: list[str]) -> float:
    """Resident memory of a process that has played into a port for four seconds (Linux)."""
    player = subprocess.Popen([*COMMAND, "--port", EAR, "--api", "jack", *model], stderr=subprocess.DEVNULL)
    try:
        time.sleep(4)
        status = Path(f"/proc/{player.pid}/status").read_text()
    finally:
        player.terminate()
        player.wait()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None, "the player ended early"
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
