"""IDMT-SMT-Audio-Effects (Stein et al., 2010; zenodo.org/records/7544032), as it comes or merged into one folder.

The set has 55,044 WAV files of 2 s, 44.1 kHz, 16 bit, mono, such as

    Gitarre monophon/Samples/Tremolo/G73-45200-3341-33944.wav

beside lists in XML. What the lists say is in the files' names too, by the set's own ReadMe.txt. So folders may be any,
and the lists are not read:

    ABC-DDEFF-GHHI-KKKKK    one note                ABC-DDEEF-GHHI-KKKKK    several at once
    A   B bass, G guitar                            A   P (the ReadMe's table says G, its example and the files P)
    B   instrument and its setting, 1 to 9          B   the same
    C   1 finger, soft; 2 finger, loud; 3 pick      C   4 pick, interval; 5 pick, chord
    DD  MIDI pitch                                  DD  MIDI pitch, taken here for the lowest: the ReadMe does not say
    E   string; FF fret                             EE  interval or chord; F always 0
    G   effect group; HH effect; I one of its three settings; K a running number

Effect 12 is "no effect, amplifier simulation" in the ReadMe; its folder is named EQ, as that class is in the authors'
code, and so it is here. It may be missing: then there are eleven classes.

The split, within each of B, G and P, is by instrument setting and pitch: strings, fingers, effects and their settings
of one pitch lie on one side, and so do all chords upon it. Clips have the level of their files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cgrnn_bundle.waves import ORDER, Samples
from cgrnn_train.data.convert import Report, convert
from cgrnn_train.data.effects import CLASSES, NO_EFFECT
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.sounds import SPEC, read_sound, to_clip, within_full_scale
from cgrnn_train.data.source import list_sounds
from cgrnn_train.data.splits import SHARES, split_each_by_group
from cgrnn_train.data.store import check_target
from cgrnn_train.data.waves import Clip, write_waves

NAME = re.compile(r"([BGP])([1-9])([1-5])-(\d\d)(\d\d\d)-\d(\d\d)(\d)-\d+")

INSTRUMENTS = {"B": "bass", "G": "guitar", "P": "guitar, several notes"}
PLUCKING = {"1": "finger, soft", "2": "finger, loud", "3": "pick", "4": "pick, interval", "5": "pick, chord"}
EFFECT_NUMBERS = {
    "11": NO_EFFECT,
    "12": "eq",
    "21": "feedback-delay",
    "22": "slapback-delay",
    "23": "reverb",
    "31": "chorus",
    "32": "flanger",
    "33": "phaser",
    "34": "tremolo",
    "35": "vibrato",
    "41": "distortion",
    "42": "overdrive",
}
CHORDS = {
    "11": "minor third",
    "12": "major third",
    "13": "fourth",
    "14": "fifth",
    "15": "minor seventh",
    "16": "major seventh",
    "17": "octave",
    "21": "major triad",
    "22": "minor triad",
    "23": "sus4 triad",
    "24": "power chord",
    "25": "major seventh chord",
    "26": "dominant seventh chord",
    "27": "minor seventh chord",
}
COMPLETE_FILES = 55_044
"""A source with fewer is a part of the set, and must be called one."""


class Recording(NamedTuple):
    """What one file gives: a clip (22,050,)."""

    samples: Samples

    def content(self) -> bytes:
        """The samples."""
        return self.samples.tobytes()


@dataclass(frozen=True, slots=True)
class RecordingEncoder:
    """From the name of a sound file in `source` to its clip."""

    source: Path

    def __call__(self, name: str) -> Recording:
        """Return the clip, at the file's level unless resampling carries it beyond full scale; UnusableFileError."""
        return Recording(within_full_scale(to_clip(read_sound(self.source, name))))


def prepare_audio_effects(
    source: Path, out: Path, *, order: int = ORDER, seed: int = 0, workers: int = 1
) -> dict[str, Any]:
    """Write the recordings of a folder or zip of the set as data set `out`; return the meta. Raises DataError.

    order: of the linear prediction, see `WaveSpec`.
    """
    check_target(out)
    names = list_sounds(source)
    labels = {name: found for name in names if (found := read_labels(name))}
    if not labels:
        raise DataError(
            f"{source} holds no file named as in IDMT-SMT-Audio-Effects, such as G73-45200-3341-33944.wav, but "
            f"{names[0]}; for other notes use 'cgrnn-train prepare notes'"
        )
    split_of = split_each_by_group(
        list(labels), seed, lambda name: labels[name]["group"], lambda name: labels[name]["instrument"]
    )
    report = Report(source.resolve().name, len(names))
    for name in names:
        if name not in labels:
            report.skipped[name] = "has a name that is none of the set's"
    counts: Counter[str] = Counter()
    meta: dict[str, Any] = {
        "source": _title(len(labels)),
        "licence": "CC-BY-NC-ND 4.0",
        "seed": seed,
        "split_rule": f"{SHARES} of bass, guitar and chords by setting and pitch",
    }

    def clips() -> Iterator[Clip]:
        for name, (samples,) in convert(RecordingEncoder(source), list(labels), workers, report):
            counts[labels[name]["effect"]] += 1
            yield Clip(name, split_of[name], samples, labels[name])
        meta["files"] = report.counts
        meta["classes"] = {effect: counts[effect] for effect in (*CLASSES, "eq") if counts[effect]}

    written = write_waves(out, clips(), replace(SPEC, order=order), meta)
    report.write(out)
    return written


def read_labels(name: str) -> dict[str, Any] | None:
    """Return what a file's name says; None if it is no name of the set's."""
    match = NAME.fullmatch(PurePosixPath(name).stem)
    if match is None or match[6] not in EFFECT_NUMBERS:
        return None
    kind, setting, plucking, pitch, place, effect, effect_setting = match.groups()
    labels: dict[str, Any] = {
        "instrument": INSTRUMENTS[kind],
        "group": f"{kind}{setting}, pitch {int(pitch)}",
        "setting": int(setting),
        "plucking": PLUCKING[plucking],
        "pitch": int(pitch),
        "effect": EFFECT_NUMBERS[effect],
        "parameters": {"setting": int(effect_setting)},
    }
    if kind == "P":
        return {**labels, "chord": CHORDS.get(place[:2], place[:2])}
    return {**labels, "string": int(place[0]), "fret": int(place[1:])}


def _title(files: int) -> str:
    """Name the set as results on it must name it."""
    return f"{'part of ' if files < COMPLETE_FILES else ''}IDMT-SMT-Audio-Effects ({files} files)"
