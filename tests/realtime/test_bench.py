import numpy as np
import pytest

from cgrnn_live.bench import hits, judge, lines, most_sweeps, spread, ways
from cgrnn_live.clock import MILLISECOND, Arrival
from cgrnn_live.lateness import Report
from cgrnn_live.ledger import CONTROL
from stage import Stage


def report(*lateness_ms: float, **counts: int) -> Report:
    made = Report()
    for lateness in lateness_ms:
        made.add(round(lateness * MILLISECOND))
    for name, count in counts.items():
        setattr(made, name, count)
    return made


def deadlines(ours: Report, bare: Report | None = None):
    return {**hits(ours), "bare_loop": hits(report(0.1) if bare is None else bare)}


def steps(draw: float, step: float):
    return {
        name: {"p50": 0.1, "p99": step, "max": 99.0, "draw": {"p50": 0.1, "p99": draw, "max": 99.0}}
        for name in ("warm", "cold")
    }


def test_hits_are_shares_of_the_frames_that_were_due() -> None:
    found = hits(report(0.1, 0.9, 1.0, 1.1, 9.0, 10.5, held=1, dropped=2))
    assert found["within_1_ms"] == 3 / 8
    assert found["kept"] == 4 / 8
    assert (found["frames"], found["late"], found["held"], found["dropped"]) == (6, 1, 1, 2)
    assert found["lateness_ms"]["max"] == 10.5


def test_a_player_that_is_quick_keeps_every_frame_and_one_that_is_not_loses_some() -> None:
    quick = Stage()
    quick.player.run(20)
    assert hits(quick.player.report)["kept"] == hits(quick.player.report)["within_1_ms"] == 1.0
    slow = Stage(cost=lambda call, sweeps: 300 * MILLISECOND if call == 5 else 0)
    slow.player.run(20)
    assert hits(slow.player.report)["kept"] < 1.0


def test_no_frame_at_all_is_no_hit() -> None:
    found = hits(report())
    assert (found["within_1_ms"], found["kept"]) == (0.0, 0.0)


def test_as_many_sweeps_fit_as_the_time_before_a_deadline_holds() -> None:
    assert most_sweeps(steps(draw=1.0, step=2.0), sweeps=10, frame_seconds=0.25) == 180  # of 20 - 1 - 1 ms, 0.1 each
    assert most_sweeps(steps(draw=1.0, step=1.0), sweeps=10, frame_seconds=0.02) == 90  # half a frame is less
    assert most_sweeps(steps(draw=1.0, step=50.0), sweeps=10, frame_seconds=0.25) == 0
    slow_when_warm = steps(draw=1.0, step=2.0)
    slow_when_warm["warm"] = steps(draw=2.0, step=3.0)["warm"]
    assert most_sweeps(slow_when_warm, sweeps=10, frame_seconds=0.25) == 90


@pytest.mark.parametrize(
    ("ours", "bare", "most", "says"),
    [
        (report(0.1, 0.2), report(0.1), 90, "This machine keeps every frame; use --gibbs 90 at most."),
        (report(0.1, 2.0, 9.9), report(0.1), 90, "This machine keeps every frame; use --gibbs 90 at most."),
        (
            report(0.1, 0.2, reduced=1),
            report(0.1),
            7,
            "This machine keeps every frame, 1 of 2 with fewer sweeps; use --gibbs 7 at most.",
        ),
        (
            report(0.1, 20.0, dropped=1),
            report(0.1, 0.1, 0.1),
            7,
            "This machine was too late for 2 of 3 frames; use --gibbs 7 at most.",
        ),
        (
            report(0.1, 0.1, held=2),
            report(0.1, 0.1),
            0,
            "This machine was too late for 2 of 2 frames; even --gibbs 1 is slow here: take a smaller model.",
        ),
        (
            report(0.1, 20.0),
            report(0.1, 11.0),
            7,
            "This machine was too late for 1 of 2 frames, and so was a loop that only waits (1): "
            "something else has the processor; end that.",
        ),
    ],
)
def test_the_judgement(ours: Report, bare: Report, most: int, says: str) -> None:
    assert judge(deadlines(ours, bare), most) == says


def test_ways_are_by_what_came_first_and_what_never_came_is_lost() -> None:
    def back(number: int, at_ms: float) -> Arrival:
        return Arrival(round(at_ms * MILLISECOND), (CONTROL | 15, 102, number))

    sent = [n * 10 * MILLISECOND for n in range(4)]
    found = ways(sent, [back(0, 3.0), back(2, 25.0), back(2, 29.0), back(3, 34.0)])
    assert (found["messages"], found["lost"]) == (4, 1)
    assert found["p50"] == 4.0
    assert found["max"] == 5.0
    assert found["jitter"] == pytest.approx(2 * 0.98, abs=1e-3)  # between hundredths, of three that are 1 ms apart


def test_if_nothing_comes_back_that_is_said() -> None:
    assert ways([1, 2, 3], []) == {"missing": "None of 3 messages came back through the MIDI system."}


def test_people_read_the_same_figures() -> None:
    found = {
        "gibbs": 25,
        "frame_seconds": 0.25,
        "step_ms": steps(draw=1.0, step=2.5),
        "deadlines": deadlines(report(0.1, 0.2)),
        "midi": {"api": "jack", **spread([MILLISECOND]), "jitter": 0.5, "messages": 128, "lost": 3},
        "judgement": "Well.",
    }
    text = "\n".join(lines(found))
    for figure in ("25 sweeps", "p99 2.500", "2 frames of 0.25 s", "100.0%", "jitter 0.500", "3 of 128", "Well."):
        assert figure in text
    found["midi"] = {"api": None, "missing": "No MIDI system answers."}
    assert "MIDI: No MIDI system answers." in lines(found)


def test_spread_is_in_milliseconds() -> None:
    assert spread(np.arange(0, 101 * MILLISECOND, MILLISECOND).tolist()) == {"p50": 50.0, "p99": 99.0, "max": 100.0}
