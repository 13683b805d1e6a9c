"""Whether the JACK server still runs, which rtmidi does not tell.

After its end the ports of its clients seem to be there, and what is sent to them is kept until the two thousandth or so
message waits for ever. libjack tells whoever has a client of their own: here one without ports, through ctypes, in the
very libjack that rtmidi has loaded.
"""

from __future__ import annotations

import ctypes
import threading

NO_START_SERVER = 1
"""JackNoStartServer of jack/types.h."""

Shutdown = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class JackServer:
    """The server that answers now."""

    def __init__(self, library: str, client: str) -> None:
        """Watch it as ``client``, through the libjack that the shared ``library`` was linked with.

        Where that has none, or no server answers, it is taken for running.
        """
        self._has_gone = threading.Event()
        self._client: int | None = None
        self._tell = Shutdown(lambda _: self._has_gone.set())  # kept, as libjack has its address
        try:
            self._jack = ctypes.CDLL(library)
            self._jack.jack_client_open.restype = ctypes.c_void_p
        except (OSError, AttributeError):
            return
        # What libjack has to say goes to a C function that does nothing; one in Python could wait for its own caller.
        self._jack.jack_set_error_function(ctypes.CDLL(None).strlen)
        self._client = self._jack.jack_client_open(client.encode(), NO_START_SERVER, None)
        if self._client is not None:
            self._jack.jack_on_shutdown(ctypes.c_void_p(self._client), self._tell, None)

    @property
    def is_running(self) -> bool:
        """Whether it still runs."""
        return not self._has_gone.is_set()

    def close(self) -> None:
        """Take leave of it."""
        if self._client is not None:
            self._jack.jack_client_close(ctypes.c_void_p(self._client))
            self._client = None
