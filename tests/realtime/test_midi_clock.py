"""The follower of a MIDI clock, against clocks whose true times are known."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from cgrnn_live.midi_clock import CLOCK, CONTINUE, SONG_POSITION, START, STOP, ClockFollower

MS = 1_000_000
BAR = 96  # clocks


def steady(bpm: float, count: int, start: float = 0.0) -> np.ndarray:
    """The times of ``count`` clocks in ms."""
    return start + np.arange(count) * 60_000 / bpm / 24


def jitter(times: np.ndarray, most: float, seed: int = 0) -> np.ndarray:
    return np.sort(times + np.random.default_rng(seed).uniform(-most, most, len(times)))


def follow(follower: ClockFollower, times: Iterable[float]) -> list[float]:
    """Give it clocks at ``times`` (ms); return when it takes each to have been, in ms."""
    found = []
    for at in times:
        follower.hear(round(at * MS), (CLOCK,))
        found.append(follower.when(follower.position) / MS)
    return found


def started(bpm: float = 120.0) -> ClockFollower:
    follower = ClockFollower(bpm)
    follower.hear(0, (START,))
    return follower


@pytest.mark.parametrize("bpm", [60, 97, 120, 180, 200])
@pytest.mark.parametrize("expected", [60.0, 120.0])
def test_of_uneven_clocks_the_phase_errs_by_2_ms_after_two_bars(bpm: float, expected: float):
    errors = []
    for seed in range(5):
        true = steady(bpm, 40 * BAR, 100)
        follower = started(expected)
        found = follow(follower, jitter(true, 3.0, seed))
        errors.append(np.abs(np.array(found) - true)[2 * BAR :])
        assert follower.position == len(true) - 1
        assert follower.bpm == pytest.approx(bpm, rel=0.05)
    assert np.percentile(errors, 99) <= 2.0


def test_of_even_clocks_it_has_the_time_at_once():
    true = steady(97, 3 * BAR, 100)
    assert follow(started(), true) == pytest.approx(true, abs=1e-3)


@pytest.mark.parametrize("by", ["beat", "time"])
@pytest.mark.parametrize("most", [0.0, 3.0])
def test_a_ramp_from_60_to_180_in_eight_bars_stays_within_10_ms(by: str, most: float):
    beats = np.arange(8 * BAR + 1) / 24
    if by == "beat":  # the tempo rises evenly from beat to beat
        times = np.cumsum(np.concatenate([[0.0], 60_000 / 24 / (60 + 120 * (beats[1:] - 1 / 48) / 32)]))
    else:  # or evenly in time: beats = (60 t + rate t² / 2) / 60 s
        rate = 120 / (32 * 60_000 / 120)
        times = (np.sqrt(60**2 + 2 * rate * beats * 60_000) - 60) / rate
    true = np.concatenate([steady(60, 2 * BAR, 0), steady(60, 1, 60_000 * 8 / 60) + times])
    true = np.concatenate([true, steady(180, 2 * BAR + 1, true[-1])[1:]])
    follower = started(60)
    error = np.abs(np.array(follow(follower, jitter(true, most))) - true)
    assert error[2 * BAR :].max() <= 10.0
    assert follower.position == len(true) - 1
    assert error[-BAR:].max() <= 3.0


@pytest.mark.parametrize("bpm", [60, 120, 180])
def test_clocks_that_are_lost_for_half_a_second_are_counted_and_the_phase_is_back_in_a_bar(bpm: float):
    true = steady(bpm, 12 * BAR)
    heard = jitter(true, 3.0, seed=4)
    gone = (true > 4 * BAR * 60_000 / bpm / 24) & (true <= 4 * BAR * 60_000 / bpm / 24 + 500)
    follower = started(bpm)
    found = np.array(follow(follower, heard[~gone]))
    assert follower.position == len(true) - 1
    assert follower.lost == gone.sum()
    error = np.abs(found - true[~gone])
    assert error[4 * BAR + BAR :].max() <= 4.0
    assert np.percentile(error[4 * BAR + BAR :], 99) <= 2.0


def test_one_lost_clock_moves_nothing():
    true = steady(120, 8 * BAR)
    follower = started()
    found = follow(follower, np.delete(true, [300, 500, 501]))
    assert follower.position == len(true) - 1
    assert follower.lost == 3
    assert found == pytest.approx(np.delete(true, [300, 500, 501]), abs=1e-3)


def test_clocks_lost_just_after_continue_are_counted_too():
    true = steady(97, 4 * BAR)
    follower = started()
    follow(follower, true)
    follower.hear(round((true[-1] + 5) * MS), (STOP,))
    follower.hear(round((true[-1] + 900) * MS), (CONTINUE,))
    again = steady(97, 4 * BAR, true[-1] + 1000)
    found = follow(follower, np.delete(again, [1, 2, 3, 4, 20]))
    assert follower.position == 4 * BAR - 1 + len(again) - 1
    assert found == pytest.approx(np.delete(again, [1, 2, 3, 4, 20]), abs=1e-3)


def test_clocks_that_come_twice_count_once():
    true = steady(120, 4 * BAR)
    follower = started()
    follow(follower, np.sort(np.concatenate([true, true[[50, 100, 200]] + 0.2])))
    assert follower.position == len(true) - 1


@pytest.mark.parametrize("bpm", [60, 97, 180])
@pytest.mark.parametrize("seed", range(10))
def test_clocks_that_are_kept_back_and_come_together_count_once_each(bpm: float, seed: int):
    """A machine that stalls, every second or so and for up to 200 ms, and what comes meanwhile comes at its end."""
    random = np.random.default_rng(seed)
    true = steady(bpm, 40 * BAR)
    heard = jitter(true, 3.0, seed)
    begins = np.cumsum(random.uniform(500, 2000, 60))
    for begin, end in zip(begins, begins + random.uniform(0, 200, 60), strict=True):
        heard[(heard > begin) & (heard < end)] = end
    follower = started(bpm)
    found = np.array(follow(follower, heard))
    assert follower.position == len(true) - 1
    assert abs(follower.lost) <= 60 * 200 / (60_000 / bpm / 24) + 60  # taken for lost until they came
    on_time = heard - true < 3.1
    assert np.percentile(np.abs(found - true)[on_time], 90) < 10


def test_twice_the_tempo_from_one_clock_to_the_next_is_no_doubled_clock():
    first = steady(80, 4 * BAR)
    second = steady(160, 4 * BAR + 1, first[-1])[1:]
    follower = started()
    follow(follower, [*first, *second])
    assert follower.position == 8 * BAR - 1
    assert follower.bpm == pytest.approx(160)


def test_half_the_tempo_from_one_clock_to_the_next_is_no_lost_clock():
    first = steady(160, 4 * BAR)
    second = steady(80, 4 * BAR + 1, first[-1])[1:]
    follower = started()
    follow(follower, [*first, *second])
    assert follower.position == 8 * BAR - 1
    assert follower.lost == 0
    assert follower.bpm == pytest.approx(80)


def test_song_position_lands_on_the_right_clock_running_and_stopped():
    random = np.random.default_rng(1)
    follower = started()
    now = 0.0
    for _ in range(100):
        position = int(random.integers(0, 1 << 14))
        is_stopped = random.random() < 0.5
        if is_stopped:
            follower.hear(round(now * MS), (STOP,))
        follower.hear(round(now * MS), (SONG_POSITION, position & 127, position >> 7))
        if is_stopped:
            follower.hear(round(now * MS), (CONTINUE,))
        assert follower.where(round(now * MS)) == 6 * position
        count = int(random.integers(2, 200))
        follow(follower, jitter(steady(120, count, now + 20), 3.0))
        now += 20 + count * 60_000 / 120 / 24
        assert follower.position == 6 * position + count - 1
    assert follower.jumps == 101


def test_the_first_clock_after_start_is_beat_0_and_clocks_while_stopped_move_nothing():
    follower = ClockFollower()
    times = steady(97, 3 * BAR)
    follow(follower, times[:BAR])  # a DAW that sends its clock all the time
    assert (follower.position, follower.is_running) == (0, False)
    assert follower.bpm == pytest.approx(97)
    follower.hear(round((times[BAR] - 5) * MS), (START,))
    assert follower.where(round(times[BAR] * MS)) == 0
    assert follower.when(0) / MS == pytest.approx(times[BAR], abs=1e-3), "it knows when beat 0 will be"
    follow(follower, times[BAR : 2 * BAR])
    assert follower.position == BAR - 1
    follower.hear(round(times[2 * BAR] * MS), (STOP,))
    follow(follower, times[2 * BAR :])
    assert follower.position == BAR - 1
    assert follower.where(round(times[-1] * MS)) == BAR - 1


def test_between_clocks_the_position_goes_on():
    follower = started()
    follow(follower, steady(120, BAR))
    at = 60_000 / 120 / 24 * (BAR - 1 + 7.5)
    assert follower.where(round(at * MS)) == pytest.approx(BAR - 1 + 7.5, abs=1e-3)
    assert follower.when(BAR + 23) / MS == pytest.approx(60_000 / 120 / 24 * (BAR + 23), abs=0.01)


def test_other_messages_and_broken_ones_are_passed_over():
    follower = started()
    for message in ((0x90, 60, 1), (0xF2, 4), (0xFE,), (0xF6,)):
        follower.hear(5, message)
    assert (follower.position, follower.jumps) == (0, 1)


def test_whatever_comes_it_goes_on():
    random = np.random.default_rng(2)
    follower, now = ClockFollower(), 0
    kinds = [(CLOCK,), (START,), (STOP,), (CONTINUE,), (SONG_POSITION, 5, 1)]
    for step, kind in zip(itertools.count(), random.choice(5, 5_000, p=[0.9, 0.02, 0.02, 0.02, 0.04]), strict=False):
        now += int(random.exponential(20 * MS)) * (step % 7 != 0)  # some at the same time
        follower.hear(now, kinds[kind])
        assert np.isfinite([follower.bpm, follower.where(now)]).all()
        assert not follower.can_tell or follower.when(follower.position + 12) > now - 10**10
