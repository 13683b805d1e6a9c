"""The ports of a performance: open as long as it lasts, and opened again when they come back.

A port goes when its program is closed or its cable pulled, and nobody says so: the lists of ports are looked at now and
then. Until it is back the performance goes on as if it were there. What the player's thread must know comes to it as
messages: that the keys of an input that went are up, and that the receiver has missed something.

On JACK the server itself may end, and all its ports with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from cgrnn_live import ports
from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import CONTROL, Message
from cgrnn_live.listener import ALL_SOUND_OFF
from cgrnn_live.player import RESET
from cgrnn_live.portnames import PortError, find_again, is_there
from cgrnn_live.status import tell

RETRY_SECONDS = 1.0
"""Between two attempts to open what could not be opened."""

Port = Literal["output", "input"]

KEYS_UP: Message = (CONTROL, ALL_SOUND_OFF, 0)


class Connections:
    """An output and, if there is one, an input. All but `send` is for one thread.

    Attributes:
        reopened: how often a port was opened again.
    """

    def __init__(
        self, api: str, output: str, source: str | None, put: Callable[[Arrival], None], *, hears_clock: bool = False
    ) -> None:
        """Open both; PortError if that fails.

        Args:
            api: "alsa", "jack", "coremidi" or "winmm".
            output: the full name of the output.
            source: the full name of the input; None for a virtual one where the system can.
            put: takes what arrives.
            hears_clock: whether MIDI clocks are heard.
        """
        self._api = api
        self._put = put
        self._hears_clock = hears_clock
        self._sending = threading.Lock()
        self._not_before = 0.0  # time.monotonic() of the next attempt
        self._is_virtual = source is None and ports.has_virtual_ports(api)
        self._has_named_input = source is not None
        self._names: dict[Port, str | None] = {"output": output, "input": source}
        self._seen: dict[Port, list[str]] = {"output": [], "input": []}  # what was listed when it was last there
        self._away: set[Port | Literal["server"]] = set()
        self.reopened = 0
        self._system: ports.System | None = None
        self._input: ports.Input | None = None
        self._output: ports.Output | None = None
        try:
            self._open_input()
            self._output = ports.Output(output, api)
            self._system = ports.System(api, lists_inputs=self._has_named_input)
        except BaseException:
            self.close()
            raise

    @property
    def output_name(self) -> str:
        """The output's name."""
        return str(self._names["output"])

    @property
    def input_name(self) -> str | None:
        """The input's name, a virtual one's too; None without an input."""
        return self._names["input"]

    def send(self, message: Message) -> None:
        """Send a message; where there is no port it is lost. For one thread, which need not be the others'."""
        with self._sending:
            if self._output is not None:
                self._output.send(message)

    def look(self) -> None:
        """See what has gone and what is back: to be called now and then, by the thread that closes."""
        if self._system is None:
            self._await_system()
        elif not self._system.is_running:
            self._lose_system()
        else:
            with suppress(PortError):
                self._look_at("output", self._system.outputs())
                if self._has_named_input:
                    self._look_at("input", self._system.inputs())

    def close(self) -> None:
        """Close all, and say what has not come back."""
        for what in sorted(self._away):
            tell(f"{self._title(what)} has not come back.")
        self._close_ports()

    def _look_at(self, what: Port, names: list[str]) -> None:
        name = self._names[what]
        assert name is not None
        if what in self._away:
            found = find_again(name, names, self._seen[what], self._api)
            if found is not None and self._may_try():
                self._names[what] = found
                self._open_again(what)
        elif is_there(name, names, self._api) and not (what == "output" and self._output_has_failed):
            self._seen[what] = names
        else:
            self._away.add(what)
            self._not_before = 0.0
            tell(f"{self._title(what)} has gone; waiting for it, Ctrl-C ends it.")
            if what == "input":
                self._put(Arrival(time.perf_counter_ns(), KEYS_UP))

    def _open_again(self, what: Port) -> None:
        if what == "input":
            self._close_input()
            self._open_input()
        else:
            self._close_output()
            output = ports.Output(self.output_name, self._api)
            with self._sending:
                self._output = output
            self._put(Arrival(time.perf_counter_ns(), RESET))
        self.reopened += 1
        self._find(what)

    def _lose_system(self) -> None:
        """Close all: libjack frees what is left of a dead server's clients once another one is opened."""
        self._away = {"server"}
        tell(f"{self._title('server')} has gone; waiting for it, Ctrl-C ends it.")
        if self._input is not None:
            self._put(Arrival(time.perf_counter_ns(), KEYS_UP))
        self._close_ports()

    def _await_system(self) -> None:
        if not self._may_try():
            return
        try:
            self._system = ports.System(self._api, lists_inputs=self._has_named_input)
            if self._is_virtual:
                self._open_input()
        except PortError:
            self._close_ports()
            return
        self._find("server")
        self._away = {"output", "input"} if self._has_named_input else {"output"}

    def _find(self, what: Port | Literal["server"]) -> None:
        self._away.discard(what)
        self._not_before = 0.0
        tell(f"{self._title(what)} is back.")

    def _may_try(self) -> bool:
        """Return whether it is time for an attempt; the next one is some time later."""
        if time.monotonic() < self._not_before:
            return False
        self._not_before = time.monotonic() + RETRY_SECONDS
        return True

    def _title(self, what: Port | Literal["server"]) -> str:
        return "The JACK server" if what == "server" else f"The MIDI {what} {self._names[what]!r}"

    @property
    def _output_has_failed(self) -> bool:
        return self._output is not None and self._output.has_failed

    def _open_input(self) -> None:
        if self._is_virtual or self._has_named_input:
            name = None if self._is_virtual else self._names["input"]
            self._input = ports.Input(self._put, self._api, name, hears_clock=self._hears_clock)
            self._names["input"] = self._input.name

    def _close_input(self) -> None:
        if self._input is not None:
            self._input.close()
            self._input = None

    def _close_output(self) -> None:
        with self._sending:
            output, self._output = self._output, None
        if output is not None:
            output.close()

    def _close_ports(self) -> None:
        self._close_output()
        self._close_input()
        if self._system is not None:
            self._system.close()
            self._system = None
