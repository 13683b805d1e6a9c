"""How near a bundle's free play is to held-out music, beside an independent-pitch RNN and beside the training data.

    python benchmarks/free_play.py BUNDLE --data data/pop909 [--rnn runs/pop909-rnn] [--pieces 20] [--seconds 60]

Each of the pieces is played from silence with a seed of its own, by the instrument's engine at the bundle's defaults.
Overlaps are Σ min(p, q) of the distributions that `cgrnn_train.statistics` defines, against the test split: 1 is the
same, 0 disjoint.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from cgrnn_bundle.bundle import Bundle, load
from cgrnn_bundle.shipped import find_bundle
from cgrnn_live.engine import Engine, Evidence, Frame
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.models.rnn import RNN
from cgrnn_train.run import load as load_run
from cgrnn_train.statistics import Statistics, compare, statistics


def play(bundle: Bundle, frames: int, seed: int, temperature: float | None, sweeps: int | None) -> Frame:
    """Free play from silence: (frames, 128)."""
    engine, evidence = Engine(bundle, seed=seed, temperature=temperature, sweeps=sweeps), Evidence.build()
    played: list[Frame] = []
    for _ in range(frames):
        played.append(engine.sample(evidence))
        engine.advance(played[-1])
    return np.array(played)


def play_rnn(run: Path, frames: int, seed: int) -> Frame:
    """Free play of an RNN-I: (frames, 128)."""
    _, model = load_run(run)
    if not isinstance(model, RNN):
        raise SystemExit(f"{run} is not a run of rnn-1")
    return model.generate(frames, torch.Generator().manual_seed(seed)).numpy().astype(bool)


def main() -> None:
    """Play, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rnn", type=Path)
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--gibbs", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    data, bundle = PackedFrames.open(options.data), load(find_bundle(options.bundle))
    frame_seconds = bundle.manifest.frame.frame_seconds
    frames = round(options.seconds / frame_seconds)

    def of_split(split: str) -> Statistics:
        return statistics([data.frames(piece) for piece in data.pieces(split)], frame_seconds)

    held_out = of_split("test")
    seeds = range(options.pieces)
    bodies = {
        "cgrnn": statistics(
            [play(bundle, frames, seed, options.temperature, options.gibbs) for seed in seeds], frame_seconds
        )
    }
    if options.rnn:
        bodies["rnn"] = statistics([play_rnn(options.rnn, frames, seed) for seed in seeds], frame_seconds)
    bodies["training data"] = of_split("train")
    rows = {
        name: {
            **compare(body, held_out),
            "longest_silence_seconds": body.longest_silence_seconds,
            "largest_chord": body.largest_chord,
        }
        for name, body in bodies.items()
    }
    if options.json:
        print(json.dumps(rows))
        return
    print(f"overlap with the test split of {options.data} ({held_out.frames} frames)")
    for name, row in rows.items():
        print(f"{name:14}", "  ".join(f"{key} {value:.3g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
