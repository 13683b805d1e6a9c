"""The command as a user meets it: every verb has help, every mistake is one sentence and exit code 2."""

import json

import pytest

from cgrnn_train.cli import main
from cgrnn_train.run import build, save_config, save_weights


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
    save_weights(tmp_path / "run", build(small_run))
    return tmp_path / "run"


@pytest.fixture
def folder(data):
    return data.packed.filename.parent


@pytest.mark.parametrize("verb", ["prepare", "fit", "evaluate", "export"])
def test_every_verb_has_help(command, verb):
    code, output, _ = command(verb, "--help")
    assert code == 0
    assert "Usage" in output


def test_mistakes_are_one_sentence(command, run, folder, tmp_path):
    (tmp_path / "bad.toml").write_text("[fit]\nepoch = 3\n")
    nowhere = tmp_path / "nowhere"
    cases = [
        (["fit", "--data", nowhere, "--out", tmp_path / "r"], "is not a prepared data set"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--model", "gpt"], "expected one of cgrnn, rnn-1"),
        (["fit", "--data", folder, "--out", tmp_path / "r", "--config", tmp_path / "bad.toml"], "found 'epoch'"),
        (["fit", "--data", folder, "--out", run], "is not empty"),
        (["evaluate", nowhere, "--data", folder], "is not a run"),
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


def test_evaluate_prints_one_json_object(command, run, folder):
    options = ["--temperatures", 20, "--chains", 4, "--frames", 10, "--threads", 1, "--json"]
    code, output, _ = command("evaluate", run, "--data", folder, *options)
    score = json.loads(output)
    assert code == 0
    assert score["frames"] == 10
    assert score["kind"] == "AIS, 20 temperatures x 4 chains (errs high)"
    assert score["interval"][0] <= score["log_likelihood"] <= score["interval"][1]
