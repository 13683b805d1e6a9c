"""How well a CGRNN fills in one hidden note of held-out frames, beside models that take each pitch by itself.

    python benchmarks/hidden_voice.py runs/jsb/cgrnn --rnn runs/jsb/rnn-1 --voices soprano alto tenor bass
    python benchmarks/hidden_voice.py runs/lakh/cgrnn --rnn runs/lakh/rnn-1 --voices highest random --questions 4000

The question is that of `accompany`: the state u heard the true frames before this one; all its notes but the hidden one
are clamped on, and every other pitch is free. Voices are places in the chord (`cgrnn_train.voices`).

one more    the model is told that exactly one note is missing. log p of the hidden one, exact (`log_one_more`), the
            share of frames in which it is the likeliest ("best"), and its mean probability ("drawn", the share of
            draws from this conditional that find it).
completion  it is not told, and may add no note or several. "filled" is TP / (TP + FP + FN) of the free pitches of one
            draw a frame, mean over frames: CGRNN's by the instrument's own engine, its sweeps and its clamps. log p of
            the whole completion, each free pitch on or off, by AIS errs high for CGRNN; it is exact for the rest.

rnn         an independent-pitch RNN of the same data: what is held tells it nothing about this frame.
apart       the CGRNN's own marginals p(v_j = 1 | u), as if independent: the same net without the chord. Marginals are
            of annealed chains, mixed with `SMOOTHING` of the training set's.
training    marginals of the training frames.

Intervals are 95 % bootstraps by piece (by song), and of the difference of two systems on the same frames. Exits with 1
unless CGRNN is above the RNN, its interval too, in all five, for the voices together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cgrnn_bundle.bundle import load
from cgrnn_live.engine import MOST_NOTES, REDRAWS, Engine, Evidence
from cgrnn_train.bootstrap import bootstrap_ratio
from cgrnn_train.data.packed import PackedFrames, as_rolls
from cgrnn_train.export import export
from cgrnn_train.files import write_json
from cgrnn_train.likelihood.completion import (
    independent_log_completion,
    independent_log_one_more,
    log_completion,
    log_one_more,
)
from cgrnn_train.models.binary import Conditionals
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.conditional import each
from cgrnn_train.models.rnn import RNN
from cgrnn_train.run import load as load_run
from cgrnn_train.run import load_cgrnn, open_data
from cgrnn_train.scores import Estimate
from cgrnn_train.voices import VOICES, Questions, ask, filled

MEASURES = ("one more, log p", "one more, best", "one more, drawn", "completion, filled", "completion, log p")
TEMPERATURES, CHAINS = 300, 16
MARGINAL_TEMPERATURES, MARGINAL_CHAINS = 100, 16
FRAMES_TOGETHER = 64
SMOOTHING = 0.01

Scores = dict[str, NDArray[np.float64]]
"""Each measure of each question, (questions,); NaN where it was not asked."""


@torch.no_grad()
def conditionals_of(model: CGRNN, pieces: list[NDArray[np.bool_]], asked: Questions) -> Conditionals:
    """What u says of the frame of each question."""
    rows = list[Conditionals]()
    for piece, frames in enumerate(pieces):
        time = torch.from_numpy(asked.time[asked.piece == piece])
        said = model(torch.from_numpy(frames).float()[None])
        rows.append(each(said, lambda tensor, time=time: tensor[0, time]))
    return Conditionals(*(torch.cat(parts) for parts in zip(*rows, strict=True)))


@torch.no_grad()
def logits_of(model: RNN, pieces: list[NDArray[np.bool_]], asked: Questions) -> Tensor:
    """The RNN's log-odds of every pitch in the frame of each question, (questions, 128)."""
    rows = [
        model(torch.from_numpy(frames).float()[None])[0, asked.time[asked.piece == piece]]
        for piece, frames in enumerate(pieces)
    ]
    return torch.cat(rows)


def one_more(log_p: Tensor, asked: Questions) -> Scores:
    """The first three measures, of log p(j | one more), (questions, 128)."""
    answer = torch.from_numpy(asked.answer)
    own = log_p.gather(1, answer[:, None])[:, 0].numpy()
    best = (log_p.argmax(dim=1) == answer).double().numpy()
    return dict(zip(MEASURES[:3], (own, best, np.exp(own)), strict=True))


