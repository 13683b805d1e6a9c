"""Ports that are closed at the very moment at which something goes through them."""

import subprocess
import sys

import pytest

from jack import JackServer

pytestmark = pytest.mark.jack

CLOSED_IN_A_FLOOD = """
import time
from cgrnn_live.ports import Input, Output

FLOOD = 300

cut_off = 0
for _ in range(20):
    heard = []
    ear = Input(heard.append, "jack")
    hand = Output("cgrnn-live in", "jack")
    for _ in range(FLOOD):
        hand.send((0x90, 60, 1))
    deadline = time.monotonic() + 5.0
    while not heard:
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    for _ in range(FLOOD):
        hand.send((0x90, 60, 1))
    ear.close()
    cut_off += len(heard) < 2 * FLOOD
    hand.close()
assert cut_off, "nothing was on its way"
"""


def test_an_input_is_closed_while_messages_come(jackd: JackServer) -> None:
    line = [sys.executable, "-c", CLOSED_IN_A_FLOOD]
    done = subprocess.run(line, env=jackd.variables, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
