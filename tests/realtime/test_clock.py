import threading
import time

import pytest

from cgrnn_live.clock import MILLISECOND, START_LEAD, Arrival, InternalClock, OfflineClock, Stopped

NOTE = (0x90, 60, 80)


@pytest.mark.parametrize("seconds", [0.25, 1 / 3, 60 / 97 / 2])
def test_deadlines_do_not_drift(seconds: float) -> None:
    clock = InternalClock(seconds)
    clock.start()
    frames = 10_000_000
    elapsed = clock.due(frames) - clock.due(0)
    assert abs(elapsed - frames * seconds * 1e9) < 500  # float64 holds 2.5e15 ns to half a nanosecond


def test_frame_0_is_due_shortly_after_start() -> None:
    clock = InternalClock(0.25)
    before = clock.now()
    clock.start()
    assert before + START_LEAD <= clock.due(0) <= clock.now() + START_LEAD


def test_waiting_ends_at_the_deadline_and_never_before() -> None:
    clock = InternalClock(0.25)
    until = clock.now() + 100 * MILLISECOND
    assert clock.wait(until) is None
    assert clock.now() >= until


def test_waiting_for_the_past_returns_at_once_but_what_has_arrived_comes_first() -> None:
    clock = InternalClock(0.25)
    arrival = Arrival(1, NOTE)
    clock.inbox.put(arrival)
    assert clock.wait(0) == arrival
    assert clock.wait(0) is None


def test_an_arrival_ends_the_wait() -> None:
    clock = InternalClock(0.25)
    arrival = Arrival(1, NOTE)
    threading.Timer(0.01, clock.inbox.put, [arrival]).start()
    assert clock.wait(clock.now() + 60_000 * MILLISECOND) == arrival


def test_what_arrives_in_the_last_stretch_is_not_left_for_the_next_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = InternalClock(0.25)
    arrival = Arrival(1, NOTE)
    sleep = time.sleep

    def play(seconds: float) -> None:
        sleep(seconds)
        clock.inbox.put(arrival)

    monkeypatch.setattr(time, "sleep", play)
    assert clock.wait(clock.now() + 5 * MILLISECOND) == arrival


def test_stopping_ends_the_wait() -> None:
    clock = InternalClock(0.25)
    threading.Timer(0.01, clock.stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        clock.wait(clock.now() + 60_000 * MILLISECOND)
    assert time.monotonic() - began < 30


def test_what_came_before_a_stop_is_returned_before_it() -> None:
    clock = InternalClock(0.25)
    clock.inbox.put(Arrival(1, NOTE))
    clock.stop()
    assert clock.wait(0) == Arrival(1, NOTE)
    with pytest.raises(Stopped):
        clock.wait(0)


def test_the_offline_clock_jumps_to_arrivals_then_to_the_deadline() -> None:
    arrivals = [Arrival(10, NOTE), Arrival(20, NOTE), Arrival(90, NOTE)]
    clock = OfflineClock(1e-7, arrivals)  # 100 ns a frame
    assert clock.now() < 0
    assert clock.wait(50) == arrivals[0]
    assert clock.now() == 10
    assert clock.wait(50) == arrivals[1]
    assert clock.wait(50) is None
    assert clock.now() == 50
    assert clock.wait(clock.due(1)) == arrivals[2]
    assert clock.wait(clock.due(1)) is None
    assert clock.now() == 100
