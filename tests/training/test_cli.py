"""The command as a user meets it: one JSON object on standard output, every mistake one sentence and exit code 2."""

import json
import math
import subprocess
import sys

import pytest

from cgrnn_train.cli import SYSTEM_NAMES, main
from cgrnn_train.config import RunConfig
from cgrnn_train.models.rnn import RNNConfig
from cgrnn_train.run import save_config, save_data, save_weights
from cgrnn_train.scores import read_scores
from cgrnn_train.systems import SYSTEMS, build


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `cgrnn-train` in this process: the exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["cgrnn-train", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def run(small_run, tmp_path):
    save_config(tmp_path / "run", small_run, "by hand")
    save_weights(tmp_path / "run", build(small_run.system, small_run.model))
    return tmp_path / "run"


@pytest.fixture
def folder(data):
    return data.folder


def test_mistakes_are_one_sentence(command, run, folder, tmp_path):
    (tmp_path / "bad.toml").write_text("[fit]\nepoch = 3\n")
    nowhere = tmp_path / "nowhere"
    of_sound = tmp_path / "of sound"
    save_config(of_sound, RunConfig("rnn-1", RNNConfig(kind="continuous", visible=150)), "by hand")
    cases = [
        (["fit", "--data", nowhere, "--out", tmp_path / "r"], "is not a prepared data set"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--model", "gpt"], "expected one of rnn-1, rnn-2, storn"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--config", tmp_path / "bad.toml"], "found 'epoch'"),
        (["fit", "--data", folder, "--out", run], "is not empty"),
        (["fit", "--out", tmp_path / "r"], "give --data"),
        (["fit", "--data", folder, "--out", run, "--resume", "--from", run], "leave out --from"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--accelerator", "banana"], "accelerator 'banana'"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--epochs", 3], "No such option"),
        (["fit", "--data", folder, "--out", tmp_path / "bad.toml" / "r"], "bad.toml"),
        (["fit", "--out", run, "--resume"], "give --data"),
        (["evaluate", nowhere, "--data", folder], "is not a run"),
        (["evaluate", nowhere], "is not a run"),
        (["evaluate", run], "give --data"),
        (["evaluate"], "Missing argument"),
        (["evaluate", run, "--check", 5, "--frames", 4], "leave out one of the two"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--set", "epochs=3"], "expected model.KEY=VALUE"),
        (["fit", "--out", run, "--data", folder, "--resume", "--set", "fit.epochs=3"], "leave it out"),
        (["table", run], "expected run folders and then a page"),
        (["table", nowhere, tmp_path / "page.md"], "is not a run"),
        (["figures", run], "expected run folders and then the folder"),
        (["figures", nowhere, tmp_path / "figures", "--data", folder], "is not a run"),
        (["figures", run, tmp_path / "figures", "--data", folder, "--piece", 99], "99"),
        (["figures", of_sound, run, tmp_path / "figures", "--data", folder], "expected one kind"),
        (["export", run, tmp_path / "b"], "give --data"),
        (["evaluate", run, "--data", folder, "--split", "tset"], "no split 'tset'"),
        (["export", nowhere, tmp_path / "b", "--data", folder], "is not a run"),
    ]
    for arguments, words in cases:
        code, output, error = command(*arguments)
        assert code == 2, arguments
        assert words in error
        assert error.startswith("cgrnn-train: ")
        assert error.count("\n") == 1
        assert output == ""
        assert not (tmp_path / "r").exists()


def test_evaluate_prints_one_json_object(command, run, folder):
    options = ["--temperatures", 20, "--chains", 4, "--frames", 10, "--threads", 1, "--json"]
    code, output, _ = command("evaluate", run, "--data", folder, *options)
    score = json.loads(output)
    assert code == 0
    assert score["frames"] == 10
    likelihood = score["log_likelihood"]
    assert likelihood["kind"] == "AIS, 20 temperatures x 4 chains, visited frames summed (errs high)"
    assert likelihood["interval"][0] <= likelihood["value"] <= likelihood["interval"][1]
    assert not (run / "scores").exists()  # some frames are no score of the split


