"""The real-time loop on the offline clock: exact event lists, from an improviser whose work takes a set time.

Where the two clocks differ, in what arrives while one waits, the loop runs on the internal one.
"""

import threading
import time
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_live.clock import MILLISECOND, Arrival, InternalClock, OfflineClock
from cgrnn_live.engine import Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Ledger, Message
from cgrnn_live.listener import Listener, Turns
from cgrnn_live.player import Frame, Player

FRAME_NS = 250 * MILLISECOND
ENDING = [(CONTROL, SUSTAIN, 0), (CONTROL, ALL_NOTES_OFF, 0)]
EVIDENCE = Evidence.build()


def chord(*pitches: int) -> Frame:
    return np.isin(np.arange(PITCHES), pitches)


def pitches(frame: Frame) -> list[int]:
    return np.flatnonzero(frame).tolist()


class Scripted:
    """Plays pitch 60, 61, 62, ..., each for a frame; remembers what it heard; takes the time it is told to."""

    def __init__(
        self, clock: OfflineClock | InternalClock, cost: Callable[[int, int], int] = lambda call, sweeps: 0
    ) -> None:
        self.clock = clock
        self.cost = cost
        self.heard: list[list[int]] = []
        self.sweeps: list[int | None] = []

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        call = len(self.sweeps)
        self.sweeps.append(sweeps)
        if cost := self.cost(call, sweeps or 0):
            until = self.clock.now() + cost
            while self.clock.wait(until):
                pass
        return chord(60 + call)

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
        model_begins: bool = True,
        clock: InternalClock | None = None,
    ) -> None:
        self.clock = clock or OfflineClock(0.25, arrivals)
        self.improviser = Scripted(self.clock, cost)
        self.sent: list[tuple[float, Message]] = []
        self.monitored: list[tuple[Message, int]] = []
        self.player = Player(
            self.improviser,
            EVIDENCE,
            self.clock,
            Ledger(lambda message, at: self.sent.append((self.clock.now() / MILLISECOND, message))),
            Effort(10),
            prompt=list(prompt),
            turns=Turns(model_plays=model_begins, patience=4) if listens else None,
            listener=Listener(FrameSpec(0.25)) if listens else None,
            monitor=lambda message, at: self.monitored.append((message, at)),
        )

    def ons(self) -> list[tuple[float, int]]:
        return [(at, message[1]) for at, message in self.sent if message[0] == NOTE_ON]

    def offs(self) -> list[tuple[float, int]]:
        return [(at, message[1]) for at, message in self.sent if message[0] == NOTE_OFF]


def key(milliseconds: float, pitch: int, *, down: bool) -> Arrival:
    return Arrival(round(milliseconds * MILLISECOND), (NOTE_ON if down else NOTE_OFF, pitch, 64 if down else 0))


def test_frames_are_sent_on_the_grid_and_every_note_is_ended() -> None:
    stage = Stage()
    report = stage.player.run(3)
    assert stage.sent == [
        (0.0, (NOTE_ON, 60, 80)),
        (250.0, (NOTE_OFF, 60, 0)),
        (250.0, (NOTE_ON, 61, 80)),
        (500.0, (NOTE_OFF, 61, 0)),
        (500.0, (NOTE_ON, 62, 80)),
        (750.0, (NOTE_OFF, 62, 0)),
        *[(750.0, message) for message in ENDING],
    ]
    assert (report.frames, report.late, report.reduced, report.held, report.dropped) == (3, 0, 0, 0, 0)
    assert list(report.lateness) == [0, 0, 0]


def test_the_model_hears_each_frame_that_it_played() -> None:
    stage = Stage()
    stage.player.run(4)
    assert stage.improviser.heard == [[60], [61], [62]]


def test_the_prompt_is_played_and_heard_first() -> None:
    stage = Stage(prompt=[chord(40), chord(41)])
    stage.player.run(3)
    assert stage.ons() == [(0.0, 40), (250.0, 41), (500.0, 60)]
    assert stage.improviser.heard == [[40], [41]]


