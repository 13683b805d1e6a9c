"""The loop when somebody plays along: on the offline clock.

Where the two clocks differ, in what arrives while one waits, it runs on the internal one.
"""

import threading
import time

import pytest

from cgrnn_live.clock import MILLISECOND, Arrival, InternalClock
from cgrnn_live.ledger import NOTE_ON
from stage import Stage, chord, key


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
    class Signalled(InternalClock):
        """A signal comes while the loop waits for the cut-off of frame 1."""

        def wait(self, until: int) -> Arrival | None:
            if until > self.due(0) and not stops:
                stops.append(until)
                stage.player.stop()
            return super().wait(until)

    stops: list[int] = []
    clock = Signalled(5.0)
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
