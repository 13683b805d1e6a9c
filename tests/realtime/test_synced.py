"""The loop on the grid of a song that others play: on an offline clock, by MIDI clocks whose true times are known."""

import numpy as np
import pytest

from cgrnn_live.clock import MILLISECOND, Arrival, OfflineClock
from cgrnn_live.ledger import NOTE_OFF, NOTE_ON
from cgrnn_live.midi_clock import CLOCK, CONTINUE, SONG_POSITION, START, STOP
from cgrnn_live.song_clock import SongClock
from cgrnn_live.status import Status
from stage import Stage, key

STEP = 12  # an eighth


def clocks(bpm: float, count: int, start: float = 0.0, jitter: float = 0.0, seed: int = 0) -> list[Arrival]:
    """``count`` clocks from ``start`` (ms)."""
    times = start + np.arange(count) * 60_000 / bpm / 24
    times = np.sort(times + np.random.default_rng(seed).uniform(-jitter, jitter, count))
    return [Arrival(round(at * MILLISECOND), (CLOCK,)) for at in times]


def says(at: float, *message: int) -> Arrival:
    return Arrival(round(at * MILLISECOND), message)


def song_position(at: float, steps: int) -> Arrival:
    return says(at, SONG_POSITION, steps & 127, steps >> 7)


def song_of(*arrivals: Arrival, accompanies: bool = False, offset: float = 0.0) -> Stage:
    """A stage whose clock follows what arrives; ``offset`` in ms."""
    arrived = OfflineClock(0.25, sorted(arrivals, key=lambda arrival: arrival.at))
    return Stage(clock=SongClock(arrived, STEP, 120, round(offset * MILLISECOND)), accompanies=accompanies)


def test_frames_are_on_the_eighths_from_the_first_clock_after_start():
    song = song_of(says(900, START), *clocks(97, 480, 1000))
    song.player.run(30)
    expected = 1000 + np.arange(30) * 60_000 / 97 / 2
    assert [at for at, _ in song.ons()] == pytest.approx(expected, abs=0.01)
    assert song.player.report.held == song.player.report.dropped == 0


@pytest.mark.parametrize("offset", [-12.0, 12.5])
def test_an_offset_moves_every_frame(offset: float):
    period = 60_000 / 97 / 24
    song = song_of(*clocks(97, 500), says(47 * period + 3, START), offset=offset)
    song.player.run(10)
    expected = 48 * period + np.arange(10) * STEP * period + offset
    assert [at for at, _ in song.ons()] == pytest.approx(expected, abs=0.01)


def test_a_sender_whose_clock_never_rests_starts_it_on_its_beat():
    song = song_of(*clocks(120, 960), says(60_000 / 120 / 24 * 100 - 3, START))
    song.player.run(10)
    assert [at for at, _ in song.ons()] == pytest.approx((100 + STEP * np.arange(10)) * 60_000 / 120 / 24, abs=0.1)


def test_uneven_clocks_give_even_frames():
    song = song_of(says(900, START), *clocks(120, 1920, 1000, jitter=3.0))
    song.player.run(150)
    times = np.array([at for at, _ in song.ons()])[16:]
    error = np.abs(times - 1000 - np.arange(16, 150) * 250)
    assert np.percentile(error, 99) < 3.0  # the phase's 2, and a period's for the way from the last clock


def test_stop_silences_at_once_and_continue_goes_on_where_it_stood():
    rolling = clocks(120, 60, 1000)  # 2 quarters and a half: clocks 0 to 59
    song = song_of(says(900, START), *rolling, says(2240, STOP), says(5000, CONTINUE), *clocks(120, 200, 5100))
    song.player.run(10)
    assert [at for at, _ in song.ons()] == pytest.approx(
        [1000, 1250, 1500, 1750, 2000, 5100, 5350, 5600, 5850, 6100], abs=25
    )
    assert song.offs()[4][0] == pytest.approx(2240, abs=0.1)
    sounding = set()
    for at, message in song.sent:
        if message[0] == NOTE_ON:
            sounding.add(message[1])
        elif message[0] == NOTE_OFF:
            sounding.discard(message[1])
        assert not (2240 < at < 5000)
    assert not sounding