def play(engine: Engine, pieces: list[NDArray[np.bool_]], asked: Questions) -> NDArray[np.bool_]:
    """What the instrument draws around the known notes, (questions, 128); it hears the true frames."""
    drawn = np.zeros_like(asked.frame)
    for piece, frames in enumerate(pieces):
        engine.reset()
        mine = np.flatnonzero(asked.piece == piece)
        for time, frame in enumerate(frames[: asked.time[mine].max(initial=-1) + 1]):
            for question in mine[asked.time[mine] == time]:
                drawn[question] = engine.sample(Evidence.build(held=np.flatnonzero(asked.known[question])))
            engine.advance(frame)
    return drawn


def draw_apart(logits: Tensor, asked: Questions, seed: int) -> NDArray[np.bool_]:
    """The same of independent pitches, drawn again as the engine does where there are more than it plays."""
    random = np.random.default_rng(seed)
    probability = torch.sigmoid(logits).numpy()
    drawn = (random.random(probability.shape) < probability) | asked.known
    for _ in range(REDRAWS):
        again = drawn.sum(axis=1) > MOST_NOTES
        drawn[again] = random.random((int(again.sum()), drawn.shape[1])) < probability[again]
        drawn |= asked.known
    return drawn


def scores_apart(logits: Tensor, asked: Questions, chosen: NDArray[np.int64], seed: int) -> Scores:
    """Every measure of a model with independent pitches; the last of the ``chosen`` questions alone."""
    known, frame = torch.from_numpy(asked.known), torch.from_numpy(asked.frame)
    scores = one_more(independent_log_one_more(logits, known), asked)
    scores[MEASURES[3]] = filled(draw_apart(logits, asked, seed), asked)
    completion = np.full(len(frame), np.nan)
    completion[chosen] = independent_log_completion(logits[chosen], frame[chosen], known[chosen]).numpy()
    return {**scores, MEASURES[4]: completion}


def scores_together(
    model: CGRNN, said: Conditionals, asked: Questions, drawn: NDArray[np.bool_], chosen: NDArray[np.int64]
) -> Scores:
    """Every measure of the CGRNN, of which the instrument drew ``drawn``."""
    known, frame = torch.from_numpy(asked.known).float(), torch.from_numpy(asked.frame).float()
    scores = one_more(log_one_more(model.rbm, known, said), asked)
    scores[MEASURES[3]] = filled(drawn, asked)
    completion = np.full(len(frame), np.nan)
    for start in range(0, len(chosen), FRAMES_TOGETHER):
        rows = chosen[start : start + FRAMES_TOGETHER]
        given = each(said, lambda tensor, rows=rows: tensor[rows])
        completion[rows] = log_completion(
            model.rbm, frame[rows], known[rows], given, temperatures=TEMPERATURES, chains=CHAINS
        ).numpy()
    return {**scores, MEASURES[4]: completion}


def own_marginals(model: CGRNN, said: Conditionals, asked: Questions, training: Tensor) -> Tensor:
    """The log-odds of the CGRNN's marginals in each question's frame, (questions, 128)."""
    _, first, place = np.unique(
        np.stack([asked.piece, asked.time]), axis=1, return_index=True, return_inverse=True
    )  # voices of one frame share it
    means = [
        model.rbm.anneal(
            each(said, lambda tensor, rows=first[start : start + FRAMES_TOGETHER]: tensor[rows]),
            temperatures=MARGINAL_TEMPERATURES,
            chains=MARGINAL_CHAINS,
        ).mean
        for start in range(0, len(first), FRAMES_TOGETHER)
    ]
    marginals = torch.cat(means).double()[place.ravel()]
    return torch.logit((1 - SMOOTHING) * marginals + SMOOTHING * training)


def training_marginals(data: PackedFrames) -> Tensor:
    """The share of training frames in which each pitch is on, (128,) float64; one frame more with half of each."""
    total, frames = np.full(data.visible, 0.5), 1
    for piece in data.pieces("train"):
        total += data.frames(piece).sum(axis=0)
        frames += piece.length
    return torch.from_numpy(total / frames)


class Cell(NamedTuple):
    """A measure of one system, and how far CGRNN is above it on the same frames (None: of CGRNN itself)."""

    own: Estimate
    lead: Estimate | None


