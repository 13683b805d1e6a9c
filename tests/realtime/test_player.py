"""The real-time loop on the offline clock: exact event lists, from an improviser whose work takes a set time."""

import pytest

from cgrnn_live.clock import MILLISECOND
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN
from stage import Stage, chord

FRAME_NS = 250 * MILLISECOND
ENDING = [(CONTROL, SUSTAIN, 0), (CONTROL, ALL_NOTES_OFF, 0)]


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
