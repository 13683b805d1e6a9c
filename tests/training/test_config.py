"""Configurations: what is accepted, and the one sentence for what is not."""

import pytest

from cgrnn_train.config import ConfigError, FitConfig, RunConfig
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
        ("model = 3\n", "[model]: found 3; expected a table"),
        ("system = [1]\n", "found the system [1]"),
        ("[fit]\nepochs = 0\n", "[fit] epochs: found 0; expected at least 1"),
        ("[fit]\nbatch_size = 0\n", "[fit] batch_size: found 0"),
        ("[fit]\nlearning_rate = nan\n", "[fit] learning_rate: found nan; expected a number above 0"),
        ("[fit]\nclip = inf\n", "[fit] clip: found inf"),
        ("[fit]\naverage = 1.0\n", "[fit] average: found 1.0; expected 0 or more and below 1"),
        ("[fit]\ntranspose = 128\n", "[fit] transpose: found 128; expected 0 to 127"),
        ("[model]\ndropout = 2\n", "[model] dropout: found 2.0"),
        ("[model]\nvisible = 88\n", "[model] visible: found 88; expected 128"),
        ("[model]\nslab_mean = nan\n", "[model] slab_mean: found nan"),
        ("[model]\nslab_precision = 0.3\nmin_precision = 0.5\n", "slab_precision: found 0.3; expected more than min"),
        ("system = 'rnn-1'\n[model]\nstate = 0\n", "[model] state: found 0"),
    ],
)
def test_refuses_in_one_sentence(tmp_path, text, words):
    with pytest.raises(ConfigError, match="run.toml") as error:
        RunConfig.read(write(tmp_path, text))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_ranges_hold_for_configurations_made_in_code():
    with pytest.raises(ConfigError, match="sweeps: found 0"):
        FitConfig(sweeps=0)
    with pytest.raises(ConfigError, match="hidden: found 0"):
        CGRNNConfig(hidden=0)


def test_a_negative_slab_mean_is_a_slab_mean(tmp_path):
    config = RunConfig.read(write(tmp_path, "[model]\nslab_mean = -0.5\n"))
    assert isinstance(config.model, CGRNNConfig)
    assert config.model.slab_mean == -0.5


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        RunConfig.read(tmp_path / "none.toml")
