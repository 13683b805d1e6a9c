import numpy as np
import pytest

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.clock import MILLISECOND, Arrival
from cgrnn_live.ledger import Message
from cgrnn_live.listener import Listener
from cgrnn_live.roles import Turns, no_notes

ON, OFF = 0x90, 0x80


def heard(*events: tuple[float, Message], closes: int = 1, rule: str = "half") -> list[list[int]]:
    """Return the pitches of frames of 100 ms, given (milliseconds, message)."""
    listener = Listener(FrameSpec(0.1, "cover" if rule == "cover" else "half"))
    frames: list[list[int]] = []
    left = list(events)
    for number in range(closes):
        while left and left[0][0] < 100 * (number + 1):
            at, message = left.pop(0)
            listener.hear(Arrival(round(at * MILLISECOND), message))
        frame = listener.close(100 * (number + 1) * MILLISECOND)
        frames.append(np.flatnonzero(frame).tolist())
    return frames


def test_a_short_note_is_heard_where_it_starts() -> None:
    assert heard((95, (ON, 60, 1)), (98, (OFF, 60, 0)), closes=2) == [[60], []]


def test_a_held_note_is_heard_until_it_sounds_for_less_than_half_a_frame() -> None:
    assert heard((50, (ON, 60, 1)), (240, (OFF, 60, 0)), closes=3) == [[60], [60], []]
    assert heard((50, (ON, 60, 1)), (260, (OFF, 60, 0)), closes=3) == [[60], [60], [60]]


def test_the_bundles_rule_is_used() -> None:
    assert heard((50, (ON, 60, 1)), (210, (OFF, 60, 0)), closes=3, rule="cover") == [[60], [60], [60]]


def test_a_note_on_of_velocity_0_ends_the_note() -> None:
    assert heard((10, (ON, 60, 9)), (20, (ON, 60, 0)), closes=2) == [[60], []]


def test_a_note_struck_again_while_held_is_heard_on() -> None:
    assert heard((10, (ON, 60, 9)), (110, (ON, 60, 9)), (120, (OFF, 60, 0)), closes=3) == [[60], [60], []]


def test_drums_and_other_messages_are_not_heard() -> None:
    assert heard((10, (ON | 9, 60, 9)), (11, (0xC0, 5)), (12, (0xF8,)), (13, (0xE0, 0, 64))) == [[]]


@pytest.mark.parametrize("control", [120, 123])
def test_all_notes_off_ends_held_notes(control: int) -> None:
    assert heard((10, (ON, 60, 9)), (20, (0xB0, control, 0)), closes=2) == [[60], []]


def test_every_other_channel_is_heard() -> None:
    assert heard(*[(10.0, (ON | channel, 60 + channel, 9)) for channel in range(16)]) == [
        [*range(60, 69), *range(70, 76)]
    ]


def test_a_late_closing_still_hears_notes_from_early_in_the_interval() -> None:
    listener = Listener(FrameSpec(0.1))
    listener.hear(Arrival(10 * MILLISECOND, (ON, 60, 9)))
    listener.hear(Arrival(20 * MILLISECOND, (OFF, 60, 0)))
    assert listener.close(400 * MILLISECOND)[60]


@pytest.mark.parametrize("ended", [98, 130])
def test_a_note_that_comes_in_after_its_interval_was_closed_is_heard_in_the_next(ended: int) -> None:
    listener = Listener(FrameSpec(0.1))
    assert not listener.close(100 * MILLISECOND).any()
    listener.hear(Arrival(95 * MILLISECOND, (ON, 60, 9)))
    listener.hear(Arrival(ended * MILLISECOND, (OFF, 60, 0)))
    assert np.flatnonzero(listener.close(200 * MILLISECOND)).tolist() == [60]
    assert not listener.close(300 * MILLISECOND).any()


def test_the_first_interval_begins_where_it_was_opened() -> None:
    listener = Listener(FrameSpec(0.1))
    listener.open(1000 * MILLISECOND)
    listener.hear(Arrival(1090 * MILLISECOND, (ON, 60, 9)))
    listener.close(1100 * MILLISECOND)
    listener.hear(Arrival(1145 * MILLISECOND, (OFF, 60, 0)))  # less than half of a frame of 100 ms, not of 1.1 s
    assert not listener.close(1200 * MILLISECOND).any()


def test_two_intervals_that_are_closed_at_once_hear_what_is_held() -> None:
    listener = Listener(FrameSpec(0.1))
    listener.hear(Arrival(10 * MILLISECOND, (ON, 60, 9)))
    assert [listener.close(100 * MILLISECOND)[60] for _ in range(2)] == [True, True]


def test_pauses_within_a_phrase_do_not_add_up() -> None:
    turns, note = Turns(model_plays=False, patience=4), no_notes()
    note[60] = True
    assert turns.note_begun()
    for frame, heard in ((note, 1), (no_notes(), 0), (no_notes(), 0), (no_notes(), 0), (note, 4)):
        assert len(turns.close(no_notes(), frame)) == heard
    turns.close(no_notes(), no_notes())
    assert not turns.model_plays
