"""Thirty random runs through JACK, each with an end that comes in the middle of it; after each no note sounds.

Modes, notes, controls, a song's transport, ports that go and come back, an engine that fails, signals. A run that fails
while the server was late, and so lost messages, is repeated. SIGKILL is not among the ends: after it nobody is left to
end a note.
"""

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hands import finish, output_into
from jack import JackServer, while_none_is_late

pytestmark = pytest.mark.jack

RUNS = 30
TRIES = 6
LONGEST = 12.0
"""Seconds that a run may take which ends by itself."""
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
START, CONTINUE, STOP, CLOCK, POSITION = 0xFA, 0xFB, 0xFC, 0xF8, 0xF2
CLOCK_SECONDS = 60 / 140 / 24

MODES = ["free", "continue", "accompany"]
ENDS = ["SIGTERM", "SIGINT", "SIGHUP", "duration", "crash"]
LOSSES = ["", "output", "input", "", "output for good", "both"]

HEEDING = "import signal\nfor n in (signal.SIGHUP, signal.SIGINT): signal.signal(n, signal.default_int_handler)\n"
CRASHING = """
import cgrnn_live.engine

class Crashing(cgrnn_live.engine.Engine):
    calls = 0

    def sample(self, *arguments):
        self.count()
        return super().sample(*arguments)

    def advance(self, *arguments):
        self.count()
        return super().advance(*arguments)

    def count(self):
        Crashing.calls += 1
        if Crashing.calls == {calls}:
            raise ArithmeticError("injected")

cgrnn_live.engine.Engine = Crashing
"""


