"""How steadily `cgrnn-live audio` plays into JACK, beside callbacks that write silence, in the same minutes.

    python benchmarks/jack_stream.py [--minutes 30] [--seconds 20] [--saturate] [--model NAME|PATH]

Three take turns of --seconds each, into the same device, with the same settings, until each has had --minutes: the
command; a callback that writes silence; and the same callback while the model computes at the same pace in another
process, for nobody. Where no JACK server runs and jackd is installed, a dummy one of 256 samples a period is started
and ended. --saturate keeps one core busy meanwhile.

Prints for each how often JACK told it of an xrun, whoever was late, and for the command how often its own ring ran dry.
Xruns come in bursts, when the machine has other things to do: read them beside the controls'. Exits with 1 if the ring
ever ran dry.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from busy import busy_core
from jack_server import server

OURS = "from cgrnn_live.cli import main; main()"
CONTROL = """
import json, sys, time
from cgrnn_live.sound_card import find_device, open_output, start
xruns = 0

def silence(out, count, _, status):
    global xruns
    xruns += status.output_underflow
    out[:] = 0

device = find_device("system")
stream = open_output(device, device.rate, silence)
start(stream)
time.sleep(float(sys.argv[1]))
stream.close()
print(json.dumps({"device_underflows": xruns}))
"""
COMPUTING = """
import json, sys, time
from cgrnn_live.loading import open_wave_engine
from cgrnn_live.wave_source import WaveSource
source = WaveSource(open_wave_engine(json.loads(sys.argv[1]), seed=1), 48_000)
print("ready", flush=True)
began, pulls = time.monotonic(), 0
while True:
    source.pull(960)
    pulls += 1
    time.sleep(max(0.0, began + 0.02 * pulls - time.monotonic()))
"""


def main() -> None:
    """Let them take turns, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0, help="of each")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a turn")
    parser.add_argument("--saturate", action="store_true", help="keep one core busy")
    parser.add_argument("--model", default=None)
    options = parser.parse_args()
    model = [] if options.model is None else ["--model", options.model]
    playing = ["audio", "--device", "system", "--duration", options.seconds, "--json", *model]
    turns = max(1, round(60 * options.minutes / options.seconds))
    results: dict[str, list[dict[str, Any]]] = {"cgrnn-live audio": [], "silence": [], "silence, computing": []}
    with server(), busy_core() if options.saturate else nullcontext():
        for _ in range(turns):
            results["cgrnn-live audio"].append(run(OURS, *playing))
            results["silence"].append(run(CONTROL, options.seconds))
            with computing(options.model):
                results["silence, computing"].append(run(CONTROL, options.seconds))
    minutes = turns * options.seconds / 60
    underruns = sum(turn["underruns"] for turn in results["cgrnn-live audio"])
    print(f"{minutes:g} minutes of each, turns of {options.seconds:g} s{', a core kept busy' * options.saturate}")
    print(f"underruns of our ring: {underruns}")
    for name, told in results.items():
        xruns = sum(turn["device_underflows"] for turn in told)
        print(f"{name:20}{xruns:6d} xruns{xruns / minutes:9.2f} a minute")
    sys.exit(0 if underruns == 0 else 1)


def run(program: str, *arguments: object) -> dict[str, Any]:
    """Return what a program in a process of its own printed."""
    line = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


@contextmanager
def computing(model: str | None) -> Iterator[None]:
    """Let the model compute as fast as its sound would play."""
    line = [sys.executable, "-c", COMPUTING, json.dumps(model)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
