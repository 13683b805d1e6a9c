"""The sound card in a process of its own: samples come in by a pipe, the device's callback takes them out of a ring.

Why a process: the callback is Python and needs the interpreter's lock, for which it would have to wait while the model
computes; and PortAudio may hang for minutes in closing a device that has vanished (with JACK, ten), which only the end
of the process gets over (docs/decisions/0011-the-sound-card-in-a-process-of-its-own.md).

In, on standard input: a kind and a number of bytes, packed by `HEADER`, then as many bytes.

    SAMPLES  float32, one channel; never more than the ring has room for
    END      no more will come: play what there is, then leave
    STOP     fade out at once, then leave; so does the end of the input

Out, on standard output, JSON lines: `{"opened": ...}` or `{"error": a sentence}`; then every `REPORT_SECONDS` what
`sound_link.Report` holds; at last `{"done": true}`, or `{"lost": true}` if the device has gone.

The stream starts once the ring is nearly full, or the end is known.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import sys
import threading
import time
from io import BufferedIOBase
from typing import Any

import numpy as np

from cgrnn_live.ring import Ring
from cgrnn_live.ring_reader import RingReader
from cgrnn_live.sound_card import SoundError, find_device, open_output, start

HEADER = struct.Struct("<cI")
SAMPLES, END, STOP = b"S", b"E", b"Q"

RING_SECONDS = 0.5
"""Some 35 frames of the model: longer than any pause of a computer that is not overloaded, short beside a person's
patience after Ctrl-C and `--device`."""

PREFILL = 0.9
"""How full the ring must be before the stream starts: whoever fills it does so by blocks that need not fit exactly."""

LARGEST_MESSAGE = 1 << 16
"""Bytes."""

REPORT_SECONDS = 0.02
METER_SECONDS = 0.05
"""The level is the peak of so much sound, the next to be heard."""

STALL_SECONDS = 2.0
"""A device that has not asked for samples for so long has gone; some drivers say nothing of it."""

CLOSING_SECONDS = 1.0
"""Longest wait for what PortAudio holds to be played."""


def main() -> None:
    """Run: the one argument is JSON of `device`, a name or null, and `rate`, samples a second or null."""
    wanted = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # C libraries print there
    try:
        code = _serve(wanted["device"], wanted["rate"], out)
    except BrokenPipeError:  # whoever started us has gone
        code = 1
    os._exit(code)  # not by way of PortAudio, which may hang


def _serve(name: str | None, rate: int | None, out: Any) -> int:
    try:
        device = find_device(name)
        rate = rate or device.rate
        ring = Ring(round(RING_SECONDS * rate))
        reader = RingReader(ring, rate)
        stream = open_output(device, rate, reader.fill)
    except SoundError as error:
        _say(out, error=str(error))
        return 0
    opened = {"device": device.name, "rate": rate, "capacity": ring.capacity}
    _say(out, opened=opened)
    gc.collect()
    gc.freeze()  # no full collection walks what was loaded while the device waits
    threading.Thread(target=_listen, args=(sys.stdin.buffer, ring, reader), daemon=True).start()
    while ring.available < PREFILL * ring.capacity and not (reader.is_ended or reader.is_stopping):
        time.sleep(REPORT_SECONDS)
        _report(out, ring, reader, np.zeros(0, np.float32))
    is_done = start(stream) and _watch(out, stream, ring, reader, np.zeros(round(METER_SECONDS * rate), np.float32))
    if is_done:
        closing = threading.Thread(target=_close, args=(stream,), daemon=True)
        closing.start()
        closing.join(CLOSING_SECONDS)
    _say(out, **{"done" if is_done else "lost": True})
    return 0


def _close(stream: Any) -> None:
    stream.stop()  # once what PortAudio holds has been played
    stream.close()


def _watch(out: Any, stream: Any, ring: Ring, reader: RingReader, meter: Any) -> bool:
    """Report until all has been played, True, or the device has gone, False."""
    calls, moved = reader.calls, time.monotonic()
    while not reader.is_silent:
        time.sleep(REPORT_SECONDS)
        _report(out, ring, reader, meter)
        now = time.monotonic()
        if reader.calls != calls:
            calls, moved = reader.calls, now
        if not stream.active or now - moved > STALL_SECONDS:
            return False
    _report(out, ring, reader, meter[:0])
    return True


def _report(out: Any, ring: Ring, reader: RingReader, meter: Any) -> None:
    count = ring.peek(meter)
    level = float(np.abs(meter[:count]).max(initial=0.0))
    _say(out, taken=ring.taken, underruns=reader.underruns, underflows=reader.underflows, level=level)


def _say(out: Any, **value: Any) -> None:
    out.write(json.dumps(value) + "\n")


def _listen(source: BufferedIOBase, ring: Ring, reader: RingReader) -> None:
    """Move samples from the pipe into the ring until it ends."""
    data = bytearray(LARGEST_MESSAGE)
    while len(head := source.read(HEADER.size)) == HEADER.size:
        kind, size = HEADER.unpack(head)
        if kind == END:
            reader.is_ended = True
        elif kind == STOP:
            break
        else:
            view = memoryview(data)[:size]
            source.readinto(view)
            samples = np.frombuffer(view, np.float32)
            while len(samples := samples[ring.write(samples) :]):
                time.sleep(REPORT_SECONDS)
    reader.is_stopping = True
