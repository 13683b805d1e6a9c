"""Whether the JACK server is late because of messages that come into `cgrnn-live`: all other programs then are, too.

    python benchmarks/input_xruns.py [--rounds 8] [--seconds 20] [--period 128] [--model NAME|PATH]

Starts a dummy server of its own, and on it the command at a terminal of 160 by 50. In each round nothing is sent into
its input for a while, then 200 messages a second, about what a wheel sends. Prints how often the server said that a
client was late, by round and in the median.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time

from jack_server import ear, own_server
from live_view import start
from partner import PARTNER, Human

MESSAGES_A_SECOND = 200
PRESSURE = (0xA0, 60, 1)
KINDS = {"nothing comes": False, "messages come": True}


def main() -> None:
    """Play, send, and print what the server said."""
    parser = argparse.ArgumentParser(description="Xruns by what comes into an input.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--period", type=int, default=128)
    parser.add_argument("--model", default="")
    options = parser.parse_args()
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryFile() as said, own_server(options.period, said.fileno()), ear():
        process = start((50, 160), 2 * options.rounds * options.seconds + 30, options.model)
        human = Human()
        send = human.hand(PARTNER)
        time.sleep(2.0)  # until it has begun
        for _ in range(options.rounds):
            for kind, is_sent in KINDS.items():
                before = xruns(said.fileno())
                begin = time.monotonic()
                for count in range(round(options.seconds * MESSAGES_A_SECOND)):
                    time.sleep(max(0.0, begin + count / MESSAGES_A_SECOND - time.monotonic()))
                    if is_sent:
                        send(PRESSURE)
                found[kind].append(xruns(said.fileno()) - before)
        process.terminate()
        process.wait()
        human.close()
    for kind, counts in found.items():
        rounds = " ".join(f"{count:3d}" for count in counts)
        print(f"{kind}: {rounds}   median {statistics.median(counts):g} in {options.seconds:g} s")


def xruns(said: int) -> int:
    """Return how often the server has said that a client was late."""
    return os.pread(said, os.fstat(said).st_size, 0).count(b"was not finished")


if __name__ == "__main__":
    main()
