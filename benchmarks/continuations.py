"""How trained systems of sound go on from the first second of held-out clips, beside what prediction does alone.

    python benchmarks/continuations.py DATA RUN|BUNDLE... [--valid] [--effect NAME] [--clips N] [--seconds S] [--seed N]
                                       [--out FOLDER]

`cgrnn_train.continuations` states the protocol and the measures. A run's system plays at temperature 1, an energy
system with 25 sweeps a frame; a bundle is played as the instrument plays it, at its own temperature and sweeps. A row a
run or bundle: the clips; the share of them in which the pitch is kept for S seconds, and the median of how long it is;
median and mean of the spectral convergence (0: the real spectrum, 1: as far as silence); the median level at the end
over the real one. Then the first run of cgrnn, or else the first row, is compared with the row: in what share of the
clips its convergence is lower, and the mean of the row's less its own with a 95 % bootstrap interval by note (above 0:
it is nearer).

"prediction alone" plays frames of 0: with `WaveSpec.order` 0 it is silence. The clips are those whose real continuation
has a steady pitch, and so the last row says how well the prompt's own pitch is that of what follows. --out writes each
prompt with its continuation as FOLDER/ROW/CLIP.wav.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch

from cgrnn_bundle.bundle import Bundle
from cgrnn_bundle.bundle import load as load_bundle
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.layout import MANIFEST
from cgrnn_bundle.waves import Samples
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_train.continuations import (
    PITCH_SECONDS,
    SECONDS,
    Generate,
    Likeness,
    Prompt,
    compare,
    continuations,
    nearer,
    prediction_alone,
    prompts_of,
)
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.waves import Waves
from cgrnn_train.run import RunError, load
from cgrnn_train.run import open_data as open_for

ALONE, REAL = "prediction alone", "the real continuation"

Played = dict[str, list[Samples]]
"""The continuations of every prompt, by row."""


def chosen(data: Waves, options: argparse.Namespace) -> list[Prompt]:
    """The prompts, at most as many as are wanted, evenly spread over the set."""
    splits = ("test", "valid") if options.valid else ("test",)
    found = prompts_of(data, splits=splits, effect=options.effect, seconds=options.seconds)
    if not found:
        raise DataError(
            f"{options.data} has no clip of {' or '.join(splits)} with effect {options.effect} that sounds on for "
            f"{options.seconds:g} s at a steady pitch; give another effect or set"
        )
    if options.clips is None or options.clips >= len(found):
        return found
    return [found[place * len(found) // options.clips] for place in range(options.clips)]


def instrument(bundle: Bundle, seed: int) -> Generate:
    """The streaming engine as a system that goes on from prompts; each has an engine and a seed of its own."""

    def generate(count: int, prompt: torch.Tensor) -> torch.Tensor:
        rows = prompt.reshape(-1, *prompt.shape[-2:]).numpy()
        frames = np.empty((len(rows), count, rows.shape[-1]), np.float32)
        for index, (heard, played) in enumerate(zip(rows, frames, strict=True)):
            engine = WaveEngine(bundle, seed=seed + index)
            for frame in heard:
                engine.advance(frame)
            for frame in played:
                frame[:] = engine.sample()
                engine.advance(frame)
        return torch.from_numpy(frames).view(*prompt.shape[:-2], count, -1)

    return generate


def systems(runs: Sequence[Path], data: Path, seed: int) -> tuple[dict[str, Generate], str]:
    """What plays each row, and the name of the row that the others are compared with."""
    generators: dict[str, Generate] = {}
    reference = str(runs[0])
    is_found = False
    for run in runs:
        if (run / MANIFEST).is_file():
            generators[str(run)] = instrument(load_bundle(run), seed)
            continue
        open_for(run, data)  # refuses a set of other frames
        config, model = load(run)
        generators[str(run)] = model.generate
        if config.system == "cgrnn" and not is_found:
            reference, is_found = str(run), True
    return generators, reference


def table(likeness: dict[str, list[Likeness]], prompts: Sequence[Prompt], reference: str, seconds: float) -> str:
    """The rows as text; the comparison with ``reference`` is left out of its own and of the real one."""
    width = max(len(name) for name in likeness)
    name = Path(reference).name
    heading = (
        f"{'':{width}}  clips  kept >= {seconds:g} s  median s  convergence: median   mean  end, dB"
        f"  {name} lower  row - {name} (95 %)"
    )
    lines = [heading]
    for row, measured in likeness.items():
        kept, convergence, level = np.array(measured).T
        line = f"{row:{width}}  {len(kept):5}  {(kept >= seconds).mean():11.0%}  {np.median(kept):8.2f}"
        if row != REAL:
            line += f"  {np.median(convergence):19.3f}  {convergence.mean():5.3f}  {np.median(level):+7.1f}"
        if row not in (REAL, reference):
            share, gain = nearer(likeness[reference], measured, prompts)
            low, high = gain.interval
            line += f"  {share:{len(name) + 6}.0%}  {gain.value:+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(line)
    return "\n".join(lines)


def write(folder: Path, played: Played, prompts: Sequence[Prompt]) -> None:
    """Write each prompt with each of its continuations."""
    for row, sounds in played.items():
        target = folder / _file_name(row)
        target.mkdir(parents=True, exist_ok=True)
        for index, (prompt, sound) in enumerate(zip(prompts, sounds, strict=True)):
            path = target / f"{index:03}-{_file_name(prompt.piece.name)}.wav"
            whole = np.concatenate([prompt.samples, sound])
            soundfile.write(path, whole, prompt.coder.spec.sample_rate, subtype="PCM_16")


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.#-]+", "_", text).strip("_")


def measure(options: argparse.Namespace) -> str:
    """Play, compare and, if wanted, write; returns the table."""
    data = open_data(options.data)
    if not isinstance(data, Waves):
        raise DataError(f"{options.data} has frames of pitches; expected sound, such as 'prepare notes' makes")
    prompts = chosen(data, options)
    generators, reference = systems(options.runs, options.data, options.seed)
    played: Played = {}
    for name, generate in [*generators.items(), (ALONE, prediction_alone)]:
        torch.manual_seed(options.seed)
        played[name] = continuations(generate, prompts)
    played[REAL] = [prompt.real for prompt in prompts]
    if options.out is not None:
        write(options.out, played, prompts)
    likeness = {
        name: [compare(sound, prompt) for sound, prompt in zip(sounds, prompts, strict=True)]
        for name, sounds in played.items()
    }
    return table(likeness, prompts, reference, options.seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", metavar="run", help="run folders, or bundles")
    parser.add_argument("--valid", action="store_true", help="take the validation clips too")
    parser.add_argument("--effect", default="none", help="of the clips (none)")
    parser.add_argument("--clips", type=int, help="at most, evenly spread over the set (all)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="to go on for (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the sounds")
    options = parser.parse_args()
    if options.seconds < 2 * PITCH_SECONDS:
        parser.error(f"--seconds is {options.seconds:g}; give {2 * PITCH_SECONDS:g} or more, two windows of pitch")
    if options.clips is not None and options.clips < 1:
        parser.error(f"--clips is {options.clips}; give 1 or more")
    try:
        print(measure(options))
    except (BundleError, DataError, RunError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
