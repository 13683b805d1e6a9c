"""The beats of a performance: even ones, and those of a song that stops, goes on and jumps."""

import pytest

from cgrnn_live.beats import EvenBeats, SongBeats
from cgrnn_live.clock import MILLISECOND, SECOND
from cgrnn_live.midi_clock import CLOCK, CONTINUE, SONG_POSITION, START, STOP, ClockFollower

BPM = 100.0
PERIOD = 60 * SECOND / BPM / 24


class Song:
    """A MIDI clock that one can play, and the beats that are told by it."""

    def __init__(self) -> None:
        self.follower = ClockFollower(BPM)
        self.beats = SongBeats(self.follower)
        self.now = 10 * SECOND

    def say(self, *message: int) -> None:
        self.follower.hear(round(self.now), message)

    def run(self, clocks: int) -> None:
        for _ in range(clocks):
            self.say(CLOCK)
            self.beats.moment(round(self.now))
            self.now += PERIOD

    def beat(self) -> float:
        return self.beats.moment(round(self.now)).beats


def test_even_beats_are_counted_from_the_origin() -> None:
    beats = EvenBeats(lambda: 5 * SECOND, 120.0)
    assert beats.moment(6 * SECOND) == (2.0, 120.0)
    assert beats.moment(4 * SECOND) == (-2.0, 120.0)


def test_beats_are_the_songs() -> None:
    song = Song()
    song.say(START)
    song.now += 3 * PERIOD
    song.run(24 * 9)
    assert song.beat() == pytest.approx(9)
    assert song.beats.moment(round(song.now)).bpm == pytest.approx(BPM)


def test_time_goes_on_while_the_song_stands_and_it_begins_on_a_bar() -> None:
    song = Song()
    first = song.beat()
    song.now += 5.5 * 24 * PERIOD
    assert song.beat() - first == pytest.approx(5.5)
    song.say(START)
    song.run(24)
    assert song.beat() == pytest.approx(8 + 1)


def test_after_a_pause_it_goes_on_as_far_into_a_bar() -> None:
    song = Song()
    song.say(START)
    song.run(24 * 5)
    song.say(STOP)
    stopped = song.beat()
    song.now += 2 * SECOND
    assert song.beat() == pytest.approx(stopped + 2 * BPM / 60)
    song.say(CONTINUE)
    song.run(24)
    assert song.beat() % 4 == pytest.approx(2 - 1 / 24)  # Continue is at the last clock before Stop
    assert stopped < song.beat() < stopped + 8


@pytest.mark.parametrize("bars", [1, 2])
def test_a_loop_of_whole_bars_has_no_gap(bars: int) -> None:
    song = Song()
    song.say(START)
    song.run(24 * 4 * bars)
    for turn in range(1, 4):
        song.now -= 2 * MILLISECOND
        song.beats.moment(round(song.now + 30 * MILLISECOND))  # a note that is due beyond the seam
        song.say(SONG_POSITION, 0, 0)
        song.now += 2 * MILLISECOND
        song.run(24 * 4 * bars)
        assert song.beat() == pytest.approx(4 * bars * (turn + 1), abs=0.01)


def test_a_jump_goes_on_in_a_later_bar_where_the_song_is_in_its_own() -> None:
    song = Song()
    song.say(START)
    song.run(24 * 3)
    song.say(SONG_POSITION, 4 * 33 & 0x7F, 4 * 33 >> 7)  # the second beat of a bar
    song.run(12)
    assert song.beat() % 4 == pytest.approx(1.5, abs=1e-6)
    assert 2 <= song.beat() <= 3 + 4 + 0.5
