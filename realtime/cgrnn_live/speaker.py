"""The built-in synth on the default sound device."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.ledger import NOTE_OFF, NOTE_ON, Message
from cgrnn_live.quiet import quiet_stderr
from cgrnn_live.sound_card import LATENCY_SECONDS, SoundError, default_device, load_portaudio
from cgrnn_live.synth import RELEASE, Synth


class Speaker:
    """Sounds note messages at once; an output as `ports.Output` is."""

    def __init__(self) -> None:
        """Open the default device at its own sample rate; SoundError if there is none."""
        device = default_device()
        self.name = device.name
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._synth = Synth(device.rate)
        self._synth.render(1)  # the first call is slow
        sounddevice = load_portaudio()
        try:
            with quiet_stderr():
                self._stream = sounddevice.OutputStream(
                    samplerate=self._synth.sample_rate,
                    channels=2,
                    dtype="float32",
                    latency=LATENCY_SECONDS,
                    callback=self._fill,
                )
                self._stream.start()
        except sounddevice.PortAudioError as error:
            raise SoundError(
                f"The sound device {self.name!r} cannot be opened ({error}); close what uses it."
            ) from error

    def send(self, message: Message) -> None:
        """Sound a message with the next block."""
        self._messages.put(message)

    def close(self) -> None:
        """Let the last notes fade, then close."""
        time.sleep(self._stream.latency + 3 * RELEASE)
        self._stream.close()

    def _fill(self, out: NDArray[np.float32], count: int, _time: object, _status: object) -> None:
        while True:
            try:
                status, number, value = self._messages.get_nowait()
            except Empty:
                break
            if status & 0xF0 == NOTE_ON and value > 0:
                self._synth.note_on(number, value)
            elif status & 0xF0 in (NOTE_ON, NOTE_OFF):
                self._synth.note_off(number)
        out[:] = self._synth.render(count)