# ---- every way out


@pytest.mark.parametrize("error", [ValueError("a fault"), KeyboardInterrupt(), SystemExit(3)])
def test_every_note_is_ended_when_the_improviser_fails(error: BaseException) -> None:
    def fail(call: int, sweeps: int) -> int:
        if call == 2:
            raise error
        return 0

    stage = Stage(cost=fail)
    with pytest.raises(type(error)):
        stage.player.run(10)
    assert [pitch for _, pitch in stage.ons()] == [60, 61]
    assert [pitch for _, pitch in stage.offs()] == [60, 61]
    assert [message for _, message in stage.sent[-2:]] == ENDING


def test_every_note_is_ended_when_stopped() -> None:
    def stop(call: int, sweeps: int) -> int:
        if call == 2:
            stage.player.stop()
        return 0

    stage = Stage(cost=stop)
    stage.player.run()
    assert [pitch for _, pitch in stage.ons()] == [60, 61]
    assert [pitch for _, pitch in stage.offs()] == [60, 61]


# ---- lateness


def test_a_slow_improviser_gets_fewer_sweeps_and_stays_on_time() -> None:
    stage = Stage(cost=lambda call, sweeps: sweeps * 40 * MILLISECOND)  # ten sweeps would take 400 ms
    report = stage.player.run(20)
    settled = list(report.lateness)[5:]
    assert max(settled) == 0
    assert all(1 <= (sweeps or 0) <= 6 for sweeps in stage.improviser.sweeps[5:])
    assert report.reduced >= 15


def test_a_frame_that_is_not_ready_in_time_is_held() -> None:
    stage = Stage(cost=lambda call, sweeps: 400 * MILLISECOND if call == 1 else 0)
    report = stage.player.run(4)
    assert report.held == 1
    assert stage.ons()[:2] == [(0.0, 60), (500.0, 62)]  # 61 came 150 ms late, and 60 sounded on
    assert stage.improviser.heard[:2] == [[60], [60]]


def test_a_frame_a_little_late_is_played_late_and_counted() -> None:
    stage = Stage(cost=lambda call, sweeps: 270 * MILLISECOND if call == 1 else 0)
    report = stage.player.run(3)
    assert (report.late, report.held) == (1, 0)
    assert stage.ons() == [(0.0, 60), (270.0, 61), (500.0, 62)]
    assert report.lateness[1] == 20 * MILLISECOND


def test_frames_whose_time_has_passed_are_dropped_and_the_grid_is_kept() -> None:
    stage = Stage(cost=lambda call, sweeps: 1_100 * MILLISECOND if call == 1 else 0)
    report = stage.player.run(8)
    assert report.dropped == 3
    assert report.frames + report.dropped == 8
    assert all(at % 250 == 0 for at, pitch in stage.ons() if pitch != 61)
    assert stage.sent[-1][0] == 2000.0


def test_the_effort_recovers_after_one_slow_frame() -> None:
    # so slow that by its measure not one sweep would fit any more
    stage = Stage(cost=lambda call, sweeps: 6_000 * MILLISECOND if call == 1 else MILLISECOND)
    report = stage.player.run(90)
    assert report.dropped == 23
    assert stage.improviser.sweeps[-1] == 10
    assert len(stage.improviser.sweeps) > 60


# ---- taking turns


def test_continue_waits_for_a_phrase_then_takes_over_after_silence() -> None:
    arrivals = [key(600, 50, down=True), key(740, 50, down=False), key(760, 52, down=True), key(900, 52, down=False)]
    stage = Stage(arrivals, listens=True, model_begins=False)
    stage.player.run(12)
    # The last note ends in the interval that closes at 980; four silent ones close until 1980; frame 8 is the model's.
    assert stage.ons()[0] == (2000.0, 60)
    assert stage.improviser.heard[:3] == [[50], [52], [60]]
    assert stage.monitored[0] == ((NOTE_ON, 50, 64), 600 * MILLISECOND)


