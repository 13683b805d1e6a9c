"""Training runs: they learn, stop and go on exactly, share work between processes, and leave a usable folder."""

import dataclasses
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cgrnn_bundle.frames import FrameSpec
from cgrnn_train import fit as fitting
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import PackedFrames, Roll, write_packed
from cgrnn_train.data.sequences import sequences
from cgrnn_train.frame_scores import Settings
from cgrnn_train.log_likelihood import estimator, log_likelihoods
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.rnn import RNN, RNNConfig
from cgrnn_train.origin import read_origin
from cgrnn_train.run import RunError, load, load_cgrnn, open_data, read_record, save_config
from cgrnn_train.systems import build
from cgrnn_train.task import EnergyTask

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
    config = dataclasses.replace(config, fit=dataclasses.replace(config.fit, validation_every=20, average=0.9))
    best = run(config, data, tmp_path / "run")
    loaded, model = load(tmp_path / "run")
    assert loaded == config
    valid = sequences(data, "valid")
    score = float(log_likelihoods(model, valid, Settings(300, 32)).log_likelihood.mean())
    independent = torch.cat(list(sequences(data, "train"))).mean(0).clamp(1e-3, 1 - 1e-3)
    frames = torch.cat(list(valid))
    baseline = float((frames * independent.log() + (1 - frames) * (1 - independent).log()).sum(1).mean())
    assert score > baseline + 1  # pitches of their own, without a past: a nat is far beyond the estimate's noise
    assert score == pytest.approx(best, abs=0.5)
    assert (tmp_path / "run" / "logs" / "metrics.csv").read_text().startswith("contrast,epoch,step,validation_ll")


@pytest.mark.parametrize("decay_biases", [True, False])
def test_rates_and_decay_are_of_the_parameters_that_they_name(data, small_run, tmp_path, decay_biases):
    rates = {"learning_rate": 0.01, "weight_learning_rate": 0.002, "weight_decay": 0.1, "decay_biases": decay_biases}
    config = dataclasses.replace(small_run, fit=dataclasses.replace(small_run.fit, **rates))
    model = build(config.system, config.model)
    assert isinstance(model, EnergySystem)
    groups = EnergyTask(model, config, data, tmp_path).configure_optimizers().param_groups
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert len(found) == sum(len(group["params"]) for group in groups)
    for name, parameter in model.named_parameters():
        rate = 0.002 if name in ("rbm.weight", "rbm.raw_precision") else 0.01
        assert found.pop(id(parameter)) == (rate, 0.1 if decay_biases or parameter.ndim > 1 else 0.0), name
    assert not found


@pytest.mark.parametrize("chains", ["persistent", "data"])
def test_a_stopped_run_goes_on_exactly(data, small_run, tmp_path, monkeypatch, chains):
    config = dataclasses.replace(small_run, fit=dataclasses.replace(small_run.fit, chains=chains))
    run(config, data, tmp_path / "whole")

    class StoppedError(Exception):
        pass

    step = EnergyTask.training_step

    def stopping_step(self, batch, batch_idx):
        if self.global_step == 9:  # in the middle of the third epoch of four steps
            raise StoppedError
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EnergyTask, "training_step", stopping_step)
    with pytest.raises(StoppedError):
        run(config, data, tmp_path / "parts")
    monkeypatch.undo()
    saved = torch.load(tmp_path / "parts" / "checkpoints" / "last.ckpt", weights_only=False)["chains"]
    found = []
    monkeypatch.setattr(
        EnergyTask, "training_step", lambda *step_of: found.append(step_of[0].chains.packed.clone()) or step(*step_of)
    )
    run(config, data, tmp_path / "parts", resume=True)
    # The weights alone would not show it: short chains of a small model forget where they began.
    assert torch.equal(found[0], saved)
    assert torch.equal(saved, torch.from_numpy(data.packed.copy())) == (chains == "data")
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    best = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


@pytest.mark.parametrize(("epochs", "every", "validated"), [(1, 5, [0]), (3, 2, [1, 2]), (4, 2, [1, 3])])
def test_the_last_epoch_is_validated(data, small_run, tmp_path, epochs, every, validated):
    settings = dataclasses.replace(small_run.fit, epochs=epochs, validation_every=every)
    assert run(dataclasses.replace(small_run, fit=settings), data, tmp_path / "run") > -np.inf
    load(tmp_path / "run")
    rows = (tmp_path / "run" / "logs" / "metrics.csv").read_text().splitlines()
    column, epoch = rows[0].split(",").index("validation_ll"), rows[0].split(",").index("epoch")
    assert [int(row.split(",")[epoch]) for row in rows[1:] if row.split(",")[column]] == validated


def test_fine_tuning_begins_with_another_runs_weights(data, small_run, tmp_path):
    still = dataclasses.replace(small_run, fit=dataclasses.replace(small_run.fit, learning_rate=1e-12, epochs=1))
    run(small_run, data, tmp_path / "first", command="fit first")
    run(still, data, tmp_path / "second", start=tmp_path / "first", command="fit second")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    fewer_dropped = dataclasses.replace(still, model=dataclasses.replace(still.model, dropout=0.0, state_dropout=0.3))
    run(fewer_dropped, data, tmp_path / "third", start=tmp_path / "second")
    assert load(tmp_path / "third")[0].model.dropout == 0.0
    assert read_origin(tmp_path / "first") == []
    stages = read_origin(tmp_path / "third")
    assert [stage.command for stage in stages] == ["fit first", "fit second"]
    assert [RunConfig.from_dict(stage.config, "here") for stage in stages] == [small_run, still]
    records = [read_record(tmp_path / name) or {} for name in ("first", "second")]
    assert [(stage.epochs, stage.training_seconds) for stage in stages] == [
        (record["epochs"], record["training_seconds"]) for record in records
    ]
    other = dataclasses.replace(small_run, model=dataclasses.replace(small_run.model, hidden=3))
    with pytest.raises(RunError, match="another \\[model\\]"):
        run(other, data, tmp_path / "fourth", start=tmp_path / "first")
    assert not (tmp_path / "fourth").exists()


