"""MIDI ports: which API, which ports, opening and closing them. python-rtmidi is wrapped here and nowhere else.

rtmidi rather than mido's ports, because the API, the client's name and the moment of arrival matter here, and because
an unknown port must say which ports there are.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cgrnn_live.clock import Arrival
from cgrnn_live.jack_server import JackServer
from cgrnn_live.ledger import Message
from cgrnn_live.portnames import PortError, match
from cgrnn_live.quiet import quiet_stderr

rtmidi: Any = importlib.import_module("rtmidi")  # compiled, and without type stubs

CLIENT = "cgrnn-live"

APIS = {
    "alsa": rtmidi.API_LINUX_ALSA,
    "jack": rtmidi.API_UNIX_JACK,
    "coremidi": rtmidi.API_MACOSX_CORE,
    "winmm": rtmidi.API_WINDOWS_MM,
}
"""By name, in the order in which "auto" tries those that this system has."""

SETTLING_SECONDS = 0.05
"""Before closing an output: JACK takes messages once a period, and loses what it has not taken when the port closes."""

POLL_SECONDS = 0.001
"""Between two looks for what has arrived."""


def choose_api(wanted: str = "auto") -> str:
    """Return the name of the MIDI API to use: ``wanted``, or for "auto" the first of `APIS` that answers.

    Raises:
        PortError: it is not part of this build of rtmidi, or does not answer.
    """
    built = rtmidi.get_compiled_api()
    candidates = [name for name, code in APIS.items() if code in built and wanted in ("auto", name)]
    for name in candidates:
        if _answers(name):
            return name
    if wanted != "auto" and not candidates:
        here = ", ".join(name for name, code in APIS.items() if code in built) or "none"
        raise PortError(f"The MIDI API {wanted!r} does not exist on this system; it has {here}.")
    what = " and ".join(candidates) or "none"
    raise PortError(f"No MIDI system answers (tried {what}); {_remedy()}, then run `cgrnn-live doctor`.")


def list_inputs(api: str) -> list[str]:
    """Return the names of the ports that can be listened to."""
    return _list(rtmidi.MidiIn, api)


def list_outputs(api: str) -> list[str]:
    """Return the names of the ports that can be played into."""
    return _list(rtmidi.MidiOut, api)


def has_virtual_ports(api: str) -> bool:
    """Return whether a program can make ports of its own: everywhere but on Windows."""
    return api != "winmm"


class System:
    """A MIDI system that is asked again and again what ports it has: with clients that stay, as one costs 20 ms."""

    def __init__(self, api: str, *, lists_inputs: bool = True) -> None:
        """Ask ``api``; PortError if it does not answer."""
        kinds = (rtmidi.MidiOut, rtmidi.MidiIn) if lists_inputs else (rtmidi.MidiOut,)
        self._clients = {kind: _new(kind, api, f"{CLIENT} list") for kind in kinds}
        self._server = JackServer(rtmidi._rtmidi.__file__, f"{CLIENT} list") if api == "jack" else None

    @property
    def is_running(self) -> bool:
        """Whether it is still there. If not, close all ports and this before anything is opened again."""
        return self._server is None or self._server.is_running

    def inputs(self) -> list[str]:
        """See `list_inputs`."""
        return self._ports(rtmidi.MidiIn)

    def outputs(self) -> list[str]:
        """See `list_outputs`."""
        return self._ports(rtmidi.MidiOut)

    def close(self) -> None:
        """Ask no more."""
        for client in self._clients.values():
            client.delete()
        if self._server is not None:
            self._server.close()

    def _ports(self, kind: type[Any]) -> list[str]:
        return _names(self._clients[kind])


class Output:
    """An open MIDI output. Sending is for one thread only.

    Attributes:
        has_failed: whether a message could not be sent; it and those after it are lost.
    """

    def __init__(self, name: str, api: str) -> None:
        """Open the output that ``name`` means (`portnames.match`); PortError if none or several do, or it is in use."""
        self._port, self.name = _open(rtmidi.MidiOut, name, api, "output")
        self.has_failed = False

    def send(self, message: Message) -> None:
        """Send the bytes of one message."""
        try:
            self._port.send_message(message)
        except rtmidi.RtMidiError:
            self.has_failed = True

    def close(self) -> None:
        """Let the last messages leave, then close."""
        time.sleep(SETTLING_SECONDS)
        self._port.close_port()
        time.sleep(SETTLING_SECONDS)  # rtmidi frees the messages' buffer while JACK's thread may still look into it
        self._port.delete()


class Input:
    """An open MIDI input that stamps each message within `POLL_SECONDS` of its arrival and hands it on."""

    def __init__(
        self, put: Callable[[Arrival], None], api: str, name: str | None = None, *, hears_clock: bool = False
    ) -> None:
        """Open the input that ``name`` means, or without one a virtual input; PortError as for `Output`.

        MIDI clocks come through only if it ``hears_clock``.
        """
        if name is None:
            self._port, self.name = _new(rtmidi.MidiIn, api, f"{CLIENT} in"), f"{CLIENT} in"
            try:
                self._port.open_virtual_port(self.name)
            except rtmidi.RtMidiError as error:
                raise PortError(f"The MIDI input {self.name!r} cannot be made ({error}); {_remedy()}.") from error
        else:
            self._port, self.name = _open(rtmidi.MidiIn, name, api, "input")

        self._port.ignore_types(timing=not hears_clock)  # the rest as it is by default: ignored
        self._end_listening = listen(self._port, lambda message: put(Arrival(time.perf_counter_ns(), message)))

    def close(self) -> None:
        """Close; what arrives meanwhile is lost."""
        self._end_listening()
        self._port.close_port()
        self._port.delete()


def listen(port: Any, put: Callable[[Message], None]) -> Callable[[], None]:
    """Hand each message that arrives at an rtmidi input to ``put``, from a thread of ours.

    A callback would be called from a thread of the MIDI system's, which then waits for Python's lock: under JACK all
    programs wait with it, and if the port is closed meanwhile, ours crashes or stands still (decision 18).

    Returns:
        What ends this; call it before the port is closed.
    """
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.is_set():
            while (event := port.get_message()) is not None:
                put(tuple(event[0]))
            time.sleep(POLL_SECONDS)

    polling = threading.Thread(target=poll, name="listener", daemon=True)
    polling.start()

    def end() -> None:
        is_over.set()
        polling.join()

    return end


def _list(kind: type[Any], api: str) -> list[str]:
    port = _new(kind, api, CLIENT)
    try:
        return _names(port)
    finally:
        port.delete()


def _names(port: Any) -> list[str]:
    try:
        return port.get_ports()
    except rtmidi.RtMidiError as error:  # a port went while it was asked for its name
        raise PortError(f"The MIDI ports cannot be listed ({error}); try again.") from error


def _open(kind: type[Any], wanted: str, api: str, what: str) -> tuple[Any, str]:
    port = _new(kind, api, CLIENT if what == "output" else f"{CLIENT} in")
    names = _names(port)
    name = match(wanted, names, api, what)
    try:
        port.open_port(names.index(name), "out" if what == "output" else "in")
    except rtmidi.RtMidiError as error:
        port.delete()
        raise PortError(
            f"The MIDI {what} {name!r} cannot be opened ({error}); close what uses it, or give another port."
        ) from error
    return port, name


def _new(kind: type[Any], api: str, client: str) -> Any:
    try:
        with quiet_stderr():
            return kind(rtapi=APIS[api], name=client)
    except rtmidi.RtMidiError as error:
        raise PortError(f"The MIDI API {api!r} does not answer; {_remedy()}.") from error


def _answers(api: str) -> bool:
    with suppress(PortError):
        _new(rtmidi.MidiOut, api, CLIENT).delete()
        return True
    return False


def _remedy() -> str:
    if sys.platform.startswith("linux"):
        return "load ALSA's sequencer (`sudo modprobe snd-seq`) or start a JACK server"
    return "restart the computer's MIDI service"
