"""How late frames are sent, against the absolute grid, beside a bare loop that only waits and sends.

    python benchmarks/port_lateness.py [--seconds 120] [--model NAME|PATH]

Opens a JACK port in this process and plays into it from two others in the same minutes: the command `cgrnn-live`, and a
loop that sleeps until each absolute deadline and sends one message. Lateness is the time from a frame's deadline to the
call that sends its first message. Where no JACK server runs and jackd is installed, a dummy one is started and ended.

Prints p50, p99 and maximum in milliseconds, the drift (slope of lateness over time), missed frames, and the difference
of the p99s; exits with 1 if that is above the target or a frame was missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from jack_server import EAR, ear, server

FRAME_SECONDS = 0.25
TARGET_MS = 1.0
"""How much our p99 may be above the bare loop's."""

BARE = """
import json, sys, time
from cgrnn_live.lateness import Report
from cgrnn_live.ports import Output
port, frames, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
output, report = Output(port, "jack"), Report()
origin = time.perf_counter_ns() + step
for frame in range(frames):
    due = origin + frame * step
    time.sleep(max(0, due - time.perf_counter_ns()) / 1e9)
    report.add(time.perf_counter_ns() - due)
    output.send((0xB0, 1, frame % 128))
output.close()
print(json.dumps(report.summary()))
"""
OURS = "from cgrnn_live.cli import main; main()"


def main() -> None:
    """Run both for the same time and print what came out."""
    parser = argparse.ArgumentParser(description="How late frames are sent, beside a bare loop.")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--model", default=None)
    options = parser.parse_args()
    frames = round(options.seconds / FRAME_SECONDS)
    model = [] if options.model is None else ["--model", options.model]
    with server(), ear():
        playing = [
            "--port",
            EAR,
            "--api",
            "jack",
            "--frame",
            FRAME_SECONDS,
            "--duration",
            options.seconds,
            "--json",
        ]
        ours = start(OURS, *playing, *model)
        bare = start(BARE, EAR, frames, round(FRAME_SECONDS * 1e9))
        results = {"cgrnn-live": collect(ours), "bare loop": collect(bare)}
    print(f"{'':12}{'p50':>8}{'p99':>8}{'max':>8}  ms   drift ms/min   missed of {frames}")
    for name, report in results.items():
        late, missed = report["lateness_ms"], frames - report["frames"]
        drift = late["drift"] * 60 / FRAME_SECONDS
        print(f"{name:12}{late['p50']:8.3f}{late['p99']:8.3f}{late['max']:8.3f}{drift:19.4f}{missed:12d}")
    excess = results["cgrnn-live"]["lateness_ms"]["p99"] - results["bare loop"]["lateness_ms"]["p99"]
    print(f"our p99 - the bare loop's: {excess:+.3f} ms (target: at most {TARGET_MS:g})")
    sys.exit(0 if excess <= TARGET_MS and results["cgrnn-live"]["frames"] == frames else 1)


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a program in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def collect(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the report that it printed."""
    out, _ = process.communicate()
    if process.returncode:
        sys.exit(process.returncode)
    return json.loads(out)


if __name__ == "__main__":
    main()
