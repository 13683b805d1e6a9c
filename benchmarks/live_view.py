"""What the live view of a terminal costs: CPU time, and lateness beside a command that shows nothing.

    python benchmarks/live_view.py [--seconds 60] [--model NAME|PATH]

Opens a JACK port in this process and plays into it from three others in the same minute: one that shows nothing, one at
a terminal of 80 by 24, and one at a terminal of 160 by 50. Prints p50, p99 and maximum of the lateness in milliseconds,
missed frames, and the CPU seconds a minute that each process took, its start not counted; exits with 1 if the view took
more than the target or a frame was missed. Where no JACK server runs and jackd is installed, a dummy one is started and
ended.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading

from jack_server import EAR, ear, server

FRAME_SECONDS = 0.25
TARGET = 1.0
"""CPU seconds a minute that the view may take."""
TERMINALS = {"nothing shown": None, "80 by 24": (24, 80), "160 by 50": (50, 160)}

PLAY = """
import json, sys, time
from cgrnn_live import session
from cgrnn_live.loading import Sampling
perform = session.perform
def timed(*arguments, **more):
    began = time.process_time()
    perform(*arguments, **more)
    timed.seconds = time.process_time() - began
session.perform = timed
port, seconds, model = sys.argv[1], float(sys.argv[2]), sys.argv[3] or None
summary = session.play(session.Setup(port, Sampling(1, model, None, None, 0, 127, None), duration=seconds, api="jack"))
print(json.dumps({**summary, "cpu": timed.seconds}))
"""


def main() -> None:
    """Play with each and print what came out."""
    parser = argparse.ArgumentParser(description="What the live view costs.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="")
    options = parser.parse_args()
    frames = round(options.seconds / FRAME_SECONDS)
    with server(), ear():
        playing = {name: start(size, options.seconds, options.model) for name, size in TERMINALS.items()}
        results = {name: process.communicate()[0] for name, process in playing.items()}
    print(f"{'':15}{'p50':>8}{'p99':>8}{'max':>8}  ms   missed of {frames}   CPU s a minute")
    taken, missed = [], 0
    for name, out in results.items():
        report = json.loads(out)
        late, cpu = report["lateness_ms"], report["cpu"] * 60 / options.seconds
        taken.append(cpu)
        missed += frames - report["frames"]
        print(
            f"{name:15}{late['p50']:8.3f}{late['p99']:8.3f}{late['max']:8.3f}{frames - report['frames']:18d}{cpu:17.2f}"
        )
    print(f"the view: {max(taken) - taken[0]:.2f} CPU s a minute (target: at most {TARGET:g})")
    sys.exit(0 if max(taken) - taken[0] <= TARGET and not missed else 1)


def start(size: tuple[int, int] | None, seconds: float, model: str) -> subprocess.Popen[bytes]:
    """Play in a process of its own, at a terminal of so many lines and columns, or at none."""
    line = [sys.executable, "-c", PLAY, EAR, str(seconds), model]
    variables = {**os.environ, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        variables.pop(name, None)
    if size is None:
        return subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=variables
        )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(line, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=variables)
    threading.Thread(target=drain, args=(ours,), daemon=True).start()
    return process


def drain(terminal: int) -> None:
    """Read what a terminal shows, as whoever sits before it would."""
    while os.read(terminal, 65_536):
        pass


if __name__ == "__main__":
    main()