def test_from_a_run_to_a_page_and_figures(command, run, data, tmp_path):
    save_data(run, data)
    options = ["--temperatures", 20, "--chains", 4, "--check", 5, "--split", "valid"]
    code, output, _ = command("evaluate", run, *options, "--threads", 1)
    assert code == 0
    score = read_scores(run, "valid").log_likelihood.value
    assert f"run on valid: {score:.3f} nats a frame" in output
    page, drawn = tmp_path / "page.md", tmp_path / "drawn"
    code, _, error = command("table", run, page, "--split", "valid")
    assert (code, error) == (0, f"wrote {page}\n")
    assert f"{score:.2f}".replace("-", "−") in page.read_text(encoding="utf-8")
    code, _, error = command("figures", run, drawn, "--split", "valid", "--piece", 0)
    assert (code, error) == (0, f"wrote {drawn}\n")
    assert {path.suffix for path in drawn.iterdir()} >= {".png", ".svg"}


def test_the_systems_that_help_names_are_all():
    assert SYSTEM_NAMES.split("|") == list(SYSTEMS)


CONFIG = """
[model]
hidden = 4
state = 4
mlp = [4]
[fit]
epochs = 2
batch_size = 3
validation_frames = 9
validation_temperatures = 5
"""


@pytest.mark.parametrize("devices", [1, 2])
def test_fit_prints_one_json_object(folder, tmp_path, devices):
    script = tmp_path / "train.py"  # a script: Lightning starts the second process by running it again
    script.write_text("from cgrnn_train.cli import main\nif __name__ == '__main__':\n    main()\n")
    (tmp_path / "run.toml").write_text(CONFIG)
    options = ["--accelerator", "cpu", "--threads", "1", "--devices", str(devices), "--json"]
    paths = ["--data", str(folder), "--out", str(tmp_path / "new"), "--config", str(tmp_path / "run.toml")]
    done = subprocess.run(
        [sys.executable, str(script), "fit", *paths, *options], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["validation_log_likelihood"] < 0
    assert "Epoch 1" in done.stderr  # the progress bar


def test_no_score_is_null(command, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("cgrnn_train.fit.fit", lambda *arguments, **options: -math.inf)
    code, output, _ = command("fit", "--data", folder, "--out", tmp_path / "new", "--json")
    assert code == 0
    assert json.loads(output)["validation_log_likelihood"] is None


def test_a_fault_is_ours_and_an_interrupt_says_how_to_go_on(command, folder, tmp_path, monkeypatch):
    def fail(error):
        def raising(*arguments, **options):
            raise error

        monkeypatch.setattr("cgrnn_train.fit.fit", raising)
        return command("fit", "--data", folder, "--out", tmp_path / "new")

    assert fail(KeyboardInterrupt())[::2] == (
        130,
        "cgrnn-train: stopped; fit goes on with --resume from its last finished epoch, evaluate when called again\n",
    )
    code, _, error = fail(RuntimeError("odd\nthings"))
    assert (code, error) == (
        1,
        "cgrnn-train: a fault of ours: RuntimeError: odd things (CGRNN_DEBUG=1 shows where).\n",
    )
    monkeypatch.setenv("CGRNN_DEBUG", "1")
    with pytest.raises(RuntimeError, match="odd"):
        fail(RuntimeError("odd"))


def test_a_run_is_scored_on_its_own_data_set(command, run, data):
    save_data(run, data)
    code, output, _ = command("evaluate", run, "--temperatures", 5, "--chains", 2, "--frames", 4, "--json")
    assert code == 0
    assert json.loads(output)["frames"] == 4


def test_without_the_training_packages_it_says_how_to_get_them():
    """The player's installation has this command too, without torch."""
    program = "import sys; sys.modules['torch'] = None; from cgrnn_train.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install" in done.stderr
