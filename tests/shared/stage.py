"""A player on a clock of choice, an improviser that plays a script, and what they sent: for the tests of the loop."""

from collections.abc import Callable, Iterable

import numpy as np

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_live.clock import MILLISECOND, Arrival, Clock, OfflineClock
from cgrnn_live.engine import Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON, Ledger, Message
from cgrnn_live.listener import Listener
from cgrnn_live.player import Frame, Player
from cgrnn_live.roles import Accompaniment, Role, Turns
from cgrnn_live.sampler import ON

EVIDENCE = Evidence.build()


def chord(*pitches: int) -> Frame:
    return np.isin(np.arange(PITCHES), pitches)


def pitches(frame: Frame) -> list[int]:
    return np.flatnonzero(frame).tolist()


class Scripted:
    """Plays pitch 60, 61, ... 123, 60, ..., each for a frame; remembers what it heard; takes the time it is told to."""

    def __init__(self, clock: Clock, cost: Callable[[int, int], int] = lambda call, sweeps: 0) -> None:
        self.clock = clock
        self.cost = cost
        self.heard: list[list[int]] = []
        self.sweeps: list[int | None] = []
        self.held: list[list[int]] = []

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        call = len(self.sweeps)
        self.held.append(pitches(evidence.clamp == ON))
        self.sweeps.append(sweeps)
        if cost := self.cost(call, sweeps or 0):
            until = self.clock.now() + cost
            while self.clock.wait(until):
                pass
        return chord(60 + call % 64) | (evidence.clamp == ON)

    def advance(self, heard: Frame) -> None:
        self.heard.append(pitches(heard))


class Stage:
    """A player on an offline clock, and what it sent: (milliseconds, message)."""

    def __init__(
        self,
        arrivals: Iterable[Arrival] = (),
        *,
        cost: Callable[[int, int], int] = lambda call, sweeps: 0,
        prompt: Iterable[Frame] = (),
        listens: bool = False,
        accompanies: bool = False,
        role: Role | None = None,
        has_input: bool = True,
        model_begins: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.clock: Clock = clock or OfflineClock(0.25, arrivals)
        self.improviser = Scripted(self.clock, cost)
        self.sent: list[tuple[float, Message]] = []
        self.monitored: list[tuple[Message, int]] = []
        if listens:
            role = Turns(model_plays=model_begins, patience=4)
        elif accompanies:
            role = Accompaniment(model_plays=model_begins)
        self.player = Player(
            self.improviser,
            EVIDENCE,
            self.clock,
            Ledger(lambda message, at: self.sent.append((self.clock.now() / MILLISECOND, message))),
            Effort(10),
            prompt=list(prompt),
            role=role,
            listener=Listener(FrameSpec(0.25)) if role and has_input else None,
            monitor=lambda message, at: self.monitored.append((message, at)),
        )

    def ons(self) -> list[tuple[float, int]]:
        return [(at, message[1]) for at, message in self.sent if message[0] == NOTE_ON]

    def offs(self) -> list[tuple[float, int]]:
        return [(at, message[1]) for at, message in self.sent if message[0] == NOTE_OFF]


def key(milliseconds: float, pitch: int, *, down: bool) -> Arrival:
    return Arrival(round(milliseconds * MILLISECOND), (NOTE_ON if down else NOTE_OFF, pitch, 64 if down else 0))


def turn(milliseconds: float, number: int, value: int) -> Arrival:
    return Arrival(round(milliseconds * MILLISECOND), (CONTROL, number, value))
