"""Whole evaluations: what they write, and that one which was killed gives the figures of one that was not."""

import dataclasses
import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from cgrnn_train.accuracy import frame_accuracy
from cgrnn_train.check import check_annealing
from cgrnn_train.config import RunConfig
from cgrnn_train.data.sequences import sequences
from cgrnn_train.evaluate import ESTIMATES, evaluate_run
from cgrnn_train.frame_scores import Settings
from cgrnn_train.log_likelihood import log_likelihoods
from cgrnn_train.models.cgrnn import CGRNNConfig
from cgrnn_train.models.rnn import RNN, RNNConfig
from cgrnn_train.models.rnn_rbm import RNNRBM, RNNRBMConfig
from cgrnn_train.models.storn import STORNConfig
from cgrnn_train.results import read_result
from cgrnn_train.run import RunError, load, save_config, save_data, save_weights, weights_digest
from cgrnn_train.scores import Accuracy, Check, read_scores
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
        assert abs(scores.check.gap) < 0.2  # a fresh model is nearly factorised; 4 chains a frame are noisy
    assert isinstance(scores.prediction, Accuracy)
    assert 0 <= scores.prediction.pooled.value <= 1
    assert not (run / ESTIMATES / "test").exists()


def test_a_check_shows_on_which_side_too_few_temperatures_err(data, tmp_path):
    """A sharp model and 3 temperatures: AIS lies above what ten times as many say, reverse AIS and RAISE below it."""
    run = write_run(tmp_path / "run", "rnn-rbm", data)
    torch.manual_seed(1)
    model = build("rnn-rbm", MODELS["rnn-rbm"])
    assert isinstance(model, RNNRBM)
    with torch.no_grad():
        model.rbm.weight.normal_()
    save_weights(run, model)
    check = evaluate_run(run, data, "test", Settings(temperatures=3, chains=4), check=40).check
    assert check is not None
    assert check.change < -0.1
    assert check.gap > 0.2
    assert check.verdict(0.0, 0.9) != "stands"
    assert dataclasses.replace(check, reverse_log_likelihood=check.log_likelihood).verdict(0.0, 0.9) != "stands"


@pytest.mark.parametrize(
    ("gap", "change", "chance", "bias", "share", "verdict"),
    [
        (0.019, 0.009, 0.005, 0.009, 0.11, "stands"),
        (0.021, 0.0, 0.005, 0.0, 0.9, "does not stand"),
        (0.0, -0.011, 0.005, 0.0, 0.9, "does not stand"),
        (0.0, 0.0, 0.005, 0.011, 0.9, "does not stand"),
        (0.0, 0.0, 0.005, 0.0, 0.09, "does not stand"),
        (0.0, 0.0, 0.006, 0.0, 0.9, "undecided"),
        (0.021, 0.011, 0.006, 0.0, 0.9, "undecided"),
        (0.0, -0.03, 0.006, 0.0, 0.9, "does not stand"),
        (0.04, 0.0, 0.006, 0.0, 0.9, "does not stand"),
        (0.0, 0.0, None, 0.0, 0.9, "undecided"),
        (0.5, 0.0, None, 0.011, 0.9, "does not stand"),
    ],
)
def test_a_figure_stands_if_all_sides_agree_beyond_chance(gap, change, chance, bias, share, verdict):
    check = Check(100, -6.0, -6.0 - gap, -6.0 + change, -6.0, chance)
    assert check.verdict(bias, share) == verdict


def test_a_check_knows_what_is_chance_in_it(data):
    """All frames, twelve seeds: the figure varies as its standard error says."""
    torch.manual_seed(1)
    model = build("rnn-rbm", MODELS["rnn-rbm"]).eval()
    assert isinstance(model, RNNRBM)
    with torch.no_grad():
        model.rbm.weight.normal_(std=0.3)
    pieces = sequences(data, "test")
    checks = [
        check_annealing(model, pieces, Settings(temperatures=20, chains=8, seed=seed), 10_000) for seed in range(12)
    ]
    spread = torch.tensor([check.log_likelihood for check in checks], dtype=torch.double).std().item()
    stated = sum(check.standard_error or 0 for check in checks) / len(checks)
    assert 0.5 < spread / stated < 2  # of twelve, a standard deviation is known to a fifth


