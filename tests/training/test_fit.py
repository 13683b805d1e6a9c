"""Training runs: they learn, stop and go on exactly, share work between processes, and leave a usable folder."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cgrnn_train import fit as fitting
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.sequences import sequences
from cgrnn_train.evaluate import estimator, log_likelihoods
from cgrnn_train.models.rnn import RNN, RNNConfig
from cgrnn_train.run import RunError, load, load_cgrnn

# Lightning's own uses of what PyTorch has since deprecated, and its advice on loggers; none of it is ours to change.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning",
    "ignore:.*:FutureWarning",
    "ignore:.*:UserWarning:lightning",
    "ignore:.*tensorboard.*",
)


def run(config, data, folder, **options):
    return fitting.fit(config, data, folder, accelerator="cpu", show_progress=False, **options)


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]


def longer(config, epochs):
    return dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=epochs))


def test_a_run_learns_and_keeps_its_best_weights(data, small_run, tmp_path):
    config = longer(small_run, 40)
    config = dataclasses.replace(config, fit=dataclasses.replace(config.fit, validation_every=20))
    best = run(config, data, tmp_path / "run")
    loaded, model = load(tmp_path / "run")
    assert loaded == config
    valid = sequences(data, "valid")
    score = float(log_likelihoods(model, valid, temperatures=300, chains=32).log_likelihood.mean())
    independent = torch.cat(sequences(data, "train")).mean(0).clamp(1e-3, 1 - 1e-3)
    frames = torch.cat(valid)
    baseline = float((frames * independent.log() + (1 - frames) * (1 - independent).log()).sum(1).mean())
    assert score > baseline + 1  # pitches of their own, without a past: a nat is far beyond the estimate's noise
    assert score == pytest.approx(best, abs=0.5)
    assert (tmp_path / "run" / "logs" / "metrics.csv").read_text().startswith("contrast,epoch,step,validation_ll")


@pytest.mark.parametrize("chains", ["persistent", "data"])
def test_a_stopped_run_goes_on_exactly(data, small_run, tmp_path, monkeypatch, chains):
    config = dataclasses.replace(small_run, fit=dataclasses.replace(small_run.fit, chains=chains))
    run(config, data, tmp_path / "whole")

    class StoppedError(Exception):
        pass

    step = fitting.CGRNNTask.training_step

    def stopping_step(self, batch):
        if self.global_step == 9:  # in the middle of the third epoch of four steps
            raise StoppedError
        return step(self, batch)

    monkeypatch.setattr(fitting.CGRNNTask, "training_step", stopping_step)
    with pytest.raises(StoppedError):
        run(config, data, tmp_path / "parts")
    monkeypatch.undo()
    run(config, data, tmp_path / "parts", resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    best = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


def test_fine_tuning_begins_with_another_runs_weights(data, small_run, tmp_path):
    still = dataclasses.replace(small_run, fit=dataclasses.replace(small_run.fit, learning_rate=1e-12, epochs=1))
    run(small_run, data, tmp_path / "first")
    run(still, data, tmp_path / "second", start=tmp_path / "first")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    other = dataclasses.replace(small_run, model=dataclasses.replace(small_run.model, hidden=3))
    with pytest.raises(RunError, match="another \\[model\\]"):
        run(other, data, tmp_path / "third", start=tmp_path / "first")


def test_two_processes_share_a_run(data, small_run, tmp_path):
    script = f"""
import dataclasses
from pathlib import Path
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.fit import fit
import torch
if __name__ == "__main__":
    torch.set_num_threads(1)
    config = RunConfig.from_dict({small_run.to_dict()!r}, "test")
    data = PackedFrames.open({str(data.packed.filename.parent)!r})
    fit(config, data, Path({str(tmp_path / "run")!r}), devices=2, accelerator="cpu", show_progress=False)
"""
    (tmp_path / "train.py").write_text(script)
    done = subprocess.run([sys.executable, str(tmp_path / "train.py")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=False)
    load_cgrnn(tmp_path / "run")
    # The chains of both processes are in the one checkpoint: hardly any frame's chain is still its data.
    train = sum(piece.length for piece in data.pieces("train"))
    moved = (checkpoint["chains"][:train].numpy() != data.packed[:train]).any(1)
    assert moved.mean() > 0.9


def test_the_baseline_trains_and_is_scored_exactly(data, tmp_path):
    config = RunConfig("rnn-1", RNNConfig(state=16), FitConfig(epochs=20, batch_size=3, average=0.9))
    run(config, data, tmp_path / "run")
    _, model = load(tmp_path / "run")
    assert isinstance(model, RNN)
    assert estimator(model, 1, 1) == "exact"
    pieces = sequences(data, "test")
    scores = log_likelihoods(model, pieces)
    by_hand = torch.cat([model.log_likelihood(piece[None])[0] for piece in pieces]).double()
    assert np.allclose(scores.log_likelihood, by_hand.detach())
    with pytest.raises(RunError, match="run of 'rnn-1'"):
        load_cgrnn(tmp_path / "run")


def test_folders_that_cannot_be_used(data, small_run, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(RunError, match="is not a run"):
        run(small_run, data, folder, resume=True)
    fitting.save_config(folder, small_run, "a command")
    with pytest.raises(RunError, match="not empty"):
        run(small_run, data, folder)
    with pytest.raises(RunError, match="no finished epoch"):
        run(small_run, data, folder, resume=True)
    with pytest.raises(RunError, match="another configuration"):
        run(longer(small_run, 9), data, folder, resume=True)
    with pytest.raises(RunError, match="unfinished"):
        load(folder)
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(RunError, match="does not fit"):
        load(folder)
