"""Ports that come and go, by name, and what a player does at it. Real ports are opened in tests/end_to_end."""

import pytest

from cgrnn_live import ports
from cgrnn_live.clock import MILLISECOND, Arrival
from cgrnn_live.connections import KEYS_UP
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN
from cgrnn_live.player import RESET
from cgrnn_live.portnames import find_again, is_same, is_there
from stage import Stage, key

ASKED = [(CONTROL, SUSTAIN, 0), (CONTROL, ALL_NOTES_OFF, 0)]


def test_winmm_counts_its_ports_anew_so_there_the_index_says_nothing() -> None:
    assert is_there("loopMIDI Port 2", ["GS 0", "loopMIDI Port 1"], "winmm")
    assert not is_there("loopMIDI Port 2", ["GS 0", "GS 1"], "winmm")
    assert not is_there("Keys MIDI 1 24:0", ["Keys MIDI 1 28:0"], "alsa")
    assert not is_there("daw:track", ["daw:track 2"], "jack")


@pytest.mark.parametrize(
    ("name", "names", "before", "api", "found"),
    [
        ("daw:track", ["daw:track 2", "daw:track"], [], "jack", "daw:track"),
        ("daw:track", ["daw:track 2"], [], "jack", None),
        ("Keys MIDI 1 24:0", ["Keys MIDI 1 28:0"], ["Keys MIDI 1 24:0"], "alsa", "Keys MIDI 1 28:0"),
        ("Keys MIDI 1 24:0", ["Keys MIDI 1 28:0"], ["Keys MIDI 1 24:0", "Keys MIDI 1 28:0"], "alsa", None),  # a twin
        ("loopMIDI Port 1", ["GS 0", "New 1", "loopMIDI Port 2"], ["GS 0"], "winmm", "loopMIDI Port 2"),
        ("loopMIDI Port 1", [], [], "winmm", None),
    ],
)
def test_a_port_is_found_again_by_its_words_and_never_as_another(
    name: str, names: list[str], before: list[str], api: str, found: str | None
) -> None:
    assert find_again(name, names, before, api) == found
    assert found is None or is_same(found, name, api)  # so that one bus stays refused as input and output


def test_a_receiver_that_is_back_is_silenced_and_played_into_from_the_next_frame() -> None:
    """Whatever was begun is ended: what sounded when it went may have been ended meanwhile, unheard."""
    stage = Stage([Arrival(600 * MILLISECOND, RESET)])
    stage.player.run(4)
    at_return = [message for at, message in stage.sent if 500 < at < 750]
    assert at_return == [*[(NOTE_OFF, pitch, 0) for pitch in (60, 61, 62)], *ASKED]
    assert stage.ons() == [(0.0, 60), (250.0, 61), (500.0, 62), (750.0, 63)]
    assert stage.improviser.heard == [[60], [61], [62]]


def test_what_was_ended_at_one_return_is_not_ended_at_the_next() -> None:
    stage = Stage([Arrival(at * MILLISECOND, RESET) for at in (300, 600)])
    stage.player.run(3)
    assert [message for at, message in stage.sent if 500 < at < 750] == [(NOTE_OFF, 62, 0), *ASKED]


def test_the_keys_of_a_keyboard_that_is_pulled_are_up() -> None:
    """Held down in "continue" they would keep the model from playing for ever."""
    stage = Stage(
        [key(100, 40, down=True), key(200, 44, down=True), Arrival(600 * MILLISECOND, KEYS_UP)],
        listens=True,
        model_begins=False,
    )
    stage.player.run(10)
    assert stage.ons()[0] == (1500.0, 60)  # after four frames that were silent for more than half
    assert stage.improviser.heard[:2] == [[40, 44], [40, 44]]


class Failing:
    """An rtmidi output of a system that raises when its port is gone, as WinMM does."""

    def __init__(self, rtapi: int, name: str) -> None:
        pass

    def get_ports(self) -> list[str]:
        return ["loopMIDI Port 0"]

    def open_port(self, index: int, name: str) -> None:
        pass

    def send_message(self, message: tuple[int, ...]) -> None:
        raise ports.rtmidi.SystemError("MidiOutWinMM::sendMessage: error sending MIDI message.")


def test_a_message_that_cannot_be_sent_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.rtmidi, "MidiOut", Failing)
    output = ports.Output("loopMIDI Port", "winmm")
    assert not output.has_failed
    output.send((NOTE_ON, 60, 80))
    assert output.has_failed
