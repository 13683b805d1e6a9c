"""What is trained: one Lightning module a system, with its data, optimiser, seeds and validation.

Everything random in an epoch is a function of (seed, epoch, process), so a run that is stopped anywhere and resumed
ends with the weights of one that never was.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, NoReturn, cast

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from cgrnn_train.chains import Chains, WaveChains
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.batches import Batch, TrainingBatches
from cgrnn_train.data.packed import as_rolls
from cgrnn_train.data.sequences import sequences
from cgrnn_train.data.store import DataSet
from cgrnn_train.frame_scores import Settings
from cgrnn_train.log_likelihood import log_likelihoods
from cgrnn_train.models.conditional import each
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.system import BoundSystem, System
from cgrnn_train.run import RunError, save_weights

VALIDATION_LONGEST = 1024
"""Frames of each validation piece that validation looks at, from its beginning."""


class Task(L.LightningModule):
    """What all systems share: data, optimiser, seeds and validation.

    Args:
        model: the system.
        config: the run.
        data: the prepared data set.
        folder: where the best weights go.
    """

    def __init__(self, model: System, config: RunConfig, data: DataSet, folder: Path) -> None:
        super().__init__()
        self.model = model
        self.settings: FitConfig = config.fit
        self.frames = data
        self.folder = folder
        self.best = -float("inf")
        self.seconds = 0.0
        """That training steps took, validation left out, stopped parts of the run included."""

    def train_dataloader(self) -> DataLoader[Batch]:
        """Whole batches, made by the data set itself."""
        fit = self.settings
        self.batches = TrainingBatches(
            self.frames,
            batch_size=fit.batch_size,
            longest=fit.sequence_frames,
            transpose=fit.transpose,
            seed=fit.seed,
            rank=self.global_rank,
            world=self.trainer.world_size,
        )
        return DataLoader(self.batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[int]:
        """One step: the estimate takes the sequences together."""
        return DataLoader(cast(Any, [0]), batch_size=None)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam or SGD; W and α of an RBM have a rate of their own."""
        fit = self.settings
        slow = self.model.rbm.slow_parameters() if isinstance(self.model, EnergySystem) else []
        names = {id(parameter) for parameter in slow}
        groups = []
        for is_slow, rate in ((False, fit.learning_rate), (True, fit.weight_learning_rate or fit.learning_rate)):
            members = [p for p in self.model.parameters() if (id(p) in names) == is_slow]
            matrices, vectors = [p for p in members if p.ndim > 1], [p for p in members if p.ndim < 2]
            groups.append({"params": matrices, "lr": rate, "weight_decay": fit.weight_decay})
            groups.append({"params": vectors, "lr": rate, "weight_decay": fit.decay_biases * fit.weight_decay})
        for group in groups:
            group["full_rate"] = group["lr"]
        if fit.optimizer == "sgd":
            return torch.optim.SGD(groups)
        return torch.optim.AdamW(groups, betas=(0.9, 0.99))

    def on_train_epoch_start(self) -> None:
        """Order the epoch's batches, set its learning rates, and see that the last one is validated."""
        fit = self.settings
        if self.current_epoch == fit.epochs - 1:
            self.trainer.check_val_every_n_epoch = 1
        self.batches.epoch = self.current_epoch
        progress = self.current_epoch / fit.epochs
        share = min(1.0, (1 - progress) / (1 - fit.decay_from)) if fit.decay_from < 1 else 1.0
        optimizer = cast(torch.optim.Optimizer, self.optimizers())
        for group in optimizer.param_groups:
            group["lr"] = share * group["full_rate"]

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the epoch at its first batch: before that, a resumed run has made fewer iterators than a whole one."""
        if batch_idx == 0:
            torch.manual_seed((self.settings.seed * 1_000_003 + self.current_epoch) * 1_009 + self.global_rank)
        self._started = time.perf_counter()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Count the time."""
        self.seconds += time.perf_counter() - self._started

    def watch(self, loss: Tensor, batch: Batch, batch_idx: int) -> None:
        """Remember which batch this is, and stop if its loss is no number; raises `RunError`."""
        self._batch = batch, batch_idx
        if not torch.isfinite(loss):
            self._stop(f"the loss is {loss.item()}")

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before a gradient that is no number reaches the weights; raises `RunError`."""
        total = sum(p.grad.sum() for p in self.model.parameters() if p.grad is not None)
        if not torch.isfinite(torch.as_tensor(total)):
            self._stop("a gradient is not a finite number")

    def _stop(self, reason: str) -> NoReturn:
        batch, index = self._batch
        rows = batch.rows.cpu()
        touched = [
            piece.name
            for piece in self.frames.pieces("train")
            if bool(((rows >= piece.offset) & (rows < piece.offset + piece.length)).any())
        ]
        kept = "nothing was kept yet: begin again with a lower learning_rate"
        if self.best > -math.inf:
            kept = f"the best weights are kept: go on from them by --from {self.folder} with a lower learning_rate"
        raise RunError(
            f"training stopped: {reason} in batch {index} of epoch {self.current_epoch} (of {_some(touched)}); {kept}"
        )

    def validation_step(self, batch: int) -> None:
        """Log the likelihood of some validation frames and keep the weights if it is the best so far."""
        fit = self.settings
        scores = log_likelihoods(
            self.model,
            sequences(self.frames, "valid", VALIDATION_LONGEST),
            Settings(fit.validation_temperatures, fit.validation_chains),
            limit=fit.validation_frames if isinstance(self.model, EnergySystem) else None,
        )
        value = float(scores.log_likelihood.mean())
        self.log("validation_ll", value, prog_bar=True, batch_size=1, rank_zero_only=True)
        if value > self.best and not self.trainer.sanity_checking:
            self.best = value
            if self.trainer.is_global_zero:
                save_weights(self.folder, self.model)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the weights do not hold."""
        checkpoint["best"], checkpoint["seconds"] = self.best, self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        self.best, self.seconds = checkpoint["best"], checkpoint["seconds"]


