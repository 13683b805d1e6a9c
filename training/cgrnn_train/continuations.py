"""How systems go on from the first second of a sound, all under one protocol, and how near that is to the sound itself.

The prompt is the first second of a held-out clip (73 frames of 150 samples at 11,025 Hz); a system hears its frames and
plays those that follow (74: a second at least), and one coder makes the prompt's samples frames and these samples.
Samples are held within ±1, and what is held is what the coder goes on from; a continuation with a frame that is no
number is at full scale from there on. Three measures:

kept         How long the pitch stays that of the prompt, which is the median of its second half. It is looked for in
             windows of 12 frames, a frame apart, that lie *wholly in the continuation*: none sees the prompt. A window
             has kept it if its pitch (`cgrnn_train.pitch`) is within 50 cents, of a clarity of ½ or more (as much power
             in the periodic part as in the rest), and each frame of it is at −60 dB or more (a sine of full scale at
             −3). It is lost in the middle of the first window that has not, and at 0 if that is the first of all. If
             all have, it was kept to the end, and only then for a second; what becomes of it in the last 0.08 s, half a
             window, need not show.
convergence  Spectral convergence ‖|S| − |Ŝ|‖ / ‖|S|‖ (Frobenius) of the magnitudes of the real continuation S and the
             played one Ŝ (Arik, Jun and Diamos, "Fast spectrogram inversion using multi-head convolutional neural
             networks", IEEE Signal Processing Letters 26, 2019), Hann windows of 1,024 samples, 256 apart. 0 is the
             same but for phases; silence has 1.
level_db     Level of the last tenth of a second over that of the real continuation, decibels.

Only clips are taken that sound on (−50 dB or more in the second second) at a steady pitch: in all windows of the real
continuation it is as clear and as loud as above, and within 50 cents of their median.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_bundle.waves import Samples, WaveCoder, WaveSpec
from cgrnn_train.bootstrap import bootstrap_ratio
from cgrnn_train.data.store import Piece
from cgrnn_train.data.waves import Waves
from cgrnn_train.pitch import Pitches, pitches
from cgrnn_train.scores import Estimate

PROMPT_SECONDS, SECONDS = 1.0, 1.0
PITCH_SECONDS = 0.16
"""Of a window, at least: five periods of 31 Hz."""

MOST_CENTS, LEAST_CLARITY = 50.0, 0.5
LEAST_LEVEL_DB, LEAST_CLIP_LEVEL_DB = -60.0, -50.0
FLOOR_DB = -96.0
"""Of any level that is compared: a step of 16-bit sound."""

END_SECONDS = 0.1
TRANSFORM, TRANSFORM_HOP = 1_024, 256
"""Samples of a window for the spectral convergence, and from one to the next."""

Generate = Callable[[int, Tensor], Tensor]
"""`System.generate` with a batch of prompts."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The beginning of a clip, and how it really goes on.

    Attributes:
        piece: the clip.
        samples: of the prompt, (time,).
        frames: the same as a system hears it, (time, visible).
        coder: that made them, as it is after them.
        real: the samples that follow, (time,).
        frequency: the prompt's pitch, Hz.
    """

    piece: Piece
    samples: Samples
    frames: Samples
    coder: WaveCoder
    real: Samples
    frequency: float


class Likeness(NamedTuple):
    """How near a continuation is to the real one: see above."""

    kept_seconds: float
    convergence: float
    level_db: float


def prompts_of(
    data: Waves, *, splits: Sequence[str] = ("test",), effect: str = "none", seconds: float = SECONDS
) -> list[Prompt]:
    """The prompts of all clips of ``splits`` with ``effect`` that sound on for ``seconds`` at a steady pitch."""
    spec = data.spec
    heard, count = _frames_within(PROMPT_SECONDS, spec), frames_of(seconds, spec)
    found: list[Prompt] = []
    for piece in (piece for split in splits for piece in data.pieces(split)):
        if piece.labels.get("effect", "none") != effect or piece.length < heard + count:
            continue
        before, real, _ = np.split(data.samples(piece), np.cumsum([heard, count]) * spec.frame_samples)
        frequency = _frequency(before[len(before) // 2 :], spec)
        if not math.isnan(frequency) and level_db(real) >= LEAST_CLIP_LEVEL_DB and _is_steady(real, spec):
            coder = WaveCoder(spec, loudest=1.0)
            frames = np.stack([coder.encode(row) for row in before.reshape(heard, -1)])
            found.append(Prompt(piece, before, frames, coder, real, frequency))
    return found


def frames_of(seconds: float, spec: WaveSpec) -> int:
    """The least number of frames that last ``seconds``."""
    return math.ceil(seconds / spec.frame_seconds - 1e-9)


def continuations(generate: Generate, prompts: Sequence[Prompt]) -> list[Samples]:
    """What ``generate`` plays after each of ``prompts``, (time,) samples within ±1, as long as the real ones."""
    if not prompts:
        return []
    count = len(prompts[0].real) // prompts[0].frames.shape[1]
    played = generate(count, torch.from_numpy(np.stack([prompt.frames for prompt in prompts]))).float().numpy()
    return [_decode(rows, prompt) for rows, prompt in zip(played, prompts, strict=True)]


def prediction_alone(count: int, prompt: Tensor) -> Tensor:
    """Frames of 0: what the coder's prediction makes of a prompt by itself."""
    return prompt.new_zeros(len(prompt), count, prompt.shape[-1])


