"""The `cgrnn-train` command. Thin: each verb lives in a file of its own."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cgrnn_train.data.command import app as prepare_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Prepare data, train CGRNN and its baselines, score them, export bundles for cgrnn-live.",
)
app.add_typer(prepare_app, name="prepare")


DONE, OUR_FAULT, USAGE, INTERRUPTED = 0, 1, 2, 130

SYSTEM_NAMES = "rnn-1|rnn-2|storn|vrnn|srnn-s|srnn-s-res|srnn-f|rnn-rbm|rnn-ssrbm|cgrnn"
"""Of `cgrnn_train.systems.SYSTEMS`, which takes a second to import; a test holds the two together."""

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Data = Annotated[
    Path | None, typer.Option(metavar="DATA", help="The data set. By default the one that the run was trained on.")
]
Threads = Annotated[int, typer.Option(min=0, metavar="N", help="Threads of each process; 0: all cores.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on standard output.")]


@app.command()
def fit(
    out: Annotated[Path, typer.Option(metavar="RUN", help="The run folder to write.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="A data set made by `prepare`. With --resume, by default the run's own."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="The configuration: system, [model] and [fit].")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar=SYSTEM_NAMES, help="The system. By default the configuration's.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the configuration, as fit.epochs=30."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last finished epoch.")] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Begin with the weights of this finished run: fine-tuning. A CGRNN of mode D may become full.",
        ),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="Processes that share the training sequences.")] = 1,
    accelerator: Annotated[str, typer.Option(metavar="auto|cpu|gpu", help="What to train on.")] = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Train a system; stop it with Ctrl-C and continue it with --resume."""
    import torch
    from lightning.pytorch.utilities import rank_zero_only

    from cgrnn_train.config import RunConfig, parse_overrides
    from cgrnn_train.fit import fit as run_fit
    from cgrnn_train.run import RunError, open_data, read_config

    if threads:
        torch.set_num_threads(threads)
    overrides = parse_overrides(assignments or [])
    if config is not None:
        settings = RunConfig.read(config, model, overrides)
    elif resume:
        settings = read_config(out)
        if model or overrides:
            raise RunError("found --model or --set with --resume; a resumed run keeps its configuration: leave it out")
    else:
        settings = RunConfig.from_dict({}, "defaults", model, overrides)
    if data is None and not resume:
        raise RunError("found no data set to train on; give --data, made by 'cgrnn-train prepare'")
    best = run_fit(
        settings,
        open_data(out, data),
        out,
        resume=resume,
        start=start,
        devices=devices,
        accelerator=accelerator,
        command=shlex.join(["cgrnn-train", *sys.argv[1:]]),
    )
    rank_zero_only(_tell_result)(out, best, as_json)  # once, however many --devices


def _tell_result(out: Path, best: float, as_json: bool) -> None:
    if as_json:
        score = best if math.isfinite(best) else None
        print(json.dumps({"run": str(out), "validation_log_likelihood": score}))
    else:
        print(f"{out}: best validation log-likelihood {best:.3f} nats a frame", file=sys.stderr)