@pytest.mark.parametrize("stops", [False, True])
def test_after_a_jump_frames_are_on_the_eighths_of_the_new_place(stops: bool):
    """To the sixteenth after an eighth: the next frame is half an eighth on."""
    before = clocks(120, 100, 1000)
    at = 1000 + 100 * 60_000 / 120 / 24 - 10
    messages = [song_position(at, 33)]
    if stops:
        messages = [says(at - 1, STOP), *messages, says(at + 1, CONTINUE)]
    song = song_of(says(900, START), *before, *messages, *clocks(120, 400, 1000 + 100 * 60_000 / 120 / 24))
    song.player.run(14)
    ons = [on for on, _ in song.ons()]
    new = 1000 + 100 * 60_000 / 120 / 24 + 6 * 60_000 / 120 / 24  # 6 clocks after position 198 comes 204, a frame's
    assert ons[:9] == pytest.approx(1000 + 250 * np.arange(9), abs=0.1)
    assert ons[9:] == pytest.approx(new + 250 * np.arange(5), abs=0.5)


def test_a_loop_comes_round_to_its_beginning():
    """Four bars, three times: Song Position 0 on the beat, as a DAW that loops sends it."""
    period = 60_000 / 120 / 24
    arrivals = [says(900, START)]
    for turn in range(3):
        begins = 1000 + turn * 384 * period
        if turn:
            arrivals.append(song_position(begins - 2, 0))
        arrivals += clocks(120, 384, begins)
    song = song_of(*arrivals)
    song.player.run(96)
    ons = np.array([at for at, _ in song.ons()])
    assert ons == pytest.approx(1000 + 250 * np.arange(96), abs=1.0)
    assert song.clock.jumps == 3


def test_song_position_to_100_random_places_lands_on_the_right_frame():
    random = np.random.default_rng(5)
    arrivals, expected, now = [says(0, START)], [], 10.0
    period = 60_000 / 97 / 24
    for _ in range(100):
        steps = int(random.integers(0, 1 << 14))
        arrivals += [says(now, STOP), song_position(now + 1, steps), says(now + 2, CONTINUE)]
        count = int(random.integers(30, 60))
        arrivals += clocks(97, count, now + 30)
        first = -(-6 * steps // STEP)
        expected += [now + 30 + (frame * STEP - 6 * steps) * period for frame in (first, first + 1)]
        now += 30 + count * period
    song = song_of(*arrivals)
    song.player.run(sum(1 for _ in expected))
    ons = [at for at, _ in song.ons()]
    for at in expected[:150]:
        assert min(abs(on - at) for on in ons) < 0.5 or at > ons[-1]


def test_a_clock_that_dies_is_taken_for_stopped():
    song = song_of(says(900, START), *clocks(120, 100, 1000), says(9000, START), *clocks(120, 100, 9000))
    song.player.run(20)
    silent = [at for at, _ in song.sent if 5_300 < at < 8_990]
    assert silent == []
    assert len(song.ons()) == len(song.offs())


def test_the_player_is_heard_on_the_songs_grid():
    song = song_of(
        says(900, START),
        *clocks(120, 400, 1000),
        key(1300, 50, down=True),
        key(1900, 50, down=False),
        accompanies=True,
    )
    song.player.run(6)
    assert song.improviser.held == [[], [], [50], [50], [], []]
    assert song.improviser.heard == [[60], [50, 61], [50, 62], [50, 63], [64]]


def test_the_live_line_says_how_the_song_goes():
    song = song_of(says(900, START), *clocks(97, 100, 1000), says(3600, STOP))
    assert isinstance(song.clock, SongClock)
    status = Status(song.player, lambda: "free", song.clock)
    assert status.line().startswith("free: waits for the song  frame 0  notes 0  120.0 BPM")
    song.player.run(8)
    assert status.line().startswith("free: plays  frame 8  notes 8  97.0 BPM")
