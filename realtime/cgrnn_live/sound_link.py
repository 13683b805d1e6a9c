"""The near end of the sound card's process: starting it, sending it samples, hearing how it goes (`sound_process`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.sound_card import SoundError
from cgrnn_live.sound_process import END, HEADER, LARGEST_MESSAGE, SAMPLES, STOP

Samples = NDArray[np.float32]

OPENING_SECONDS = 20.0
"""Longest wait for a device to open: Bluetooth takes seconds."""

HANG_SECONDS = 5.0
"""A process that has said nothing for so long hangs in its device's driver."""

CLOSING_SECONDS = 3.0

LARGEST_SEND = LARGEST_MESSAGE // 4
"""Samples."""


@dataclass(frozen=True)
class Report:
    """How the sound goes, since the device was opened.

    taken: samples that the device has asked for and got.
    underruns: times that our ring ran dry.
    underflows: times that the device says it had nothing to play; by its driver's account, whatever the cause.
    level: the highest sample of the next twentieth of a second, 0 to 1.
    """

    taken: int = 0
    underruns: int = 0
    underflows: int = 0
    level: float = 0.0


class SoundLink:
    """An open sound device, in a process of its own. `send`, `finish` and `stop` are for one thread; the rest for any.

    Attributes:
        device: its name.
        rate: samples a second.
        sent: samples sent.
        report: the last report.
        is_done: all has been played, or was stopped.
    """

    def __init__(self, device: str | None = None, rate: int | None = None) -> None:
        """Open the device that the name means, or the default, at ``rate`` or its own; SoundError if there is none."""
        self.sent = 0
        self.report = Report()
        self.is_done = False
        self._opened: dict[str, Any] | None = None
        self._error: str | None = None
        self._has_left = False
        self._heard_at = time.monotonic()
        self._change = threading.Condition()
        self._process = _start(device, rate)
        threading.Thread(target=self._listen, daemon=True).start()
        with self._change:
            self._change.wait_for(lambda: self._opened or self._has_left, OPENING_SECONDS)
        if self._opened is None:
            self.kill()
            raise SoundError(self._error or "The sound system does not answer; restart it, or give another --device.")
        self.device, self.rate = str(self._opened["device"]), int(self._opened["rate"])
        self._capacity = int(self._opened["capacity"])

    @property
    def is_lost(self) -> bool:
        """Whether the device, or its process, has gone."""
        return self._has_left and not self.is_done

    def watch(self) -> None:
        """End the process if it hangs: its device is then lost. To be called now and then."""
        if time.monotonic() - self._heard_at > HANG_SECONDS:
            self._process.kill()

    @property
    def room(self) -> int:
        """Samples that the ring has room for, at least."""
        return self._capacity - (self.sent - self.report.taken)

    def wait(self, seconds: float) -> None:
        """Wait for the next report, or until the process leaves, but no longer than this."""
        with self._change:
            if not self._has_left:
                self._change.wait(seconds)

    def send(self, samples: Samples) -> None:
        """Send ``samples`` (time,), not more than there is `room` for; to a device that has gone they are lost."""
        for start in range(0, len(samples), LARGEST_SEND):
            part = samples[start : start + LARGEST_SEND]
            self._write(SAMPLES, part.astype(np.float32).tobytes())
            self.sent += len(part)

    def finish(self) -> None:
        """Say that no more samples will come: the sound ends when they have been played."""
        self._write(END)

    def stop(self) -> None:
        """Fade out now."""
        self._write(STOP)

    def close(self) -> None:
        """Let the process end after `finish` or `stop`; if it does not, end it."""
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        """End the process now, and with it whatever waits in sending to it."""
        self._process.kill()
        self._process.wait()

    def _write(self, kind: bytes, data: bytes = b"") -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # a broken pipe: it has gone, as `is_lost` will say
            self._process.stdin.write(HEADER.pack(kind, len(data)) + data)
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._hear(json.loads(line))
        with self._change:
            self._has_left = True
            self._change.notify_all()

    def _hear(self, said: dict[str, Any]) -> None:
        with self._change:
            self._heard_at = time.monotonic()
            self._opened = said.get("opened", self._opened)
            self._error = said.get("error", self._error)
            self.is_done = self.is_done or "done" in said
            if "taken" in said:
                self.report = Report(**{field.name: said[field.name] for field in fields(Report)})
            self._change.notify_all()


def _start(device: str | None, rate: int | None) -> subprocess.Popen[bytes]:
    # The search path is ours, and a file in the current folder never stands for a module.
    program = f"import sys; sys.path[:] = {sys.path!r}; from cgrnn_live.sound_process import main; main()"
    is_shown = os.environ.get("CGRNN_DEBUG") == "1"
    new_group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows
    return subprocess.Popen(
        [sys.executable, "-c", program, json.dumps({"device": device, "rate": rate})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if is_shown else subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us: we let it fade
        creationflags=new_group,
    )
