import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgrnn_bundle.frames import PITCHES
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Ledger, Message

chords = st.frozensets(st.integers(0, PITCHES - 1), max_size=6)


def frame(*pitches: int) -> np.ndarray:
    return np.isin(np.arange(PITCHES), pitches)


class Receiver:
    """Sounds what it is sent, and refuses what a synth would stumble on."""

    def __init__(self, fails_at: int = -1, *, delivers: bool = False) -> None:
        """Fail once, at this message, after or before it is delivered."""
        self.sounding: set[int] = set()
        self.messages: list[Message] = []
        self.fails_at = fails_at
        self.delivers = delivers

    def __call__(self, message: Message, at: int) -> None:
        fails = len(self.messages) == self.fails_at
        if fails:
            self.fails_at = -1
        if not fails or self.delivers:
            self._sound(message)
        if fails:
            raise OSError("the wire is cut")

    def _sound(self, message: Message) -> None:
        self.messages.append(message)
        status, pitch, _ = message
        if status == NOTE_ON:
            assert pitch not in self.sounding, "a note-on for a note that sounds"
            self.sounding.add(pitch)
        elif status == NOTE_OFF:
            assert pitch in self.sounding, "a note-off for a note that does not sound"
            self.sounding.remove(pitch)


@given(st.lists(st.one_of(chords, st.just("silence"))))
def test_what_sounds_is_the_last_frame_and_each_note_ends_once(script: list[frozenset[int] | str]) -> None:
    receiver = Receiver()
    ledger = Ledger(receiver)
    for step in script:
        if isinstance(step, str):
            ledger.silence(0)
            expected = frozenset[int]()
        else:
            ledger.play(frame(*step), 0)
            expected = step
        assert receiver.sounding == expected == ledger.sounding
    ledger.silence(0)
    assert not receiver.sounding
    assert ledger.notes == sum(message[0] == NOTE_ON for message in receiver.messages)


@given(st.lists(chords, min_size=1), st.integers(0, 40), st.booleans())
def test_a_failure_in_the_middle_leaves_no_note_behind(
    script: list[frozenset[int]], fails_at: int, delivers: bool
) -> None:
    receiver = Receiver(fails_at, delivers=delivers)

    def send(message: Message, at: int) -> None:
        if message[0] == NOTE_ON or message[1] in receiver.sounding:  # an off for a note whose on failed is harmless
            receiver(message, at)

    ledger = Ledger(send)
    try:
        for chord in script:
            ledger.play(frame(*chord), 0)
        ledger.silence(0)
    except OSError:
        assert len(receiver.messages) >= fails_at
    ledger.silence(0)
    assert not receiver.sounding
    assert not ledger.sounding


def test_one_note_that_cannot_be_ended_keeps_no_other_from_it() -> None:
    receiver = Receiver(fails_at=3)
    ledger = Ledger(receiver)
    ledger.play(frame(60, 64, 67), 0)
    with pytest.raises(OSError, match="wire"):
        ledger.silence(0)
    assert receiver.sounding == {60} == ledger.sounding


@pytest.mark.parametrize(("fails_at", "last"), [(3, [SUSTAIN, ALL_NOTES_OFF]), (6, [ALL_NOTES_OFF])])
def test_closing_tries_everything_whatever_fails(fails_at: int, last: list[int]) -> None:
    receiver = Receiver(fails_at)
    ledger = Ledger(receiver)
    ledger.play(frame(60, 64, 67), 0)
    with pytest.raises(OSError, match="wire"):
        ledger.close(0)
    assert [number for status, number, _ in receiver.messages if status == CONTROL] == last


def test_a_pitch_on_in_consecutive_frames_is_one_note_and_offs_come_first() -> None:
    receiver = Receiver()
    ledger = Ledger(receiver, velocity=99)
    ledger.play(frame(64, 60), 0)
    ledger.play(frame(67, 60), 0)
    assert receiver.messages == [(NOTE_ON, 60, 99), (NOTE_ON, 64, 99), (NOTE_OFF, 64, 0), (NOTE_ON, 67, 99)]


def test_channel_and_time_are_passed_on() -> None:
    sent: list[tuple[Message, int]] = []
    ledger = Ledger(lambda message, at: sent.append((message, at)), channel=16, velocity=1)
    ledger.play(frame(0), 5)
    ledger.close(7)
    assert sent == [
        ((NOTE_ON | 15, 0, 1), 5),
        ((NOTE_OFF | 15, 0, 0), 7),
        ((CONTROL | 15, SUSTAIN, 0), 7),
        ((CONTROL | 15, ALL_NOTES_OFF, 0), 7),
    ]


@pytest.mark.parametrize("pitch", [0, 127])
def test_the_outermost_pitches_play(pitch: int) -> None:
    receiver = Receiver()
    Ledger(receiver).play(frame(pitch), 0)
    assert receiver.sounding == {pitch}
