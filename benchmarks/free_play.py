"""How near a bundle's free play is to held-out music, beside an independent-pitch RNN and beside the training data.

    python benchmarks/free_play.py BUNDLE --data data/pop909 [--rnn runs/pop909-rnn-finish]

A set is 20 pieces of 60 s, each played from silence with a seed of its own, by the instrument's engine at the bundle's
defaults. One set's overlaps move by a few hundredths with the seeds, so 10 sets are played: the figures are the mean
and, in brackets, the standard deviation over sets; silence and chord are the worst of all.

Overlaps are Σ min(p, q) of the distributions that `cgrnn_train.statistics` defines, against the test split: 1 is the
same, 0 disjoint. A "bar" is 8 frames for all of them, whatever note value a piece of the data has for its frame: played
frames have none of their own.

The targets: each overlap at least 0.7 and above the RNN's, no silence longer than 4 s, no chord of more than 12 notes.
Exits with 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from cgrnn_bundle.bundle import Bundle, load
from cgrnn_bundle.shipped import find_bundle
from cgrnn_live.engine import Engine, Evidence, Frame
from cgrnn_live.render import improvise
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.models.rnn import RNN
from cgrnn_train.run import load as load_run
from cgrnn_train.statistics import DISTRIBUTIONS, Statistics, compare, statistics

FRAMES_PER_BAR = 8
LEAST_OVERLAP, LONGEST_SILENCE_SECONDS, LARGEST_CHORD = 0.7, 4, 12

Row = dict[str, float]
"""The overlaps of a body of music with the test split, and its extremes, by name."""


def play(bundle: Bundle, frames: int, seed: int, temperature: float | None, sweeps: int | None) -> Frame:
    """Free play from silence: (frames, 128)."""
    engine = Engine(bundle, seed=seed, temperature=temperature, sweeps=sweeps)
    return improvise(engine, Evidence.build(), frames)


def play_rnn(run: Path, frames: int, seed: int) -> Frame:
    """Free play of an RNN-I: (frames, 128)."""
    _, model = load_run(run)
    if not isinstance(model, RNN):
        raise SystemExit(f"{run} is not a run of rnn-1")
    torch.manual_seed(seed)
    return model.generate(frames).numpy().astype(bool)


def summarise(sets: list[Statistics], held_out: Statistics) -> Row:
    """The overlaps' means and standard deviations over sets, and the extremes of all."""
    overlaps = [compare(played, held_out) for played in sets]
    row: Row = {}
    for name in DISTRIBUTIONS:
        values = np.array([overlap[name] for overlap in overlaps])
        row[name], row[f"{name}_sd"] = float(values.mean()), float(values.std())
    row["mean"] = float(np.mean([row[name] for name in DISTRIBUTIONS]))
    row["longest_silence_seconds"] = max(played.longest_silence_seconds for played in sets)
    row["largest_chord"] = max(played.largest_chord for played in sets)
    return row


def judge(rows: dict[str, Row]) -> dict[str, bool]:
    """Whether "cgrnn" reaches each target; it need be above "rnn" only where there is one."""
    played = rows["cgrnn"]
    results = {f"{name} >= {LEAST_OVERLAP}": played[name] >= LEAST_OVERLAP for name in DISTRIBUTIONS}
    if "rnn" in rows:
        results |= {f"{name} above the RNN's": played[name] > rows["rnn"][name] for name in DISTRIBUTIONS}
    results[f"silence <= {LONGEST_SILENCE_SECONDS} s"] = played["longest_silence_seconds"] <= LONGEST_SILENCE_SECONDS
    results[f"chord <= {LARGEST_CHORD}"] = played["largest_chord"] <= LARGEST_CHORD
    return results


def main() -> None:
    """Play, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rnn", type=Path)
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--pieces", type=int, default=20, help="of a set")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--gibbs", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    data, bundle = PackedFrames.open(options.data), load(find_bundle(options.bundle))
    frame_seconds = bundle.manifest.frame.frame_seconds
    frames = round(options.seconds / frame_seconds)

    def measure(pieces: Iterable[Frame]) -> Statistics:
        return statistics(pieces, frame_seconds, FRAMES_PER_BAR)

    def of_split(split: str) -> Statistics:
        return measure(data.frames(piece) for piece in data.pieces(split))

    held_out = of_split("test")
    seeds = [range(first, first + options.pieces) for first in range(0, options.sets * options.pieces, options.pieces)]
    sampling = (options.temperature, options.gibbs)
    bodies = {"cgrnn": [measure(play(bundle, frames, seed, *sampling) for seed in chosen) for chosen in seeds]}
    if options.rnn:
        bodies["rnn"] = [measure(play_rnn(options.rnn, frames, seed) for seed in chosen) for chosen in seeds]
    bodies["training data"] = [of_split("train")]
    rows = {name: summarise(sets, held_out) for name, sets in bodies.items()}
    targets = judge(rows)
    if options.json:
        print(json.dumps({**rows, "targets": targets}))
    else:
        print(f"overlap with the test split of {options.data} ({held_out.frames} frames)")
        for name, row in rows.items():
            overlaps = "  ".join(f"{key} {row[key]:.3f} ({row[f'{key}_sd']:.3f})" for key in DISTRIBUTIONS)
            extremes = f"silence {row['longest_silence_seconds']:g} s  chord {row['largest_chord']:g}"
            print(f"{name:14}", f"{overlaps}  mean {row['mean']:.3f}  {extremes}")
        for target, is_met in targets.items():
            print("pass" if is_met else "FAIL", target)
    sys.exit(0 if all(targets.values()) else 1)


if __name__ == "__main__":
    main()