@dataclass
class Plan:
    """A run: what is given on the command line, what happens in it when, and how it ends.

    seconds: from the first word on standard error to the end, or the longest that may take. events: (seconds, what),
    sorted; what is a message, or a port that goes ("-output") or comes back ("+output").
    """

    mode: str
    end: str
    loss: str
    has_keyboard: bool
    is_synced: bool
    calls: int
    seconds: float
    events: list[tuple[float, tuple[int, ...] | str]] = field(default_factory=list[tuple[float, tuple[int, ...] | str]])

    @classmethod
    def of(cls, number: int) -> "Plan":
        """Draw the plan of a run; each end meets each mode, and each loss each end."""
        rng = random.Random(number)
        mode, end, loss = MODES[number % 3], ENDS[number % 5], LOSSES[number % 6] if number % 2 else LOSSES[number // 5]
        plan = cls(
            mode,
            end,
            loss,
            has_keyboard=loss in ("input", "both") or rng.random() < 0.3,
            is_synced=rng.random() < 0.3 and end != "crash",
            calls=1 if mode == "continue" else rng.randint(1, 3),
            seconds=rng.uniform(0.6, 1.4) + (0.6 if loss else 0.0),
        )
        at = 0.1
        while at < plan.seconds:
            pitch = rng.randrange(36, 90)
            plan.events += [(at, (NOTE_ON, pitch, 90)), (at + rng.expovariate(4.0), (NOTE_OFF, pitch, 0))]
            at += rng.expovariate(5.0)
        for _ in range(rng.randrange(4)):
            any_mode = (PROGRAM, rng.randrange(4))
            control = (CONTROL, rng.choice([1, 64, 120, 123]), rng.randrange(128))
            plan.events.append(
                (rng.uniform(0.3, plan.seconds), control if end == "crash" else rng.choice([any_mode, control]))
            )
        if plan.is_synced:
            plan.events.append((0.05, (START,)))
            if rng.random() < 0.5:
                at = rng.uniform(0.3, plan.seconds)
                again = [(POSITION, rng.randrange(64), 0), (CONTINUE,)]
                plan.events += [(at, (STOP,)), *((at + 0.2, message) for message in again)]
        for port in ("output", "input"):
            if port in loss or loss == "both":
                at = rng.uniform(0.3, 0.6)
                plan.events.append((at, f"-{port}"))
                if not loss.endswith("for good"):
                    plan.events.append((at + rng.uniform(0.25, 0.5), f"+{port}"))
        plan.events.sort(key=lambda event: event[0])
        return plan


class Stand:
    """What is around the instrument: who listens, and whose hands play; their ports go and come."""

    def __init__(self, listen: Callable[[], Any], plug: Callable[[], Any] | None) -> None:
        self._listen, self._plug = listen, plug
        self.ear: Any = listen()
        self._keyboard: Any = plug() if plug else None
        self._hand: Any = None

    def begin(self) -> None:
        if self._plug is None:
            self._hand = output_into("cgrnn-live in")

    def do(self, what: tuple[int, ...] | str) -> None:
        if what == "-output":
            self.ear.close()
            self.ear = None
        elif what == "+output":
            self.ear = self._listen()
        elif what == "-input" and self._keyboard is not None:
            self._keyboard.close()
            self._keyboard = None
        elif what == "+input" and self._plug is not None:
            self._keyboard = self._plug()
        elif not isinstance(what, str):
            if self._hand is not None:
                self._hand.send_message(what)
            elif self._keyboard is not None:
                self._keyboard.send(*what)

    def close(self) -> None:
        if self._hand is not None:
            self._hand.close_port()
            self._hand.delete()
        for port in (self.ear, self._keyboard):
            if port is not None:
                port.close()


def run(plan: Plan, stand: Stand, start: Callable[..., Any]) -> set[int]:
    """Play ``plan`` and return the pitches that still sound where somebody listens."""
    line: list[object] = ["--port", "daw track", "--mode", plan.mode, "--seed", 3, "--json"]
    line += ["--input", "keyboard keys"] if plan.has_keyboard else []
    line += ["--sync", "midi", "--bpm", 140] if plan.is_synced else []
    line += ["--duration", round(plan.seconds, 2)] if plan.end == "duration" else []
    process = start(*line, preamble=CRASHING.format(calls=plan.calls) if plan.end == "crash" else HEEDING)
    assert "Playing into" in process.stderr.readline()
    stand.begin()
    began, clocks, events = time.monotonic(), 0, list(plan.events)
    patience = plan.seconds if plan.end.startswith("SIG") else LONGEST
    while process.poll() is None and time.monotonic() < began + patience:
        now = time.monotonic() - began
        while events and events[0][0] <= now:
            stand.do(events.pop(0)[1])
        while plan.is_synced and clocks * CLOCK_SECONDS <= now:
            stand.do((CLOCK,))
            clocks += 1
        time.sleep(0.005)
    if plan.end.startswith("SIG"):
        assert process.poll() is None, "it ended by itself"
        process.send_signal(getattr(signal, plan.end))
    else:
        assert process.poll() is not None, "it has not ended"
    code, printed, err = finish(process)
    time.sleep(0.15)
    assert "Traceback" not in err
    if plan.end == "crash":
        assert (code, printed) == (1, "")
        assert err.splitlines()[-1].startswith("cgrnn-live: a fault of ours: ArithmeticError: injected")
    else:
        assert code == 0, err
        summary = json.loads(printed)
        assert summary["notes"] > 0 or plan.mode == "continue" or plan.is_synced
        for port in ("output", "input"):
            is_lost = any(what == f"-{port}" for _, what in plan.events)
            assert (f"The MIDI {port}" in err and "has gone" in err) or not is_lost
    return stand.ear.sounding() if stand.ear is not None else set()


@pytest.mark.parametrize("number", range(RUNS))
def test_after_a_random_run_no_note_sounds(
    number: int,
    jackd: JackServer,
    ears: Callable[[], Any],
    keyboards: Callable[[], Any],
    start: Callable[..., Any],
) -> None:
    plan = Plan.of(number)

    def play() -> None:
        stand = Stand(ears, keyboards if plan.has_keyboard else None)
        try:
            hanging = run(plan, stand, start)
        finally:
            stand.close()
        assert not hanging, plan

    while_none_is_late(jackd, play, TRIES)