def summarise(systems: dict[str, Scores], rows: NDArray[np.bool_], songs: NDArray[np.int64]) -> dict[str, list[Cell]]:
    """Each system's measures over the questions ``rows``, in the order of `MEASURES`."""
    table = dict[str, list[Cell]]()
    for name, scores in systems.items():
        table[name] = []
        for measure in MEASURES:
            value, ours = scores[measure], systems["cgrnn"][measure]
            asked = rows & ~np.isnan(value)
            ones, owner = np.ones(int(asked.sum())), songs[asked]
            lead = None if name == "cgrnn" else bootstrap_ratio((ours - value)[asked], ones, owner)
            table[name].append(Cell(bootstrap_ratio(value[asked], ones, owner), lead))
    return table


def show(title: str, table: dict[str, list[Cell]]) -> None:
    """Print a table: each system's figures, and CGRNN's lead over it with its interval."""
    print(f"{title}\n\n  {'':8}", "".join(f"{measure:31}" for measure in MEASURES))
    for name, cells in table.items():
        words = [
            f"{own.value:.3f}" + ("" if lead is None else f"  {lead.value:+.3f} ({_words(lead.interval)})")
            for own, lead in cells
        ]
        print(f"  {name:8}", "".join(f"{word:31}" for word in words).rstrip())
    print(flush=True)


def as_json(tables: dict[str, dict[str, list[Cell]]]) -> dict[str, Any]:
    """The same as plain values: by voice, system and measure its own figure and the lead, each with its interval."""
    return {
        voice: {
            system: {
                measure: {key: part and [part.value, *part.interval] for key, part in cell._asdict().items()}
                for measure, cell in zip(MEASURES, cells, strict=True)
            }
            for system, cells in table.items()
        }
        for voice, table in tables.items()
    }


def _words(interval: tuple[float, float]) -> str:
    return f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def main() -> None:
    """Ask, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rnn", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="by default what the run was trained on")
    parser.add_argument("--voices", nargs="+", choices=VOICES, required=True)
    parser.add_argument("--questions", type=int, help="frames for each voice; by default all that have it")
    parser.add_argument("--completions", type=int, default=500, help="frames for each voice with AIS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file of the figures, each with its own interval too")
    options = parser.parse_args()

    data = as_rolls(open_data(options.run, options.data), "a hidden voice")
    _, model = load_cgrnn(options.run)
    _, rnn = load_run(options.rnn)
    if not isinstance(rnn, RNN):
        raise SystemExit(f"{options.rnn} is not a run of rnn-1 or rnn-2")
    test = data.pieces("test")
    pieces = [data.frames(piece) for piece in test]
    asked = ask(pieces, options.voices, options.questions, options.seed)
    _, song = np.unique([piece.song for piece in test], return_inverse=True)
    random = np.random.default_rng(options.seed)
    chosen = np.sort(
        np.concatenate(
            [
                random.permutation(np.flatnonzero(asked.voice == voice))[: options.completions]
                for voice in range(len(options.voices))
            ]
        )
    )

    torch.manual_seed(options.seed)
    with TemporaryDirectory() as folder:
        export(options.run, Path(folder) / "bundle", data, name="hidden-voice")
        engine = Engine(load(Path(folder) / "bundle"), seed=options.seed)
    drawn = play(engine, pieces, asked)
    said, training = conditionals_of(model, pieces, asked), training_marginals(data)
    apart = {
        "rnn": logits_of(rnn, pieces, asked),
        "apart": own_marginals(model, said, asked, training),
        "training": torch.logit(training).expand(len(drawn), -1),
    }
    systems = {"cgrnn": scores_together(model, said, asked, drawn, chosen)}
    systems |= {name: scores_apart(logits, asked, chosen, options.seed) for name, logits in apart.items()}

    parts = {name: asked.voice == voice for voice, name in enumerate(options.voices)}
    parts["together"] = np.ones(len(drawn), np.bool_)
    tables = {name: summarise(systems, rows, song[asked.piece]) for name, rows in parts.items()}
    is_above = [cast(Estimate, cell.lead).interval[0] > 0 for cell in tables["together"]["rnn"]]
    print(
        f"{data.folder.name}, test split; after each figure how far CGRNN is above it, 95 %; {engine.sweeps} sweeps\n"
    )
    for name, rows in parts.items():
        count, songs = int(rows.sum()), len(np.unique(song[asked.piece[rows]]))
        show(f"{name}: {count} frames of {songs} pieces, completion log p of {int(rows[chosen].sum())}", tables[name])
    for measure, passes in zip(MEASURES, is_above, strict=True):
        print("pass" if passes else "FAIL", f"{measure}: CGRNN above the RNN")
    if options.out:
        write_json(options.out, as_json(tables))
    sys.exit(0 if all(is_above) else 1)


if __name__ == "__main__":
    main()