@app.command()
def evaluate(
    run: Run,
    data: Data = None,
    split: Annotated[str, typer.Option(metavar="train|valid|test", help="Which pieces to score.")] = "test",
    temperatures: Annotated[int, typer.Option(min=1, metavar="N", help="Temperatures of AIS, and sweeps after.")] = 300,
    chains: Annotated[int, typer.Option(min=2, metavar="N", help="Chains of AIS, a frame.")] = 16,
    chunk: Annotated[int, typer.Option(min=1, metavar="N", help="Frames annealed together: bounds the memory.")] = 64,
    samples: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draws of a latent path. By default 16, for a sampled feed 1."),
    ] = None,
    check: Annotated[
        int, typer.Option(min=0, metavar="N", help="Frames on which AIS is checked: in reverse, by RAISE, and longer.")
    ] = 0,
    frames: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the likelihood of a random choice of so many frames, not kept."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of that choice and of the estimate.")] = 0,
    accelerator: Annotated[str, typer.Option(metavar="auto|cpu|gpu", help="What to compute on.")] = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Score a run on all frames of a split: likelihood, and accuracy (of sound: RMSE) under both protocols. Stopped, it
    goes on when called again.
    """
    import torch
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from cgrnn_train.data.sequences import sequences
    from cgrnn_train.evaluate import compute_device, evaluate_run
    from cgrnn_train.frame_scores import Settings
    from cgrnn_train.log_likelihood import estimator, log_likelihoods
    from cgrnn_train.models.system import BoundSystem
    from cgrnn_train.run import RunError, is_unfinished, load, open_data

    if check and frames is not None:
        raise RunError("found --check with --frames, whose figure is not kept; leave out one of the two")
    if threads:
        torch.set_num_threads(threads)
    device = compute_device(accelerator)
    data_set, (_, model) = open_data(run, data), load(run)
    pieces = sequences(data_set, split)
    settings = Settings(temperatures, chains, chunk, samples or (16 if isinstance(model, BoundSystem) else 1), seed)
    if is_unfinished(run):
        print(f"{run} was not trained to its last epoch: these are its best weights so far", file=sys.stderr)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as bar:

        def stage(name: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(name, total=total)
            return lambda done: bar.advance(task, done)

        if frames is not None:
            kind = estimator(model, settings)
            progress = stage(kind, min(sum(len(piece) for piece in pieces), frames))
            scores = log_likelihoods(model.to(device), pieces, settings, limit=frames, progress=progress)
            likelihood = scores.summary(kind, pieces.songs)
            result = {"split": split, "frames": len(scores.sequence), "log_likelihood": asdict(likelihood)}
        else:
            command = shlex.join(["cgrnn-train", *sys.argv[1:]])
            options = {"check": check, "command": command, "device": device}
            scored = evaluate_run(run, data_set, split, settings, **options, stage=stage)
            likelihood, result = scored.log_likelihood, scored.to_dict()
    if as_json:
        print(json.dumps({"run": str(run), **result}))
        return
    low, high = likelihood.interval
    annealed = ""
    if likelihood.standard_error is not None and likelihood.effective_share is not None:
        share = f"{likelihood.effective_share:.0%}"
        annealed = f", standard error {likelihood.standard_error:.4f}, effective chains {share}"
    print(
        f"{run} on {split}: {likelihood.value:.3f} nats a frame, 95 % interval by sequence {low:.3f} to {high:.3f}, "
        f"{result['frames']} frames; {likelihood.kind}{annealed}"
    )
    for protocol in ("prediction", "reconstruction"):
        if score := result.get(protocol):
            print(f"{protocol}: {_score_words(score)}")


def _score_words(score: dict[str, Any]) -> str:
    """The accuracy of piano rolls, or the RMSE of sound, as `Scores.to_dict` has it."""
    if "per_frame" in score:
        return f"accuracy {score['per_frame']['value']:.2%} per frame, {score['pooled']['value']:.2%} pooled"
    low, high = score["interval"]
    return f"RMSE {score['value']:.3f} in normalised samples, 95 % interval {low:.3f} to {high:.3f}"


@app.command()
def table(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN... OUT.md", help="Run folders, and the page to write.")],
    split: Annotated[str, typer.Option(metavar="train|valid|test", help="Which scores to show.")] = "test",
) -> None:
    """Write one Markdown page of runs' scores, with the paper's and the published figures beside them."""
    from cgrnn_train.run import RunError
    from cgrnn_train.table import write_table

    *runs, out = paths
    if not runs or out.suffix != ".md":
        raise RunError(f"found {' '.join(map(str, paths))}; expected run folders and then a page that ends in .md")
    write_table(runs, out, split)
    print(f"wrote {out}", file=sys.stderr)


@app.command()
def figures(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN... OUT", help="Run folders, and the folder to write.")],
    data: Data = None,
    split: Annotated[str, typer.Option(metavar="train|valid|test", help="Where the piece is from.")] = "test",
    piece: Annotated[str, typer.Option(metavar="N|NAME", help="Which piece of the split.")] = "0",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of what is drawn.")] = 0,
) -> None:
    """Draw hidden activations with their sparsity, reconstructions, free play and, of sound, conditional precisions, as
    PNG and SVG. All runs must be of pitches, or all of sound.
    """
    from cgrnn_train.figures import check_kinds, write_figures
    from cgrnn_train.run import RunError, open_data

    *runs, out = paths
    if not runs:
        raise RunError(f"found {out} alone; expected run folders and then the folder to write")
    check_kinds(runs)  # before the data, which fit one kind
    write_figures(runs, open_data(runs[0], data), out, piece=piece, split=split, seed=seed)
    print(f"wrote {out}", file=sys.stderr)


@app.command()
def export(
    run: Run,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle to write: a folder, or a .zip.")],
    data: Data = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The bundle's name. By default that of its file.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="A list of metrics for the manifest.")
    ] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE.md", help="A model card to ship as README.md.")] = None,
    temperature: Annotated[float, typer.Option(metavar="X", help="The bundle's sampling temperature.")] = 1.0,
    gibbs: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="The bundle's Gibbs sweeps a frame: 25, or 2 of sound, if not given."),
    ] = None,
) -> None:
    """Write a run as a bundle; refuses unless PyTorch, ONNX Runtime and numpy agree."""
    from cgrnn_train.export import export as write_bundle
    from cgrnn_train.run import open_data

    write_bundle(
        run,
        bundle,
        open_data(run, data),
        name=name or bundle.stem,
        metrics=metrics,
        card=card,
        temperature=temperature,
        sweeps=gibbs,
    )
    print(f"wrote {bundle}", file=sys.stderr)


def main() -> None:
    """Run the command; exit with 0 done, 1 a fault of ours, 2 what the caller can mend, or 130 interrupted."""
    from cgrnn_bundle.errors import BundleError

    try:
        from cgrnn_train.data.errors import DataError
        from cgrnn_train.export import ExportError
        from cgrnn_train.ranges import ConfigError
        from cgrnn_train.run import RunError
    except ModuleNotFoundError as error:  # the player's installation has this command too
        _fail(f"{error.name} is not installed: training needs `pip install -c constraints.txt '.[train]'`", USAGE)
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # some versions of Typer return the exit code instead
        code = INTERRUPTED
    except (BundleError, ConfigError, DataError, ExportError, RunError, OSError) as error:
        _fail(str(error), USAGE)
    except Exception as error:
        if os.environ.get("CGRNN_DEBUG") == "1":
            raise
        if explain := getattr(error, "format_message", None):  # Typer's own; their class moved between its versions
            _fail(f"{explain()} Try --help.", USAGE)
        _fail(f"a fault of ours: {type(error).__name__}: {error} (CGRNN_DEBUG=1 shows where).", OUR_FAULT)
    if code == INTERRUPTED:
        _fail(
            "stopped; fit goes on with --resume from its last finished epoch, evaluate when called again",
            INTERRUPTED,
        )
    sys.exit(code if isinstance(code, int) else DONE)


def _fail(message: str, code: int) -> NoReturn:
    print(f"cgrnn-train: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
