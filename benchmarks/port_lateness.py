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
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cgrnn_live.ports import rtmidi

PORT = "cgrnn-bench ear"
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
    with jack_server(), ear():
        playing = ["--port", PORT, "--api", "jack", "--frame", FRAME_SECONDS, "--duration", options.seconds, "--json"]
        ours = start(OURS, *playing, *model)
        bare = start(BARE, PORT, frames, round(FRAME_SECONDS * 1e9))
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


@contextmanager
def ear() -> Iterator[None]:
    """Open the port that both play into."""
    port: Any = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name="cgrnn-bench")
    port.open_virtual_port("ear")
    port.set_callback(lambda event, data: None)  # else its queue fills up
    yield
    port.close_port()
    port.delete()


@contextmanager
def jack_server() -> Iterator[None]:
    """Use the JACK server that runs, else one of our own with a dummy driver."""
    os.environ["JACK_NO_START_SERVER"] = "1"
    if subprocess.run(["jack_lsp"], capture_output=True).returncode == 0:
        yield
        return
    if shutil.which("jackd") is None:
        sys.exit("No JACK server runs and jackd is not installed: on Debian and Ubuntu, `apt install jackd2`.")
    name = os.environ["JACK_DEFAULT_SERVER"] = f"cgrnn-bench-{os.getpid()}"
    line = ["jackd", "-r", "-n", name, "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)
        yield
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