def _some(names: list[str]) -> str:
    """The first of ``names`` and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more pieces"


def task_of(model: System) -> type[Task]:
    """The task that trains ``model``."""
    return EnergyTask if isinstance(model, EnergySystem) else BoundTask


class BoundTask(Task):
    """Gradient ascent on the likelihood or on a lower bound of it."""

    model: BoundSystem

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean negative bound, nats a frame; in the first epochs with a KL term that weighs less."""
        epochs = self.settings.divergence_warm_up
        weight = min(1.0, (self.current_epoch + 1) / epochs) if epochs else 1.0
        loss = -self.model.bound(batch.frames, batch.mask, weight)[batch.mask].mean()
        self.watch(loss, batch, batch_idx)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.frames))
        return loss


class EnergyTask(Task):
    """Contrastive training with persistent chains (or, as the paper did, CD-k)."""

    model: EnergySystem

    def __init__(self, model: EnergySystem, config: RunConfig, data: DataSet, folder: Path) -> None:
        super().__init__(model, config, data, folder)
        if model.config.kind == "binary":
            self.chains = Chains(torch.from_numpy(as_rolls(data, "a chain of bits").packed.copy()))
        else:
            self.chains = WaveChains(sum(piece.length for piece in data.pieces()), data.visible)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """F(data) − F(fantasy), whose gradient is the likelihood's; its value says nothing of the likelihood."""
        fit = self.settings
        rbm, conditionals = self.model.rbm, each(self.model(batch.frames), lambda tensor: tensor[batch.mask])
        frames = batch.frames[batch.mask]
        persists = fit.chains == "persistent"
        start = rbm.first_chains(frames, conditionals)
        if persists:
            start = self.chains.read(batch.rows, batch.shift, start)
        fantasy, ends = rbm.gibbs(start, conditionals, fit.sweeps, collapsed=fit.collapsed)
        if persists:
            self.chains.write(batch.rows, batch.shift, ends)
        loss = rbm.contrast(frames, fantasy, conditionals).mean()
        self.watch(loss, batch, batch_idx)
        self.log("contrast", loss, prog_bar=True, batch_size=len(batch.frames))
        return loss

    def on_train_epoch_end(self) -> None:
        """Give every process every chain, so that any of them can save all."""
        if self.trainer.world_size > 1:
            mine = torch.zeros_like(self.chains.packed)
            rows = self.batches.owned_rows()
            mine[rows] = self.chains.packed[rows]
            total = self.all_gather(mine.to(self.device))
            assert isinstance(total, Tensor)
            self.chains.packed = total.sum(0, dtype=mine.dtype).cpu()  # disjoint rows: a union

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the chains."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["chains"] = self.chains.packed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        super().on_load_checkpoint(checkpoint)
        self.chains.packed = checkpoint["chains"]
