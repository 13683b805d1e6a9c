"""Finding ports by name, and saying why one cannot be had. Real ports are opened in tests/end_to_end."""

import threading

import pytest

from cgrnn_live import ports
from cgrnn_live.portnames import PortError, is_same, match

COREMIDI = ["IAC Driver Bus 1", "IAC Driver Bus 2", "Launchkey Mini MK3"]
WINMM = ["Microsoft GS Wavetable Synth 0", "loopMIDI Port 1", "loopMIDI Port 1 2"]
ALSA = ["Midi Through:Midi Through Port-0 14:0", "FLUID Synth (812):Synth input port (812:0) 128:0"]
JACK = ["daw:track", "daw:track 2", "system:midi_playback_1"]


@pytest.mark.parametrize(
    ("wanted", "names", "api", "found"),
    [
        ("IAC Driver Bus 1", COREMIDI, "coremidi", "IAC Driver Bus 1"),
        ("IAC Bus 1", COREMIDI, "coremidi", "IAC Driver Bus 1"),
        ("iac bus 2", COREMIDI, "coremidi", "IAC Driver Bus 2"),
        ("launchkey", COREMIDI, "coremidi", "Launchkey Mini MK3"),
        ("daw track", JACK, "jack", "daw:track"),
        ("DAW:Track", JACK, "jack", "daw:track"),
        ("track 2", JACK, "jack", "daw:track 2"),
        ("playback 1", JACK, "jack", "system:midi_playback_1"),
        ("Microsoft GS Wavetable Synth", WINMM, "winmm", "Microsoft GS Wavetable Synth 0"),
        ("loopMIDI Port", WINMM, "winmm", "loopMIDI Port 1"),  # of that name, and listed second
        ("loopmidi port 1", WINMM, "winmm", "loopMIDI Port 1"),
        ("loopMIDI Port 1", WINMM, "winmm", "loopMIDI Port 1"),
        ("Microsoft GS Wavetable Synth 3", WINMM, "winmm", "Microsoft GS Wavetable Synth 0"),  # an index of yesterday
        ("Midi Through:Midi Through Port-0 20:0", ALSA, "alsa", ALSA[0]),
        ("fluid synth", ALSA, "alsa", ALSA[1]),
        ("müller’s Straße", ["MÜLLER’S STRASSE"], "coremidi", "MÜLLER’S STRASSE"),
    ],
)
def test_a_name_finds_its_port(wanted: str, names: list[str], api: str, found: str) -> None:
    assert match(wanted, names, api, "output") == found


@pytest.mark.parametrize("wanted", ["IAC", "driver", "mini launchkey"])
def test_words_in_another_order_or_of_several_ports_do_not_choose_one(wanted: str) -> None:
    with pytest.raises(PortError):
        match(wanted, COREMIDI, "coremidi", "output")


def test_a_port_number_that_is_not_there_never_means_another() -> None:
    with pytest.raises(PortError, match="near it: 'IAC Driver Bus 1', 'IAC Driver Bus 2'"):
        match("IAC Driver Bus 3", COREMIDI, "coremidi", "output")


def test_an_ambiguous_name_lists_every_match() -> None:
    with pytest.raises(PortError, match="'IAC Driver Bus 1', 'IAC Driver Bus 2'") as caught:
        match("IAC", COREMIDI, "coremidi", "output")
    assert "Launchkey" not in str(caught.value)


def test_an_unknown_name_lists_near_ones_else_all() -> None:
    with pytest.raises(
        PortError, match="near it: 'Launchkey Mini MK3'; also there: 'IAC Driver Bus 1', 'IAC Driver Bus 2'"
    ):
        match("Lanchkey Mini", COREMIDI, "coremidi", "input")
    with pytest.raises(PortError, match="there are 'IAC Driver Bus 1', 'IAC Driver Bus 2', 'Launchkey Mini MK3'"):
        match("zzz", COREMIDI, "coremidi", "input")
    with pytest.raises(PortError, match="nor any other input port.*doctor"):
        match("zzz", [], "coremidi", "input")


@pytest.mark.parametrize("wanted", ["", "  ", ":-)"])
def test_a_name_without_words_is_refused(wanted: str) -> None:
    with pytest.raises(PortError, match="no letters or digits"):
        match(wanted, JACK, "jack", "output")


def test_one_bus_is_one_bus_whatever_index_the_system_gave() -> None:
    assert is_same("loopMIDI Port 0", "loopMIDI Port 1", "winmm")
    assert is_same("Midi Through:Midi Through Port-0 14:0", "Midi Through:Midi Through Port-0 14:0", "alsa")
    assert not is_same("IAC Driver Bus 1", "IAC Driver Bus 2", "coremidi")


class Refusing:
    """An rtmidi port of a system that lets only one program in, as WinMM does."""

    def __init__(self, rtapi: int, name: str) -> None:
        self.is_deleted = False

    def get_ports(self) -> list[str]:
        return ["loopMIDI Port 0"]

    def open_port(self, index: int, name: str) -> None:
        raise ports.rtmidi.SystemError("MidiOutWinMM::openPort: error creating Windows MM MIDI output port.")

    def delete(self) -> None:
        self.is_deleted = True


def test_a_port_in_use_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.rtmidi, "MidiOut", Refusing)
    with pytest.raises(PortError, match="'loopMIDI Port 0' cannot be opened .* close what uses it"):
        ports.Output("loopMIDI Port", "winmm")


def test_an_api_of_another_system_is_said_with_those_that_are_here() -> None:
    foreign = next(name for name, code in ports.APIS.items() if code not in ports.rtmidi.get_compiled_api())
    with pytest.raises(PortError, match=f"'{foreign}' does not exist on this system; it has "):
        ports.choose_api(foreign)


def test_only_windows_has_no_virtual_ports() -> None:
    assert [name for name in ports.APIS if not ports.has_virtual_ports(name)] == ["winmm"]


class Slow:
    """An rtmidi input with three messages, in whose third reading the port is to be closed."""

    def __init__(self) -> None:
        self.is_read = threading.Event()
        self.may_end = threading.Event()
        self.messages = [[0x90, 60, 1], [0xF8], [0x80, 60, 0]]
        self.in_use = 0

    def get_message(self) -> tuple[list[int], float] | None:
        self.in_use += 1
        if len(self.messages) == 1:
            self.is_read.set()
            self.may_end.wait(5)
        message = self.messages.pop(0) if self.messages else None
        self.in_use -= 1
        return None if message is None else (message, 0.0)


def test_an_input_is_touched_no_more_once_listening_has_ended() -> None:
    port = Slow()
    heard: list[tuple[int, ...]] = []
    end = ports.listen(port, heard.append)
    assert port.is_read.wait(5)
    threading.Timer(0.05, port.may_end.set).start()
    end()
    assert not port.in_use, "it could be deleted while it is read"
    assert heard == [(0x90, 60, 1), (0xF8,), (0x80, 60, 0)]
