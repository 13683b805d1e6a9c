"""Configurations: what is accepted, and the one sentence for what is not."""

import pytest

from cgrnn_train.config import ConfigError, RunConfig
from cgrnn_train.models.cgrnn import CGRNNConfig


def write(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_every_table(tmp_path):
    text = 'system = "cgrnn"\n[model]\nhidden = 9\nmlp = [3, 4]\nmode = "S"\n[fit]\nlearning_rate = 1\n'
    config = RunConfig.read(write(tmp_path, text))
    assert isinstance(config.model, CGRNNConfig)
    assert (config.model.hidden, config.model.mlp, config.model.mode) == (9, (3, 4), "S")
    assert config.fit.learning_rate == 1.0


def test_survives_a_round_trip():
    config = RunConfig.from_dict({"model": {"state": 3}, "fit": {"seed": 4}}, "here")
    assert RunConfig.from_dict(config.to_dict(), "there") == config


def test_the_command_line_chooses_the_system(tmp_path):
    assert RunConfig.read(write(tmp_path, "[model]\nstate = 3\n"), "rnn-1").model.state == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[modle]\n", "found 'modle'"),
        ("[model]\nhiden = 3\n", "found 'hiden'"),
        ("[fit]\nepochs = 1.5\n", "epochs: found 1.5; expected a whole number"),
        ("[fit]\nepochs = true\n", "epochs: found True"),
        ("[fit]\nlearning_rate = -1\n", "learning_rate: found -1.0"),
        ("[fit]\noptimizer = 'lamb'\n", "expected one of 'adam', 'sgd'"),
        ("[model]\nmlp = [3, 0]\n", "list of positive whole numbers"),
        ("system = 'gpt'\n", "expected one of cgrnn, rnn-1"),
        ("epochs =", "not readable as TOML"),
    ],
)
def test_refuses_in_one_sentence(tmp_path, text, words):
    with pytest.raises(ConfigError, match="run.toml") as error:
        RunConfig.read(write(tmp_path, text))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        RunConfig.read(tmp_path / "none.toml")
