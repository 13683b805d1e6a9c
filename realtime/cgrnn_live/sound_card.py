"""Sound devices: which there are, finding one by name, opening it. sounddevice is wrapped here.

PortAudio lists the devices once, when it starts: one that is connected later is not seen until then.
"""

from __future__ import annotations

import ctypes
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from ctypes.util import find_library
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.errors import UsageError
from cgrnn_live.naming import Kind, choose
from cgrnn_live.quiet import quiet_stderr

JACK_CLIENT = b"cgrnn-live"
"""Our name among JACK's clients; PortAudio would say "PortAudio"."""

LATENCY_SECONDS = 0.1
"""Asked of the device: enough for a Python callback on a busy machine."""

MOST_CHANNELS = 2
"""An interface's further outputs may lead anywhere."""

OLDER_APIS = frozenset({"MME", "Windows DirectSound", "Windows WDM-KS"})
"""Of Windows: they list the devices of WASAPI once more each, some with names cut off."""

Fill = Callable[[NDArray[np.float32], int, Any, Any], None]
"""What the sound card calls: samples to fill (count, channels), their count, PortAudio's times, its flags."""


class SoundError(UsageError):
    """No sound device, or one that cannot be opened."""


@dataclass(frozen=True)
class Device:
    """An output. ``index`` is PortAudio's, until it starts anew; ``rate`` is its own, in samples a second."""

    index: int
    name: str
    rate: int
    channels: int


DEVICE = Kind(
    title="sound device",
    see="`cgrnn-live doctor` lists the names",
    none="nor any other; connect one",
    error=SoundError,
)


def load_portaudio() -> Any:
    """Import sounddevice, which starts PortAudio, which asks every sound system; SoundError if it is missing."""
    if "sounddevice" not in sys.modules and sys.platform == "linux":
        _name_jack_client()
    try:
        with quiet_stderr():
            import sounddevice
    except OSError as error:
        raise SoundError(
            "The PortAudio library is missing; install it (on Debian and Ubuntu: libportaudio2)."
        ) from error
    return sounddevice


def _name_jack_client() -> None:
    """Tell PortAudio, before it starts, what JACK is to call us; where it is missing or has no JACK, do nothing."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(find_library("portaudio"))
        library.PaJack_SetClientName(JACK_CLIENT)  # it keeps the pointer, and we the bytes


def default_device() -> Device:
    """Return the system's default output; SoundError if there is none."""
    sounddevice = load_portaudio()
    try:
        device = sounddevice.query_devices(kind="output")
    except (sounddevice.PortAudioError, ValueError) as error:
        raise SoundError(
            "There is no sound device to play on; connect one or choose it as the system's default."
        ) from error
    return _device(device, device["name"])


def list_devices() -> list[Device]:
    """Return every output; one whose name several sound systems use has its system's name after it."""
    sounddevice = load_portaudio()
    outputs = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
    apis = [str(api["name"]) for api in sounddevice.query_hostapis()]
    systems = {apis[device["hostapi"]] for device in outputs}
    if systems - OLDER_APIS:
        outputs = [device for device in outputs if apis[device["hostapi"]] not in OLDER_APIS]
    uses = Counter(device["name"] for device in outputs)
    return [
        _device(device, f"{device['name']} ({apis[device['hostapi']]})" if uses[device["name"]] > 1 else device["name"])
        for device in outputs
    ]


def find_device(wanted: str | None) -> Device:
    """Return the output that ``wanted`` means (`naming.choose`), or without a name the default.

    Raises:
        SoundError: there is none, or several fit.
    """
    if wanted is None:
        return default_device()
    devices = {device.name: device for device in reversed(list_devices())}  # of two with one name, the first
    return devices[choose(wanted, list(reversed(devices)), DEVICE)]


def open_output(device: Device, rate: int, fill: Fill) -> Any:
    """Return sounddevice's stream into ``device``, not yet started, of float32 samples; SoundError if it is refused."""
    sounddevice = load_portaudio()
    channels = min(device.channels, MOST_CHANNELS)
    settings = {"device": device.index, "samplerate": rate, "channels": channels, "dtype": "float32"}
    try:
        with quiet_stderr():
            return sounddevice.OutputStream(**settings, latency=LATENCY_SECONDS, callback=fill)
    except sounddevice.PortAudioError as error:
        if rate != device.rate:
            raise SoundError(
                f"The sound device {device.name!r} does not take {rate} samples a second; give --rate {device.rate}."
            ) from error
        raise SoundError(f"The sound device {device.name!r} cannot be opened ({error}); close what uses it.") from error


def start(stream: Any) -> bool:
    """Start a stream of `open_output`, and return whether its device is still there."""
    try:
        stream.start()
    except load_portaudio().PortAudioError:
        return False
    return True


def _device(found: dict[str, Any], name: str) -> Device:
    return Device(int(found["index"]), name, round(found["default_samplerate"]), int(found["max_output_channels"]))