def test_a_cgrnn_of_mode_d_gains_a_feed_that_weighs_nothing_at_first(data, small_run, tmp_path):
    in_mode_d = dataclasses.replace(small_run, model=dataclasses.replace(small_run.model, mode="D"))
    run(in_mode_d, data, tmp_path / "d")
    still = dataclasses.replace(small_run, fit=dataclasses.replace(small_run.fit, learning_rate=1e-12, epochs=1))
    run(still, data, tmp_path / "full", start=tmp_path / "d")
    d, full = (load_cgrnn(tmp_path / name)[1] for name in ("d", "full"))
    assert full.config.mode == "full"
    assert full.feed_weight.numel() > 0
    frames = (torch.rand(2, 12, d.config.visible) < 0.2).float()
    assert torch.allclose(full.states(frames), d.states(frames), atol=1e-5)
    run(small_run, data, tmp_path / "learned", start=tmp_path / "d")
    assert load_cgrnn(tmp_path / "learned")[1].feed_weight.abs().max() > 1e-3
    with pytest.raises(RunError, match="mode D become full"):
        run(in_mode_d, data, tmp_path / "back", start=tmp_path / "full")
    in_mode_s = dataclasses.replace(small_run, model=dataclasses.replace(small_run.model, mode="S"))
    with pytest.raises(RunError, match="mode D become full"):
        run(in_mode_s, data, tmp_path / "s", start=tmp_path / "d")


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
    data = PackedFrames.open({str(data.folder)!r})
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
    assert estimator(model, Settings()) == "exact"
    pieces = sequences(data, "test")
    scores = log_likelihoods(model, pieces)
    by_hand = torch.cat([model.log_likelihood(piece) for piece in pieces]).double()
    assert np.allclose(scores.log_likelihood, by_hand.detach())
    with pytest.raises(RunError, match="run of 'rnn-1'"):
        load_cgrnn(tmp_path / "run")


def test_a_mistake_leaves_the_folder_alone(data, small_run, tmp_path):
    with pytest.raises(RunError, match="accelerator 'banana'"):
        fitting.fit(small_run, data, tmp_path / "run", accelerator="banana", show_progress=False)
    songs = [Roll(f"song {n}", "train", data.frames(piece)) for n, piece in enumerate(data.pieces("train"))]
    write_packed(tmp_path / "data", songs, FrameSpec(), {"source": "no other split", "licence": "CC0"})
    with pytest.raises(DataError, match="no piece in its valid split"):
        run(small_run, PackedFrames.open(tmp_path / "data"), tmp_path / "run")
    with pytest.raises(RunError, match="leave out --from"):
        run(small_run, data, tmp_path / "run", resume=True, start=tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_run_knows_its_data_set(data, small_run, tmp_path):
    songs = [Roll(piece.name, piece.split, data.frames(piece)) for piece in data.pieces()]
    meta = {"source": "a copy", "licence": "CC0"}
    write_packed(tmp_path / "data", songs, FrameSpec(), meta)
    own, folder = PackedFrames.open(tmp_path / "data"), tmp_path / "run"
    run(longer(small_run, 1), own, folder)
    assert open_data(folder).folder == tmp_path / "data"
    assert open_data(folder, data.folder).folder == data.folder
    with pytest.raises(RunError, match="begun with the data set .*data; resume it with that"):
        run(longer(small_run, 1), data, folder, resume=True)
    write_packed(tmp_path / "data", songs[:-1], FrameSpec(), meta)
    with pytest.raises(RunError, match="has changed since .* give --data"):
        open_data(folder)
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(RunError, match="is no longer a data set; give --data"):
        open_data(folder)
    (folder / "data.json").write_text("[]")
    with pytest.raises(RunError, match="delete it and give --data"):
        open_data(folder)
    (folder / "data.json").unlink()  # as in runs of earlier versions
    with pytest.raises(RunError, match="does not say what it was trained on .* give --data"):
        open_data(folder)
    run(longer(small_run, 1), data, folder, resume=True)


def test_ctrl_c_is_an_interrupt(data, small_run, tmp_path, monkeypatch):
    def interrupted_step(self, batch, batch_idx):
        raise KeyboardInterrupt

    monkeypatch.setattr(EnergyTask, "training_step", interrupted_step)
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(small_run, data, tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored


def test_the_baseline_takes_a_piece_of_one_frame():
    model = RNN(RNNConfig(state=4))
    one = torch.zeros(2, 1, 128)
    assert torch.equal(model(one), model(torch.zeros(2, 3, 128))[:, :1])
    model.bound(one).sum().backward()
    assert next(model.layers.children()).initial_state.grad is not None


def test_folders_that_cannot_be_used(data, small_run, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(RunError, match="is not a run"):
        run(small_run, data, folder, resume=True)
    save_config(folder, small_run, "a command")
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
