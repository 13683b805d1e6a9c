"""Training that stops before its end: by a signal, it goes on to the same weights; by a NaN, it says where."""

import dataclasses
import json
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from cgrnn_train import fit as fitting
from cgrnn_train.models.binary import BinaryFrames
from cgrnn_train.models.rnn import RNNConfig
from cgrnn_train.run import RunError, open_data, read_record, save_config, save_data
from cgrnn_train.task import BoundTask, EnergyTask

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)

CONFIG = """
[model]
state = 12
mlp = [8]
dropout = 0.2
[fit]
epochs = 6
batch_size = 3
validation_every = 2
validation_frames = 9
validation_temperatures = 5
transpose = 1
[vrnn.model]
latent = 3
width = 8
[cgrnn.model]
hidden = 8
"""


@pytest.mark.parametrize("system", ["vrnn", "cgrnn"])
def test_a_run_killed_by_sigterm_ends_with_the_weights_of_one_that_was_not(data, tmp_path, system):
    (tmp_path / "run.toml").write_text(CONFIG)

    def command(run, *options):
        program = "from cgrnn_train.cli import main; main()"
        return [sys.executable, "-c", program, "fit", "--out", str(run), "--accelerator", "cpu", *options]

    begin = ("--data", str(data.folder), "--config", str(tmp_path / "run.toml"), "--model", system, "--threads", "1")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    subprocess.run(command(whole, *begin), check=True, capture_output=True, timeout=300)
    process = subprocess.Popen(command(parts, *begin), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not (parts / "checkpoints" / "last.ckpt").exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) != 0, "it was done before the signal came"
    assert not (parts / "fit.json").exists()
    done = subprocess.run(
        command(parts, "--resume", "--threads", "1", "--json"), check=True, capture_output=True, timeout=300
    )
    first, second = (load_file(run / "model.safetensors") for run in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)
    record = read_record(parts)
    assert record is not None
    assert record["validation_log_likelihood"] == json.loads(done.stdout)["validation_log_likelihood"]
    assert record["parameters"] == sum(tensor.numel() for tensor in first.values()) - (
        128 if "rbm.centre" in first else 0
    )
    assert record["training_seconds"] > 0


def fit(config, data, folder):
    return fitting.fit(config, data, folder, accelerator="cpu", show_progress=False)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_good(data, small_run, tmp_path, monkeypatch):
    contrast = BinaryFrames.contrast
    calls = []

    def diverging(self, *arguments):
        calls.append(1)
        return contrast(self, *arguments) * (float("nan") if len(calls) == 11 else 1)

    monkeypatch.setattr(BinaryFrames, "contrast", diverging)
    with pytest.raises(
        RunError, match=r"the loss is nan in batch 2 of epoch 2 \(of song \d+ and 2 more pieces\)"
    ) as stop:
        fit(small_run, data, tmp_path / "run")
    assert "go on from them by --from" in str(stop.value)
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=False)
    assert checkpoint["epoch"] == 1
    assert all(torch.isfinite(tensor).all() for tensor in checkpoint["state_dict"].values())


def test_a_learning_rate_that_is_far_too_high_ends_in_one_sentence(data, small_run, tmp_path):
    settings = dataclasses.replace(small_run.fit, learning_rate=1e30, clip=0.0, average=0.0)
    with pytest.raises(RunError, match="training stopped: .* in batch . of epoch 0 .* lower learning_rate"):
        fit(dataclasses.replace(small_run, fit=settings), data, tmp_path / "run")


@pytest.mark.parametrize("task", [BoundTask, EnergyTask])
def test_a_gradient_that_is_no_number_never_reaches_the_weights(data, small_run, tmp_path, monkeypatch, task):
    config = small_run
    if task is BoundTask:
        config = dataclasses.replace(small_run, system="rnn-1", model=RNNConfig(state=4))
    step = task.training_step

    def spoiling(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        first = next(self.model.parameters())
        return loss + (first.flatten()[0] * 0).sqrt()  # its value is 0, its slope 0/0

    monkeypatch.setattr(task, "training_step", spoiling)
    with pytest.raises(RunError, match="a gradient is not a finite number in batch 0 of epoch 0"):
        fit(config, data, tmp_path / "run")


def test_a_data_set_of_other_frames_is_refused(data, small_run, tmp_path):
    save_config(tmp_path / "run", small_run, "by hand")
    save_data(tmp_path / "run", data)
    record = json.loads((tmp_path / "run" / "data.json").read_text())
    assert record["frame"]["frame_seconds"] == 0.25
    (tmp_path / "run" / "data.json").write_text(
        json.dumps({**record, "frame": {**record["frame"], "frame_seconds": 0.5}})
    )
    with pytest.raises(RunError, match=r"has frames of 0.25 s by the rule 'half'; expected 0.5 s"):
        open_data(tmp_path / "run", data.folder)