def test_an_rbm_s_prediction_is_that_of_its_annealed_chains(data, tmp_path):
    """Under the seed of the likelihood; and near what `predict`, which anneals for itself, says."""
    run = write_run(tmp_path / "run", "rnn-rbm", data)
    settings, pieces = Settings(temperatures=50, chains=200), sequences(data, "test")
    prediction = evaluate_run(run, data, "test", settings).prediction
    _, model = load(run)
    scores = log_likelihoods(model, pieces, settings)
    assert scores.means is not None
    parts = scores.means.split([len(piece) for piece in pieces])
    assert prediction == frame_accuracy(parts, pieces)
    with torch.no_grad():
        again = torch.stack([model.predict(pieces[0][None])[0] for _ in range(12)]).mean(0)
    assert (parts[0] - again).abs().max() < 0.15  # about 200 chains on either side: standard errors of 0.035 at most


def test_scores_are_bound_to_the_weights(data, tmp_path):
    run = write_run(tmp_path / "run", "rnn-1", data)
    scores = evaluate_run(run, data, "test", Settings())
    assert scores.weights == weights_digest(run)
    assert scores.data == data.digest
    torch.manual_seed(9)
    save_weights(run, build("rnn-1", MODELS["rnn-1"]))
    with pytest.raises(RunError, match="of earlier weights; score the run again"):
        read_result(run, "test")


def test_other_weights_do_not_go_on_from_what_was_kept(data, tmp_path):
    settings = Settings(temperatures=20, chains=4, chunk=4)

    class StoppedError(Exception):
        pass

    def stop(done):
        raise StoppedError

    stopped, fresh = (write_run(tmp_path / name, "rnn-rbm", data) for name in ("stopped", "fresh"))
    with pytest.raises(StoppedError):
        evaluate_run(stopped, data, "test", settings, stage=lambda name, total: stop)
    assert list((stopped / ESTIMATES / "test").glob("**/*.safetensors"))
    torch.manual_seed(9)
    other = build("rnn-rbm", MODELS["rnn-rbm"])
    for run in (stopped, fresh):
        save_weights(run, other)
    values = [evaluate_run(run, data, "test", settings).log_likelihood.value for run in (stopped, fresh)]
    assert values[0] == values[1]


def test_a_score_of_another_data_set_says_so(data, tmp_path):
    run = write_run(tmp_path / "run", "rnn-1", data)
    assert not read_result(run, "test").is_foreign
    evaluate_run(run, data, "test", Settings())
    assert not read_result(run, "test").is_foreign
    record = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps({**record, "digest": "another's"}))
    assert read_result(run, "test").is_foreign


@pytest.mark.parametrize(
    ("key", "value"),
    [("frames", "80"), ("frames", True), ("log_likelihood", None), ("prediction", {}), ("seconds", []), ("more", 1)],
)
def test_scores_of_wrong_types_are_refused(data, tmp_path, key, value):
    run = write_run(tmp_path / "run", "rnn-1", data)
    evaluate_run(run, data, "test", Settings())
    path = run / "scores" / "test.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=r"test\.json is not a score .* score the run again"):
        read_scores(run, "test")


def test_particles_have_no_check(data, tmp_path):
    config = RunConfig("cgrnn", CGRNNConfig(hidden=4, state=4, mlp=(3,), feed="sampled"))
    save_config(tmp_path / "run", config, "by hand")
    save_weights(tmp_path / "run", build("cgrnn", config.model))
    with pytest.raises(RunError, match="leave out one of the two"):
        evaluate_run(tmp_path / "run", data, "test", Settings(samples=2), check=5)


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
    assert isinstance(scores.prediction, Accuracy)
    assert scores.prediction.pooled.value == pytest.approx(hits / union)
    assert scores.prediction.per_frame.value == pytest.approx(total / scores.frames)


@pytest.mark.parametrize("system", ["storn", "rnn-rbm"])
def test_an_evaluation_killed_by_sigterm_goes_on_to_the_same_figures(data, tmp_path, system):
    whole, parts = (write_run(tmp_path / name / "run", system, data) for name in ("whole", "parts"))
    options = ["--split", "train", "--temperatures", "700", "--chains", "8", "--chunk", "4", "--samples", "4"]
    options += ["--check", "8"]

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
