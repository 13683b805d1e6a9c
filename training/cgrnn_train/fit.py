"""Training: persistent chains, one Lightning module a system, selection by a likelihood on validation frames.

A run folder holds `config.json`, `command.txt`, `data.json` (what it is trained on), `origin.json` (the stages before,
if it began from another run), `logs/` (metrics.csv, TensorBoard's events), `checkpoints/last.ckpt` and, once validated,
`model.safetensors`: the weights with the best validation likelihood so far.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import sys
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from cgrnn_train.config import RunConfig
from cgrnn_train.data.sequences import frame_statistics, pieces_of
from cgrnn_train.data.store import DataSet
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.system import System
from cgrnn_train.origin import save_origin
from cgrnn_train.run import (
    RunError,
    check_frames,
    load_weights,
    read_config,
    save_config,
    save_data,
    save_record,
    trained_on,
)
from cgrnn_train.systems import build
from cgrnn_train.task import task_of

LAST = "last"
"""Name of the one checkpoint kept: the end of the last whole epoch."""


def fit(
    config: RunConfig,
    data: DataSet,
    folder: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    devices: int = 1,
    accelerator: str = "auto",
    show_progress: bool = True,
    command: str = "",
) -> float:
    """Train, writing into ``folder``; returns the best validation likelihood, nats a frame (−∞ if none is a number).

    Args:
        config: the run; with ``resume`` it must be the one in ``folder``.
        data: the prepared data set; with ``resume`` the one that the run was begun with.
        folder: the run folder, new unless ``resume``.
        resume: go on from the folder's last checkpoint.
        start: a finished run of the same architecture, or a CGRNN of mode D for a full one, whose weights to begin
            with: fine-tuning.
        devices: processes, each with a share of the sequences (DDP when more than one).
        accelerator: Lightning's: "auto", "cpu", "gpu".
        show_progress: draw a progress bar on standard error.
        command: the command line, kept in the folder as `command.txt`.

    Raises:
        RunError: the folder is in use, there is nothing to resume, ``start`` is another architecture's, the model
            sees other frames than the data set has, or the machine has no such accelerator. The folder is as it was.
        DataError: the data set has no training or no validation piece.
        KeyboardInterrupt: Ctrl-C; the run can be resumed from its last whole epoch.
    """
    last = None
    if resume:
        if start is not None:
            raise RunError("found --resume with --from; a resumed run goes on with its own weights: leave out --from")
        last = _checkpoint_to_resume(folder, config, data)
    check_frames(config, data)
    for split in ("train", "valid"):
        pieces_of(data, split)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it tells of devices and advertises loggers
    L.seed_everything(config.fit.seed, verbose=False)
    model = _initialised(config, data) if start is None else _fine_tuned(config, start)
    task = task_of(model)(model, config, data, folder)
    trainer = _trainer(config, folder, devices, accelerator, show_progress)
    if not resume:
        _claim(folder, config, data, command, start)
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):  # where Lightning would draw its bar
        # Batches are made in this process: they take microseconds, and workers would multiply the memory map's pages.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
        try:
            trainer.fit(task, ckpt_path=last, weights_only=False)
        except SystemExit:  # Lightning's answer to Ctrl-C
            if not trainer.interrupted:
                raise
    if trainer.interrupted:
        raise KeyboardInterrupt
    if trainer.is_global_zero:
        device = task.device.type
        save_record(
            folder,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            training_seconds=round(task.seconds, 1),
            epochs=config.fit.epochs,
            device=f"{device}, processes: {devices}, threads of each: {torch.get_num_threads()}",
            validation_log_likelihood=task.best if math.isfinite(task.best) else None,
        )
    return task.best


def _trainer(config: RunConfig, folder: Path, devices: int, accelerator: str, show_progress: bool) -> L.Trainer:
    """Lightning's trainer for the run; it writes nothing yet."""
    settings = config.fit
    callbacks: list[Callback] = [
        ModelCheckpoint(
            folder / "checkpoints", LAST, save_top_k=1, enable_version_counter=False, save_on_train_epoch_end=True
        )
    ]
    if settings.average:
        callbacks.append(EMAWeightAveraging(decay=settings.average))
    if show_progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    try:
        return L.Trainer(
            max_epochs=settings.epochs,
            accelerator=accelerator,
            devices=devices,
            strategy="ddp" if devices > 1 else "auto",
            gradient_clip_val=settings.clip or None,
            check_val_every_n_epoch=settings.validation_every,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            log_every_n_steps=20,
            callbacks=callbacks,
            logger=[CSVLogger(folder, "logs", ""), TensorBoardLogger(folder, "logs", "")],
            enable_progress_bar=show_progress,
            enable_model_summary=False,
            default_root_dir=folder,
        )
    except (MisconfigurationException, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"cannot train on {devices} of accelerator {accelerator!r} here: {reason}") from None


def _initialised(config: RunConfig, data: DataSet) -> System:
    """A fresh model that starts from the mean training frame."""
    model = build(config.system, config.model)
    scale = config.fit.uniform_init
    if scale:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.uniform_(-scale, scale)
    model.start_from(frame_statistics(data))
    return model


def _fine_tuned(config: RunConfig, start: Path) -> System:
    """A model with the weights of a finished run, to go on with; only the dropouts may be others.

    A CGRNN of mode D may go on as the full one: the feed weighs nothing at first.
    """
    found, model = read_config(start).model, build(config.system, config.model)
    instead: dict[str, Tensor] = {}
    if isinstance(model, CGRNN) and isinstance(found, CGRNNConfig) and (found.mode, model.config.mode) == ("D", "full"):
        found = dataclasses.replace(found, mode="full")
        instead["feed_weight"] = torch.zeros_like(model.feed_weight)
    wanted, given = (
        {key: value for key, value in dataclasses.asdict(model).items() if not key.endswith("dropout")}
        for model in (config.model, found)
    )
    if type(config.model) is not type(found) or wanted != given:
        raise RunError(
            f"{start} has another [model] than the configuration; only the dropouts may differ, and mode D become full"
        )
    load_weights(start, model, instead)
    return model


@rank_zero_only
def _claim(folder: Path, config: RunConfig, data: DataSet, command: str, start: Path | None) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty; name a new folder, or go on with --resume")
    save_config(folder, config, command)
    save_data(folder, data)
    if start is not None:
        save_origin(folder, start)


def _checkpoint_to_resume(folder: Path, config: RunConfig, data: DataSet) -> Path:
    if read_config(folder) != config:
        raise RunError(f"{folder} was begun with another configuration; resume it with its own config.json")
    record = trained_on(folder)
    if record and record["digest"] != data.digest:
        raise RunError(f"{folder} was begun with the data set {record['folder']}; resume it with that")
    checkpoint = folder / "checkpoints" / f"{LAST}.ckpt"
    if not checkpoint.is_file():
        raise RunError(f"{folder} has no finished epoch to resume from; delete it and begin again without --resume")
    return checkpoint