def test_continue_never_begins_without_a_phrase() -> None:
    stage = Stage(listens=True, model_begins=False)
    stage.player.run(40)
    assert stage.ons() == []
    assert stage.improviser.heard == []


def test_the_model_yields_at_once_and_hears_the_pause_that_the_player_plays_through() -> None:
    arrivals = [key(300, 50, down=True), key(400, 50, down=False), key(900, 55, down=True), key(950, 55, down=False)]
    stage = Stage(arrivals, listens=True)
    stage.player.run(6)
    assert stage.ons() == [(0.0, 60), (250.0, 61)]
    assert stage.offs() == [(250.0, 60), (300.0, 61)]
    assert stage.improviser.heard == [[60], [50, 61], [], [55]]


def test_a_note_just_before_the_deadline_still_stops_the_frame_that_was_chosen() -> None:
    stage = Stage([key(490, 50, down=True)], listens=True)
    stage.player.run(4)
    assert stage.ons() == [(0.0, 60), (250.0, 61)]


class Keyboard(InternalClock):
    """The internal clock, and a hand that plays one note of 50 ms on the grid of frames of 100 ms."""

    def __init__(self, offset: int) -> None:
        """Begin it ``offset`` milliseconds after frame 2 is due."""
        super().__init__(0.1)
        self.offset = offset

    def start(self) -> None:
        super().start()
        for after, down in ((0, True), (50, False)):
            arrival = key((self.due(2) / MILLISECOND) + self.offset + after, 50, down=down)
            threading.Timer((arrival.at - self.now()) / 1e9, self.inbox.put, [arrival]).start()


@pytest.mark.parametrize("offset", [-60, -37, -30, -23, -10, 5])
def test_a_short_note_is_heard_once_wherever_it_falls(offset: int) -> None:
    stage = Stage(listens=True, model_begins=False, clock=Keyboard(offset))
    stage.player.run(6)
    assert stage.improviser.heard == [[50]]


def test_a_note_in_the_last_stretch_of_a_wait_still_stops_the_frame_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = InternalClock(0.1)
    stage = Stage(listens=True, clock=clock)
    sleep = time.sleep
    notes = [Arrival(0, (NOTE_ON, 50, 64))]

    def play(seconds: float) -> None:
        sleep(seconds)
        if notes and clock.now() > clock.due(2) - 10 * MILLISECOND:
            clock.inbox.put(notes.pop()._replace(at=clock.now()))

    monkeypatch.setattr(time, "sleep", play)
    stage.player.run(4)
    assert [pitch for _, pitch in stage.ons()] == [60, 61]


def test_stopping_does_not_wait_for_the_end_of_a_long_frame() -> None:
    class Stopped(InternalClock):
        """A signal comes while the loop waits for the cut-off of frame 1."""

        def wait(self, until: int) -> Arrival | None:
            if until > self.due(0) and not stops:
                stops.append(until)
                stage.player.stop()
            return super().wait(until)

    stops: list[int] = []
    clock = Stopped(5.0)
    stage = Stage(listens=True, clock=clock)
    stage.player.run()
    assert clock.now() < clock.due(1)
    assert not stage.player.report.held
    assert stage.offs()


def test_the_player_ends_the_prompt() -> None:
    stage = Stage(
        [key(300, 50, down=True), key(400, 50, down=False)], listens=True, prompt=[chord(40 + n) for n in range(20)]
    )
    stage.player.run(12)
    assert [pitch for _, pitch in stage.ons()][:3] == [40, 41, 60]


def test_alone_the_model_plays_on_through_notes_that_are_only_monitored() -> None:
    stage = Stage([key(300, 50, down=True)])
    stage.player.run(3)
    assert [pitch for _, pitch in stage.ons()] == [60, 61, 62]
    assert stage.improviser.heard == [[60], [61]]
    assert stage.monitored == [((NOTE_ON, 50, 64), 300 * MILLISECOND)]
