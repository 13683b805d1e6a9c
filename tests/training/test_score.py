"""Whole evaluations: what they write, and that one which was killed gives the figures of one that was not."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from cgrnn_train.config import RunConfig
from cgrnn_train.evaluate import Settings
from cgrnn_train.models.rnn import RNN, RNNConfig
from cgrnn_train.models.rnn_rbm import RNNRBMConfig
from cgrnn_train.models.storn import STORNConfig
from cgrnn_train.run import save_config, save_data, save_weights
from cgrnn_train.score import ESTIMATES, evaluate_run
from cgrnn_train.scores import read_scores
from cgrnn_train.systems import build

MODELS = {
    "rnn-1": RNNConfig(state=6),
    "storn": STORNConfig(state=6, latent=3, width=5),
    "rnn-rbm": RNNRBMConfig(hidden=6, state=6, mlp=(5,)),
}


def write_run(folder, system, data):
    torch.manual_seed(0)
    config = RunConfig(system, MODELS[system])
    save_config(folder, config, "by hand")
    save_data(folder, data)
    save_weights(folder, build(system, config.model))
    return folder


@pytest.mark.parametrize("system", MODELS)
def test_a_run_is_scored_under_both_protocols(data, tmp_path, system):
    run = write_run(tmp_path / "run", system, data)
    stages = []
    scores = evaluate_run(
        run,
        data,
        "test",
        Settings(temperatures=20, chains=4, samples=3),
        check=10,
        command="cgrnn-train evaluate run",
        stage=lambda name, total: stages.append((name, total)) or (lambda done: None),
    )
    assert read_scores(run, "test") == scores
    assert (scores.system, scores.source, scores.split) == (system, "four chords, made by the test", "test")
    frames = sum(piece.length for piece in data.pieces("test"))
    assert scores.frames == frames
    assert all(total == (10 if name == "AIS from other sides" else frames) for name, total in stages)
    assert scores.log_likelihood.value < 0
    assert (scores.reconstruction is None) == (system == "rnn-1")
    assert (scores.trained_bound is not None) == (system == "storn")
    if scores.trained_bound:
        assert scores.trained_bound.kind.startswith("ELBO")
    assert (scores.check is not None) == (system == "rnn-rbm")
    if scores.check:
        assert scores.check.frames == 10
        assert scores.check.log_likelihood == pytest.approx(scores.log_likelihood.value, abs=2)  # other frames
        # a fresh model is nearly factorised: 20 temperatures are plenty from every side
        assert abs(scores.check.gap) < 0.05
        assert abs(scores.check.change) < 0.05
        assert scores.check.raise_log_likelihood == pytest.approx(scores.check.log_likelihood, abs=0.05)
    assert 0 <= scores.prediction.pooled.value <= 1
    assert not (run / ESTIMATES / "test").exists()


def test_scores_of_an_rnn_are_those_of_its_probabilities(data, tmp_path):
    run = write_run(tmp_path / "run", "rnn-1", data)
    with torch.no_grad():
        model = build("rnn-1", MODELS["rnn-1"])
        assert isinstance(model, RNN)
        model.output.bias.fill_(-5)
        model.output.bias[60] = 5
        save_weights(run, model)
    scores = evaluate_run(run, data, "test", Settings())
    hits = union = total = 0
    for piece in data.pieces("test"):
        roll = data.frames(piece)
        for frame in roll:  # pitch 60 is predicted, always and alone
            hit, either = int(frame[60]), int(frame.sum() + (not frame[60]))
            hits, union, total = hits + hit, union + either, total + hit / either
    assert scores.prediction.pooled.value == pytest.approx(hits / union)
    assert scores.prediction.per_frame.value == pytest.approx(total / scores.frames)


@pytest.mark.parametrize("system", ["storn", "rnn-rbm"])
def test_an_evaluation_killed_by_sigterm_goes_on_to_the_same_figures(data, tmp_path, system):
    whole, parts = (write_run(tmp_path / name / "run", system, data) for name in ("whole", "parts"))
    options = ["--split", "train", "--temperatures", "700", "--chains", "8", "--chunk", "4", "--samples", "4"]

    def command(run):
        program = "from cgrnn_train.cli import main; main()"
        return [sys.executable, "-c", program, "evaluate", str(run), *options, "--threads", "1", "--json"]

    expected = subprocess.run(command(whole), capture_output=True, text=True, check=True, timeout=300)
    kept = parts / ESTIMATES / "train"
    process = subprocess.Popen(command(parts), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not list(kept.glob("**/*.safetensors")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.001)  # until there is something to lose
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) != 0, "it was done before the signal came"
    assert not (parts / "scores").exists()
    done = subprocess.run(command(parts), capture_output=True, text=True, check=True, timeout=300)
    first, second = json.loads(expected.stdout), json.loads(done.stdout)
    for result in (first, second):
        for key in ("run", "command", "seconds"):
            del result[key]
    assert first == second
