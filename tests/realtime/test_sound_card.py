"""Finding sound devices by name in the lists of systems that are not here. Real ones are opened in tests/end_to_end."""

from typing import Any

import pytest

from cgrnn_live import sound_card
from cgrnn_live.sound_card import Device, SoundError, default_device, find_device, list_devices

COREAUDIO = [
    ("MacBook Pro Microphone", "Core Audio", 0, 48_000),
    ("MacBook Pro Speakers", "Core Audio", 2, 48_000),
    ("Scarlett 2i2 USB", "Core Audio", 2, 96_000),
    ("External Headphones", "Core Audio", 2, 44_100),
]
WINDOWS = [
    ("Microsoft Sound Mapper - Output", "MME", 2, 44_100),
    ("Speakers (Realtek High Definiti", "MME", 8, 44_100),
    ("Speakers (Realtek High Definition Audio)", "Windows DirectSound", 8, 44_100),
    ("Speakers (Realtek High Definition Audio)", "Windows WASAPI", 2, 48_000),
    ("Speakers 1 (Realtek HD Audio output)", "Windows WDM-KS", 8, 44_100),
]
LINUX = [
    ("HDA Intel PCH: ALC257 Analog (hw:0,0)", "ALSA", 2, 44_100),
    ("HDA Intel PCH: HDMI 0 (hw:0,3)", "ALSA", 8, 44_100),
    ("system", "ALSA", 2, 44_100),
    ("system", "JACK Audio Connection Kit", 2, 48_000),
]


class System:
    """What PortAudio says on a system with these devices: (name, API, outputs, rate)."""

    class PortAudioError(Exception):
        """As sounddevice's."""

    def __init__(self, devices: list[tuple[str, str, int, int]]) -> None:
        self.apis = sorted({api for _, api, _, _ in devices})
        self.devices = [
            {
                "index": index,
                "name": name,
                "hostapi": self.apis.index(api),
                "max_output_channels": outputs,
                "default_samplerate": float(rate),
            }
            for index, (name, api, outputs, rate) in enumerate(devices)
        ]

    def query_devices(self, kind: str | None = None) -> Any:
        if kind is None:
            return self.devices
        outputs = [device for device in self.devices if device["max_output_channels"]]
        if not outputs:
            raise self.PortAudioError("Error querying device -1")
        return outputs[0]

    def query_hostapis(self) -> list[dict[str, str]]:
        return [{"name": name} for name in self.apis]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch):
    """Be on a system with these devices."""

    def be(devices: list[tuple[str, str, int, int]]) -> None:
        system = System(devices)
        monkeypatch.setattr(sound_card, "load_portaudio", lambda: system)

    return be


@pytest.mark.parametrize(
    ("wanted", "devices", "found"),
    [
        ("Scarlett 2i2 USB", COREAUDIO, Device(2, "Scarlett 2i2 USB", 96_000, 2)),
        ("scarlett", COREAUDIO, Device(2, "Scarlett 2i2 USB", 96_000, 2)),
        ("macbook speakers", COREAUDIO, Device(1, "MacBook Pro Speakers", 48_000, 2)),
        ("realtek", WINDOWS, Device(3, "Speakers (Realtek High Definition Audio)", 48_000, 2)),
        ("alc257", LINUX, Device(0, "HDA Intel PCH: ALC257 Analog (hw:0,0)", 44_100, 2)),
        ("hw:0,3", LINUX, Device(1, "HDA Intel PCH: HDMI 0 (hw:0,3)", 44_100, 8)),
        ("system jack", LINUX, Device(3, "system (JACK Audio Connection Kit)", 48_000, 2)),
        (None, COREAUDIO, Device(1, "MacBook Pro Speakers", 48_000, 2)),
    ],
)
def test_a_name_finds_its_device(on, wanted: str | None, devices: list, found: Device) -> None:
    on(devices)
    assert find_device(wanted) == found


def test_inputs_are_no_device_to_play_on(on) -> None:
    on(COREAUDIO)
    with pytest.raises(SoundError, match="near it: 'MacBook Pro Speakers'"):
        find_device("MacBook Pro Microphone")


@pytest.mark.parametrize(
    ("wanted", "devices", "says"),
    [
        ("system", LINUX, "could be any of 'system (ALSA)', 'system (JACK Audio Connection Kit)'; give more"),
        ("scarlet", COREAUDIO, "There is no sound device 'scarlet'; near it: 'Scarlett 2i2 USB'; also there: 'MacBook"),
        ("zzz", COREAUDIO, "there are 'MacBook Pro Speakers', 'Scarlett 2i2 USB', 'External Headphones'."),
        ("zzz", [], "There is no sound device 'zzz', nor any other; connect one."),
        (None, [], "There is no sound device to play on; connect one or choose it as the system's default."),
        (" :-) ", COREAUDIO, "has no letters or digits; `cgrnn-live doctor` lists the names."),
    ],
)
def test_a_name_that_finds_none_or_several_is_one_sentence(on, wanted: str | None, devices: list, says: str) -> None:
    on(devices)
    with pytest.raises(SoundError) as caught:
        find_device(wanted)
    assert says in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_the_older_systems_of_windows_are_listed_where_there_is_nothing_else(on) -> None:
    on(WINDOWS[:2])
    assert [device.name for device in list_devices()] == [name for name, *_ in WINDOWS[:2]]


def test_two_devices_of_one_name_and_system_are_the_first(on) -> None:
    on([("USB Audio", "Core Audio", 2, 48_000), ("USB Audio", "Core Audio", 2, 44_100)])
    assert find_device("USB Audio").index == 0


def test_the_default_has_its_own_rate(on) -> None:
    on([("Odd", "ALSA", 1, 44_099)])
    assert default_device() == Device(0, "Odd", 44_099, 1)
