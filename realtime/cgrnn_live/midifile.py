"""Standard MIDI Files, format 1, written a message at a time: what is so far written can be a whole file at any moment.

Reference: MIDI Association, Standard MIDI Files 1.0 (RP-001).
"""

from __future__ import annotations

import struct

from cgrnn_live.ledger import NOTE_OFF, NOTE_ON, Message

TICKS_PER_BEAT = 480

_END_OF_TRACK = b"\x00\xff\x2f\x00"


class Track:
    """A named track of channel messages, encoded as they come."""

    def __init__(self, name: str, bpm: float) -> None:
        """Begin a track whose seconds become ticks at ``bpm``."""
        self._data = bytearray(b"\x00" + _meta(0x03, name.encode("ascii")))
        self._ticks_per_second = bpm * TICKS_PER_BEAT / 60
        self._tick = 0
        self._sounding: set[tuple[int, int]] = set()  # (channel, pitch)
        self.is_empty = True

    def add(self, message: Message, seconds: float) -> None:
        """Add a channel message at a time in seconds; one earlier than the last is put at the last one's time."""
        tick = max(self._tick, round(seconds * self._ticks_per_second))
        self._data += _variable_length(tick - self._tick) + bytes(message)
        self._tick = tick
        self.is_empty = False
        status, *data = message
        if status & 0xF0 == NOTE_ON and data[1] > 0:
            self._sounding.add((status & 0x0F, data[0]))
        elif status & 0xF0 in (NOTE_ON, NOTE_OFF):
            self._sounding.discard((status & 0x0F, data[0]))

    def chunk(self, seconds: float = 0.0) -> bytes:
        """Return the track as a file holds it; notes that still sound end at ``seconds``."""
        gap = max(0, round(seconds * self._ticks_per_second) - self._tick)
        ends = b""
        for channel, pitch in sorted(self._sounding):
            ends += _variable_length(gap) + bytes((NOTE_OFF | channel, pitch, 0))
            gap = 0
        return _chunk(b"MTrk", bytes(self._data) + ends + _END_OF_TRACK)


def midi_file(tracks: list[bytes], bpm: float) -> bytes:
    """Return a file of format 1: a track with the tempo, then ``tracks`` (`Track.chunk`)."""
    tempo = round(60_000_000 / bpm).to_bytes(3, "big")  # microseconds a beat
    conductor = _chunk(b"MTrk", b"\x00" + _meta(0x51, tempo) + _END_OF_TRACK)
    header = _chunk(b"MThd", struct.pack(">HHH", 1, 1 + len(tracks), TICKS_PER_BEAT))
    return header + conductor + b"".join(tracks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack(">I", len(data)) + data


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _variable_length(len(data)) + data


def _variable_length(value: int) -> bytes:
    """Return 7 bits a byte, the most significant first, the top bit set in all but the last."""
    data = [value & 0x7F]
    while value := value >> 7:
        data.append(0x80 | value & 0x7F)
    return bytes(reversed(data))
