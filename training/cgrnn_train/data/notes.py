"""Recorded notes, dry, and what effects make of them: a stand-in for IDMT-SMT-Audio-Effects.

A source is a folder or zip of sound files, one note each, an instrument a folder. Each note gives a clean clip and some
of the ten effects, so that there are that set's eleven classes. Effects are applied at the file's own rate, before it
is resampled. A clean clip peaks at −1 dB; an effect's has the same power as the clean one, or less where its peak would
be beyond that. A clip is named FILE#NUMBER, where NUMBER is its class in `CLASSES`.

The split is by pitch within each instrument: takes, loudnesses and strings of one pitch lie on one side, with all that
effects make of them. The pitch is read from the file's name; where that has none, what is left of the name without
counters is the group.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from cgrnn_bundle.waves import ORDER, Samples
from cgrnn_train.data.convert import Report, convert
from cgrnn_train.data.effects import CLASSES, EFFECTS, NO_EFFECT, apply_effect, draw_parameters
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.sounds import SPEC, Sound, read_sound, to_clip, within_full_scale
from cgrnn_train.data.source import list_sounds
from cgrnn_train.data.splits import SHARES, split_each_by_group
from cgrnn_train.data.store import check_target
from cgrnn_train.data.waves import Clip, write_waves

PEAK = 10 ** (-1 / 20)
"""Of full scale, −1 dB: no clip is louder."""

SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
PITCH = re.compile(r"(?P<letter>[a-g])(?P<sign>[b#]?)(?P<octave>-?\d)?", re.IGNORECASE)
COUNTER = re.compile(r"(rr|vl|take)\d+", re.IGNORECASE)
"""What tells takes of one sound apart in a file's name: round robins, velocity layers, takes."""


class Variant(NamedTuple):
    """A clip (22,050,) of a note: the class, its parameters, the samples."""

    effect: str
    parameters: dict[str, float]
    samples: Samples


class Variants(NamedTuple):
    """What one file gives: the clean clip and then those of effects, in the order of `CLASSES`."""

    clips: list[Variant]

    def content(self) -> bytes:
        """The clean clip."""
        return self.clips[0].samples.tobytes()


@dataclass(frozen=True, slots=True)
class NoteEncoder:
    """From the name of a sound file in `source` to its clean clip and those of `effects` effects."""

    source: Path
    effects: int
    seed: int

    def __call__(self, name: str) -> Variants:
        """Return the clips; UnusableFileError if the file gives none.

        Which effects, and their parameters, depend on the seed and the name alone; parameters not on how many effects.
        """
        samples, rate = read_sound(self.source, name)
        samples = (samples * (PEAK / np.abs(samples).max())).astype(np.float32)
        clean = to_clip(Sound(samples, rate))
        clean = (clean * (PEAK / np.abs(clean).max())).clip(-PEAK, PEAK).astype(np.float32)
        clips = [Variant(NO_EFFECT, {}, clean)]
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
        chosen = np.random.default_rng([self.seed, key]).permutation(len(EFFECTS))[: self.effects]
        for number in sorted(chosen.tolist()):
            effect = CLASSES[number + 1]
            parameters = draw_parameters(effect, np.random.default_rng([self.seed, key, number + 1]))
            wet = to_clip(Sound(apply_effect(effect, samples, rate, parameters), rate))
            level = np.linalg.norm(clean) / max(float(np.linalg.norm(wet)), 1e-9)
            clips.append(Variant(effect, parameters, within_full_scale((wet * level).astype(np.float32), PEAK)))
        return Variants(clips)


def prepare_notes(
    source: Path,
    out: Path,
    *,
    effects: int = len(EFFECTS),
    order: int = ORDER,
    seed: int = 0,
    workers: int = 1,
    licence: str = "unknown",
    description: str = "",
) -> dict[str, Any]:
    """Write the notes of a folder or zip, clean and with `effects` effects each, as data set `out`; return the meta.

    order: of the linear prediction, see `WaveSpec`. Raises DataError, also where `effects` is not 0 to 10.
    """
    if not 0 <= effects <= len(EFFECTS):
        raise DataError(f"found {effects} effects a note; expected 0 to {len(EFFECTS)}")
    check_target(out)
    names = list_sounds(source)
    split_of = split_each_by_group(names, seed, note_group, instrument)
    report = Report(source.resolve().name, len(names))
    counts: Counter[str] = Counter()
    meta: dict[str, Any] = {
        "source": f"{description or source.resolve().name}, with synthetic effects",
        "licence": licence,
        "seed": seed,
        "split_rule": f"{SHARES} of each instrument by pitch",
        "effects_a_note": effects,
    }

    def clips() -> Iterator[Clip]:
        for name, (variants,) in convert(NoteEncoder(source, effects, seed), names, workers, report):
            labels = {"instrument": instrument(name), "group": note_group(name), **_pitch_label(name)}
            for effect, parameters, samples in variants:
                counts[effect] += 1
                own = {**labels, "effect": effect, "parameters": parameters}
                yield Clip(f"{name}#{CLASSES.index(effect):02}", split_of[name], samples, own)
        meta["files"] = report.counts
        meta["classes"] = {effect: counts[effect] for effect in CLASSES}

    written = write_waves(out, clips(), replace(SPEC, order=order), meta)
    report.write(out)
    return written


def instrument(name: str) -> str:
    """Return the folder that a file lies in: its instrument; "" for a file in none."""
    return PurePosixPath(name).parent.name


def note_group(name: str) -> str:
    """Return what may not lie on two sides of a split: the file's folder and pitch, or its name without counters."""
    path = PurePosixPath(name)
    note = _note(name)
    if note is None:
        words = [word for word in _words(path.stem) if not COUNTER.fullmatch(word)]
        return str(path.with_name("_".join(words) or path.stem))
    return f"{path.parent}/{note if isinstance(note, str) else f'pitch {note}'}"


def _pitch_label(name: str) -> dict[str, int]:
    note = _note(name)
    return {"pitch": note} if isinstance(note, int) else {}


def _note(name: str) -> int | str | None:
    """Return the MIDI number of a file's pitch (C4 is 60), or its letter where there is no octave, or None.

    The last word of the name that is a pitch counts: strings and tunings stand before. Without an octave only a capital
    is one: f, p and mf are how loud.
    """
    pitches = [match for word in _words(PurePosixPath(name).stem) if (match := PITCH.fullmatch(word))]
    for match in reversed([each for each in pitches if each["octave"]]):
        octave = int(match["octave"]) + 1
        return 12 * octave + SEMITONES[match["letter"].lower()] + {"#": 1, "b": -1, "": 0}[match["sign"].lower()]
    capitals = [match.group() for match in pitches if match["letter"].isupper()]
    return capitals[-1] if capitals else None


def _words(stem: str) -> list[str]:
    return re.split(r"[_\s.]+|-(?!\d)", stem)
