"""A small electric piano, so that a model can be heard with nothing else installed.

Each note is two-operator frequency modulation (Chowning, 1973): a carrier modulated at its own frequency, bright at
first and mellow soon, plus a short tine seven times higher. A note is a closed form of the time since it began, so
that samples computed in blocks are those computed at once.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.frames import Note
from cgrnn_live.recording import replacing

SAMPLE_RATE = 44_100
MAX_VOICES = 48
TAIL_SECONDS = 2.0
"""After the last note has ended."""

ATTACK, RELEASE, BRIGHTNESS_DECAY, TINE_DECAY = 0.002, 0.09, 0.4, 0.15  # time constants, seconds
ECHO_SECONDS, ECHO_GAIN = 0.375, 0.22
GAIN = 0.32
INAUDIBLE = 1e-4
BLOCK = 1024

Samples = NDArray[np.float32]


@dataclass
class Voice:
    """A note that sounds: when it began and, if it has, ended, in samples."""

    pitch: int
    velocity: int
    began: int
    ended: int | None = None


class Synth:
    """Plays notes as stereo samples, a block at a time; not thread-safe."""

    def __init__(self, sample_rate: float = SAMPLE_RATE) -> None:
        """Make a silent synth."""
        self.sample_rate = sample_rate
        self._voices: list[Voice] = []
        self._position = 0
        self._echo = np.zeros((round(ECHO_SECONDS * sample_rate), 2), np.float32)

    def note_on(self, pitch: int, velocity: int = 80) -> None:
        """Begin a note now; velocity 1..127. Beyond `MAX_VOICES` the oldest is cut off."""
        self._voices.append(Voice(pitch, velocity, self._position))
        del self._voices[:-MAX_VOICES]

    def note_off(self, pitch: int) -> None:
        """Let the notes of this pitch fade."""
        for voice in self._voices:
            if voice.pitch == pitch and voice.ended is None:
                voice.ended = self._position

    def render(self, count: int) -> Samples:
        """Return the next ``count`` samples, (count, 2) between -1 and 1."""
        out = np.empty((count, 2), np.float32)
        for start in range(0, count, BLOCK):
            block = out[start : start + BLOCK]
            block[:] = self._block(len(block))
        return out

    def _block(self, count: int) -> Samples:
        now = self._position + np.arange(count)
        mix = np.zeros((count, 2), np.float32)
        if self._voices:
            tones, loudness = self._tones(now)
            mix += GAIN * (tones.T @ self._panning())  # (sample, channel)
            self._voices = [v for v, left in zip(self._voices, loudness[:, -1], strict=True) if left > INAUDIBLE]
        places = now % len(self._echo)  # each once: a block is shorter than the echo
        mix += ECHO_GAIN * self._echo[places, ::-1]  # from side to side
        self._echo[places] = mix
        self._position += count
        return np.tanh(mix)

    def _tones(self, now: NDArray[np.int64]) -> tuple[Samples, Samples]:
        """Return the voices' samples at ``now`` and how loud they are without the attack, both (voice, sample)."""
        pitch = np.array([[voice.pitch] for voice in self._voices])
        strength = np.array([[voice.velocity / 127] for voice in self._voices], np.float32)
        began = np.array([[voice.began] for voice in self._voices])
        ended = np.array([[now[-1] + 1 if voice.ended is None else voice.ended] for voice in self._voices])
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        cycles = frequency * (now - began) / self.sample_rate
        phase = (2 * np.pi * (cycles - np.floor(cycles))).astype(np.float32)
        age = ((now - began) / self.sample_rate).astype(np.float32)
        released = (np.maximum(0, now - ended) / self.sample_rate).astype(np.float32)

        decay = (2.2 * 2 ** ((60 - pitch) / 24)).astype(np.float32)
        loudness = strength * np.exp(-age / decay - released / RELEASE)
        depth = np.minimum(1.6, 960 / frequency).astype(np.float32) * strength
        tone = np.sin(phase + depth * np.exp(-age / BRIGHTNESS_DECAY) * np.sin(phase))
        has_tine = 7 * frequency < self.sample_rate / 3
        tone += np.where(has_tine, 0.12 * strength, 0) * np.exp(-age / TINE_DECAY) * np.sin(7 * phase)
        return tone * loudness * -np.expm1(-age / ATTACK), loudness

    def _panning(self) -> Samples:
        """Return each voice's gains at equal power, low notes to the left, (voice, channel)."""
        side = np.array([np.clip((voice.pitch - 60) / 96, -0.4, 0.4) for voice in self._voices], np.float32)
        angle = (side + 1) * np.pi / 4
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def synthesise(notes: Sequence[Note], sample_rate: int = SAMPLE_RATE) -> Iterator[Samples]:
    """Yield the samples of ``notes`` and a tail for them to fade in, in blocks (samples, 2) between -1 and 1."""
    synth = Synth(sample_rate)
    events = [(round(n.end * sample_rate), False, n.pitch) for n in notes]
    events += [(round(n.start * sample_rate), True, n.pitch) for n in notes]
    position = 0
    for at, begins, pitch in sorted(events):
        yield from _blocks(synth, at - position)
        position = at
        if begins:
            synth.note_on(pitch)
        else:
            synth.note_off(pitch)
    yield from _blocks(synth, round(TAIL_SECONDS * sample_rate))


def _blocks(synth: Synth, count: int) -> Iterator[Samples]:
    for start in range(0, count, BLOCK):
        yield synth.render(min(BLOCK, count - start))


def write_wav(path: Path, blocks: Iterable[Samples], sample_rate: int = SAMPLE_RATE) -> None:
    """Write blocks of (samples, 2) between -1 and 1 as a 16-bit WAV file; FileError if it cannot be written."""
    with replacing(path) as target, wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        for block in blocks:
            file.writeframes(np.round(block * 32767).astype("<i2").tobytes())