def compare(played: Samples, prompt: Prompt) -> Likeness:
    """Compare what was ``played`` after ``prompt``, (time,), with the real continuation."""
    spec = prompt.coder.spec
    end = round(END_SECONDS * spec.sample_rate)
    return Likeness(
        kept_seconds(played, prompt.frequency, spec),
        spectral_convergence(played, prompt.real),
        max(level_db(played[-end:]), FLOOR_DB) - max(level_db(prompt.real[-end:]), FLOOR_DB),
    )


def nearer(
    ours: Sequence[Likeness], theirs: Sequence[Likeness], prompts: Sequence[Prompt], *, seed: int = 0
) -> tuple[float, Estimate]:
    """How much nearer ``ours`` are to the real continuations of ``prompts`` than ``theirs``, by spectral convergence.

    Returns the share of clips whose own is lower, and the mean of theirs − ours, with its 95 % bootstrap interval by
    song (`Piece.song`: the takes of a note go together).
    """
    gains = np.array([other.convergence - own.convergence for own, other in zip(ours, theirs, strict=True)])
    songs = [prompt.piece.song for prompt in prompts]
    return float((gains > 0).mean()), bootstrap_ratio(gains, np.ones(len(gains)), songs, seed=seed)


def kept_seconds(played: Samples, frequency: float, spec: WaveSpec) -> float:
    """How long ``played`` (time,) keeps the pitch ``frequency``, Hz, from its beginning: see above."""
    window = _pitch_window(spec)
    has_kept = _is_near(_pitches(played, spec), frequency) & _is_loud(played, spec)
    if has_kept.all():
        return len(played) / spec.sample_rate
    first = int(has_kept.argmin())
    return (first * spec.frame_samples + window / 2) / spec.sample_rate if first else 0.0


def spectral_convergence(played: Samples, real: Samples) -> float:
    """‖|S| − |Ŝ|‖ / ‖|S|‖ of ``real`` S and ``played`` Ŝ, both (time,), one window of samples at least."""
    theirs, ours = _magnitudes(real), _magnitudes(played)
    return float(np.linalg.norm(theirs - ours) / np.linalg.norm(theirs))


def level_db(samples: Samples) -> float:
    """Root mean square of ``samples`` (time,) in decibels of full scale."""
    return float(20 * np.log10(np.sqrt(np.square(samples, dtype=np.float64).mean()) + 1e-12))


def _frames_within(seconds: float, spec: WaveSpec) -> int:
    return math.floor(seconds / spec.frame_seconds + 1e-9)


def _pitch_window(spec: WaveSpec) -> int:
    return frames_of(PITCH_SECONDS, spec) * spec.frame_samples


def _pitches(samples: Samples, spec: WaveSpec) -> Pitches:
    return pitches(samples, spec.sample_rate, window=_pitch_window(spec), hop=spec.frame_samples)


def _is_near(heard: Pitches, frequency: float) -> NDArray[np.bool_]:
    """Whether each window has a clear pitch near ``frequency``, (windows,); none is near NaN."""
    cents = 1200 * np.abs(np.log2(heard.frequencies / frequency))
    return (cents <= MOST_CENTS) & (heard.clarity >= LEAST_CLARITY)


def _is_loud(samples: Samples, spec: WaveSpec) -> NDArray[np.bool_]:
    """Whether every frame of each window has the level, (windows,)."""
    frames = samples[: len(samples) // spec.frame_samples * spec.frame_samples].reshape(-1, spec.frame_samples)
    is_loud = np.array([level_db(frame) >= LEAST_LEVEL_DB for frame in frames])
    return np.lib.stride_tricks.sliding_window_view(is_loud, frames_of(PITCH_SECONDS, spec)).min(axis=1)


def _frequency(samples: Samples, spec: WaveSpec) -> float:
    """The median of the clear pitches of ``samples`` (time,), Hz; NaN if there is none."""
    heard = _pitches(samples, spec)
    clear = heard.frequencies[heard.clarity >= LEAST_CLARITY]
    return float(np.median(clear)) if len(clear) else math.nan


def _is_steady(samples: Samples, spec: WaveSpec) -> bool:
    return bool((_is_near(_pitches(samples, spec), _frequency(samples, spec)) & _is_loud(samples, spec)).all())


def _decode(frames: Samples, prompt: Prompt) -> Samples:
    coder, played = copy.deepcopy(prompt.coder), np.ones(frames.shape, np.float32)
    for row, frame in zip(played, frames, strict=True):
        if not np.isfinite(frame).all():
            break
        row[:] = coder.decode(frame)
    return played.reshape(-1)


def _magnitudes(samples: Samples) -> NDArray[np.float64]:
    """|S|, (time, frequency)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), TRANSFORM)[::TRANSFORM_HOP]
    return np.abs(np.fft.rfft(windows * np.hanning(TRANSFORM + 1)[:-1]))
