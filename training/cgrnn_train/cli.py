"""The `cgrnn-train` command: prepare, fit, evaluate, export. Thin: each verb lives in a file of its own."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cgrnn_train.data.command import app as prepare_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Prepare data, train CGRNN and its baselines, score them, export bundles for cgrnn-live.",
)
app.add_typer(prepare_app, name="prepare")


@app.command()
def fit(
    data: Annotated[Path, typer.Option(help="A data set made by 'prepare'.")],
    out: Annotated[Path, typer.Option(help="The run folder to write.")],
    model: Annotated[str | None, typer.Option(help="The system: cgrnn or rnn-1. Default: the configuration's.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with system, [model] and [fit].")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last finished epoch.")] = False,
    start: Annotated[
        Path | None, typer.Option("--from", help="Begin with the weights of this finished run: fine-tuning.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Processes that share the training sequences.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads of each process; 0: all cores.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a system; stop it with Ctrl-C and continue it with --resume."""
    import torch

    from cgrnn_train.config import RunConfig
    from cgrnn_train.data.packed import PackedFrames
    from cgrnn_train.fit import fit as run_fit
    from cgrnn_train.run import read_config

    if threads:
        torch.set_num_threads(threads)
    if config is not None:
        settings = RunConfig.read(config, model)
    elif resume:
        settings = read_config(out)
    else:
        settings = RunConfig.from_dict({}, "defaults", model)
    best = run_fit(
        settings,
        PackedFrames.open(data),
        out,
        resume=resume,
        start=start,
        devices=devices,
        accelerator=accelerator,
        command=shlex.join(["cgrnn-train", *sys.argv[1:]]),
    )
    if as_json:
        print(json.dumps({"run": str(out), "validation_log_likelihood": best}))
    else:
        print(f"{out}: best validation log-likelihood {best:.3f} nats a frame", file=sys.stderr)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[Path, typer.Option(help="The data set to score on.")],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    temperatures: Annotated[int, typer.Option(min=1, help="Of AIS.")] = 1000,
    chains: Annotated[int, typer.Option(min=2, help="Of AIS, a frame.")] = 64,
    chunk: Annotated[int, typer.Option(min=1, help="Frames annealed together: bounds the memory.")] = 64,
    frames: Annotated[int | None, typer.Option(min=1, help="Score a random choice of so many frames.")] = None,
    seed: Annotated[int, typer.Option(help="Of the estimate.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0: all cores.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Estimate a run's log-likelihood, nats a frame, over all frames of all sequences, the first included."""
    import torch
    from rich.console import Console
    from rich.progress import Progress

    from cgrnn_train.data.packed import PackedFrames
    from cgrnn_train.data.sequences import sequences
    from cgrnn_train.evaluate import estimator, log_likelihoods
    from cgrnn_train.run import load

    if threads:
        torch.set_num_threads(threads)
    _, model = load(run)
    pieces = sequences(PackedFrames.open(data), split)
    with Progress(console=Console(stderr=True)) as bar:
        total = min(sum(len(piece) for piece in pieces), frames or sys.maxsize)
        task = bar.add_task(f"AIS over {total} frames", total=total)
        scores = log_likelihoods(
            model,
            pieces,
            temperatures=temperatures,
            chains=chains,
            chunk=chunk,
            limit=frames,
            seed=seed,
            progress=lambda done: bar.advance(task, done),
        )
    score = scores.summary(estimator(model, temperatures, chains))
    if as_json:
        print(json.dumps({"run": str(run), "split": split, **score.to_dict()}))
        return
    low, high = score.interval
    print(
        f"{run} on {split}: {score.log_likelihood:.3f} nats a frame, "
        f"95 % interval by sequence {low:.3f} to {high:.3f}, "
        f"{score.frames} frames; {score.kind}, standard error {score.standard_error:.4f}, "
        f"effective chains {score.effective_sample_size:.0%}"
    )


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder of a CGRNN.")],
    bundle: Annotated[Path, typer.Argument(help="The bundle to write: a folder, or a .zip.")],
    data: Annotated[Path, typer.Option(help="The data set it was trained on: its frame, licence and range go along.")],
    name: Annotated[str | None, typer.Option(help="The bundle's name. Default: the bundle's file name.")] = None,
    metrics: Annotated[Path | None, typer.Option(help="A JSON list of metrics for the manifest.")] = None,
    card: Annotated[Path | None, typer.Option(help="A model card in Markdown to ship as README.md.")] = None,
    temperature: Annotated[float, typer.Option(help="Default sampling temperature.")] = 1.0,
    gibbs: Annotated[int, typer.Option(min=1, help="Default Gibbs sweeps a frame.")] = 25,
) -> None:
    """Write a run as a bundle; refuses unless PyTorch, ONNX Runtime and numpy agree."""
    from cgrnn_train.data.packed import PackedFrames
    from cgrnn_train.export import export as write_bundle

    write_bundle(
        run,
        bundle,
        PackedFrames.open(data),
        name=name or bundle.stem,
        metrics=metrics,
        card=card,
        temperature=temperature,
        sweeps=gibbs,
    )
    print(f"wrote {bundle}", file=sys.stderr)


def main() -> None:
    """Run the command; a foreseen error is one sentence on standard error and exit code 2."""
    from cgrnn_bundle.errors import BundleError
    from cgrnn_train.config import ConfigError
    from cgrnn_train.data.errors import DataError
    from cgrnn_train.export import ExportError
    from cgrnn_train.run import RunError

    try:
        app()
    except (BundleError, ConfigError, DataError, ExportError, RunError) as error:
        print(f"cgrnn-train: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("cgrnn-train: stopped; a training run goes on with --resume", file=sys.stderr)
        sys.exit(130)
