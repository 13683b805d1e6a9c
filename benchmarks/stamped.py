"""`cgrnn-live` as ever, but that it writes down when what came in and what went out: for the scripts beside this one.

    python benchmarks/stamped.py LOG [options of cgrnn-live]

A line of the log is a word and integers. Times are of `perf_counter_ns`, which under Linux is CLOCK_MONOTONIC: one axis
for all processes of a machine.

    grid D0 D1           when frames 0 and 1 are due
    heard AT BYTES...    a message that came in, at the input's callback
    sent AT BYTES...     a message, at the call that sends it
    frame AT LATE N UTC  frame N (those that were dropped count) at its entry in the report, how late it was sent, and
                         the time of CLOCK_REALTIME

Each line is one call to the system, made after the message was sent, so that the log delays nothing that it measures
by more than some microseconds, and no memory grows.
"""

from __future__ import annotations

import os
import sys
import time

from cgrnn_live import ports
from cgrnn_live.cli import main
from cgrnn_live.clock import Arrival, InternalClock
from cgrnn_live.lateness import Report
from cgrnn_live.ledger import Message

LOG = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def write(word: str, *numbers: int) -> None:
    """Add a line to the log."""
    os.write(LOG, f"{word} {' '.join(map(str, numbers))}\n".encode())


def stamped_arrival(at: int, message: Message) -> Arrival:
    """What an input makes of each message that comes in."""
    write("heard", at, *message)
    return Arrival(at, message)


def stamped_send(self: ports.Output, message: Message) -> None:
    """What sends each message."""
    at = time.perf_counter_ns()
    plain_send(self, message)
    write("sent", at, *message)


def stamped_add(self: Report, lateness: int) -> None:
    """What enters each frame in the report."""
    plain_add(self, lateness)
    write("frame", time.perf_counter_ns(), lateness, self.frames + self.dropped - 1, time.time_ns())


def stamped_start(self: InternalClock) -> None:
    """What fixes the grid."""
    plain_start(self)
    write("grid", self.due(0), self.due(1))


plain_send, plain_add, plain_start = ports.Output.send, Report.add, InternalClock.start
ports.Arrival = stamped_arrival
ports.Output.send = stamped_send
Report.add = stamped_add
InternalClock.start = stamped_start

if __name__ == "__main__":
    main()
