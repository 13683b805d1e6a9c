"""The MIDI clock that is sent: on its own grid, whatever the frames are and however the player waits."""

import pytest

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.clock import MILLISECOND, SECOND, Arrival, Clock, OfflineClock
from cgrnn_live.ledger import NOTE_ON, Message
from cgrnn_live.loading import Sampling
from cgrnn_live.midi_clock import CLOCK, START, STOP, ClockFollower
from cgrnn_live.options import OptionError
from cgrnn_live.pulse import PulsingClock
from cgrnn_live.setup import Setup, clock_of
from stage import Stage, key


class Heard:
    """What is sent, with the time it belongs to and the time it was."""

    def __init__(self, time: Clock) -> None:
        self.time = time
        self.messages: list[tuple[int, int, Message]] = []

    def __call__(self, message: Message, at: int) -> None:
        self.messages.append((at, self.time.now(), message))


@pytest.mark.parametrize("bpm", [60, 97, 200])
@pytest.mark.parametrize("listens", [True, False])
def test_clocks_are_sent_when_they_are_due(bpm: float, listens: bool) -> None:
    time = OfflineClock(0.25, [key(at, 60, down=True) for at in range(100, 3_000, 37)])
    heard = Heard(time)
    stage = Stage(clock=PulsingClock(time, 60 * SECOND / bpm, heard), accompanies=listens)
    stage.player.run(16)
    assert heard.messages[0] == (0, 0, (START,))
    clocks = heard.messages[1:]
    assert {message for _, _, message in clocks} == {(CLOCK,)}
    period = 60 * SECOND / bpm / 24
    assert [at for at, _, _ in clocks] == [round(count * period) for count in range(len(clocks))]
    assert all(at == sent for at, sent, _ in clocks)
    assert len(clocks) == int(4 * SECOND / period) + 1
    assert len(stage.ons()) >= 16
    assert len(stage.monitored) > 50


def test_a_late_loop_sends_what_is_due_and_is_back_on_the_grid() -> None:
    time = OfflineClock(0.25)
    heard = Heard(time)
    clock = PulsingClock(time, 480 * MILLISECOND, heard)  # a clock each 20 ms
    clock.start()
    clock.wait(10 * MILLISECOND)
    time.wait(75 * MILLISECOND)  # the player did something else
    clock.wait(105 * MILLISECOND)
    sent = [sent // MILLISECOND for _, sent, message in heard.messages if message == (CLOCK,)]
    assert sent == [0, 75, 75, 75, 80, 100]
    clock.end(110)
    assert heard.messages[-1] == (110, 105 * MILLISECOND, (STOP,))


def test_what_arrives_is_returned_between_clocks() -> None:
    time = OfflineClock(0.25, [Arrival(33 * MILLISECOND, (NOTE_ON, 60, 1))])
    clock = PulsingClock(time, 480 * MILLISECOND, Heard(time))
    clock.start()
    assert clock.wait(SECOND) == Arrival(33 * MILLISECOND, (NOTE_ON, 60, 1))
    assert clock.now() == 33 * MILLISECOND


def test_without_a_start_there_is_no_stop() -> None:
    time = OfflineClock(0.25)
    heard = Heard(time)
    PulsingClock(time, SECOND, heard).end(5)
    assert heard.messages == []


def test_who_follows_it_has_the_tempo() -> None:
    time = OfflineClock(0.25)
    heard = Heard(time)
    Stage(clock=PulsingClock(time, 60 * SECOND / 97, heard)).player.run(40)
    follower = ClockFollower()
    for _, sent, message in heard.messages:
        follower.hear(sent, message)
    assert follower.bpm == pytest.approx(97)
    assert follower.position == len(heard.messages) - 2


def test_a_clock_that_comes_in_is_not_sent_on() -> None:
    setup = Setup(port="x", sampling=Sampling(1), sync="midi", clock_out=True)
    with pytest.raises(OptionError, match="let others follow the clock that comes in"):
        clock_of(setup, FrameSpec(0.25), OfflineClock(0.25), lambda message, at: None)
