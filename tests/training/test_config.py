"""Configurations: what is accepted, and the one sentence for what is not."""

import pytest

from cgrnn_train.config import ConfigError, FitConfig, RunConfig, parse_overrides
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


def test_frames_of_sound_have_any_size_and_those_of_a_roll_128_pitches(tmp_path):
    sound = write(tmp_path, '[model]\nkind = "continuous"\nvisible = 150\n')
    assert RunConfig.read(sound, "vrnn").model.visible == 150
    with pytest.raises(ConfigError, match=r"visible: found 150; expected 128, the pitches of a frame"):
        RunConfig.read(sound, "vrnn", parse_overrides(["model.kind=binary"]))
    with pytest.raises(ConfigError, match=r"--set fit\.transpose: found 3; expected 0, for sound is not transposed"):
        RunConfig.read(sound, "vrnn", parse_overrides(["fit.transpose=3"]))
    with pytest.raises(ConfigError, match=r"kind: found 'audio'; expected one of 'binary', 'continuous'"):
        RunConfig.read(sound, "vrnn", parse_overrides(["model.kind=audio"]))


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
        ("system = 'gpt'\n", "expected one of rnn-1, rnn-2, storn"),
        ("system = 'rnn-1'\n[model]\nlayers = 2\n", "[model] layers: found 2; expected 1, as 'rnn-1' has"),
        ("system = 'vrnn'\n[vrnn]\nepochs = 3\n", "[vrnn]: found 'epochs'; expected only model and fit"),
        ("system = 'vrnn'\n[vrnn.model]\nhidden = 3\n", "found 'hidden'"),
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


COMPARISON = """
[model]
state = 30
[fit]
epochs = 7
seed = 1
[vrnn.model]
latent = 5
[vrnn.fit]
epochs = 9
[rnn-rbm.model]
hidden = 11
"""


def test_a_table_of_a_system_is_for_that_system_alone(tmp_path):
    path = write(tmp_path, COMPARISON)
    vrnn, rbm, rnn = (RunConfig.read(path, name) for name in ("vrnn", "rnn-rbm", "rnn-2"))
    assert (vrnn.model.state, vrnn.model.latent, vrnn.fit.epochs, vrnn.fit.seed) == (30, 5, 9, 1)
    assert (rbm.model.state, rbm.model.hidden, rbm.fit.epochs) == (30, 11, 7)
    assert (rnn.model.state, rnn.model.layers, rnn.fit.epochs) == (30, 2, 7)


def test_the_command_line_replaces_single_keys(tmp_path):
    overrides = parse_overrides(["fit.epochs=3", "model.mlp=[4, 5]", "model.mode=D", "fit.learning_rate = 1e-3"])
    config = RunConfig.read(write(tmp_path, COMPARISON), "cgrnn", overrides)
    assert (config.model.mlp, config.model.mode, config.model.state) == ((4, 5), "D", 30)
    assert (config.fit.epochs, config.fit.learning_rate) == (3, 1e-3)
    assert RunConfig.read(write(tmp_path, COMPARISON), "vrnn", parse_overrides(["fit.epochs=3"])).fit.epochs == 3


@pytest.mark.parametrize("assignment", ["epochs=3", "fit.epochs", "fit.=3", "run.epochs=3", ""])
def test_what_is_no_assignment_is_refused(assignment):
    with pytest.raises(ConfigError, match=r"expected model\.KEY=VALUE or fit\.KEY=VALUE"):
        parse_overrides([assignment])


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


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("fit.decay_biases=maybe", "--set fit.decay_biases: found 'maybe'; expected true or false"),
        ("model.nope=3", "--set: found 'nope'; expected one of kind, "),
        ("fit.epochs=0", "--set fit.epochs: found 0; expected at least 1"),
        ("model.visible=3", "--set model.visible: found 3; expected 128, "),
        ("model.slab_precision=-1", "--set model.slab_precision: found -1.0; expected a number above 0"),
    ],
)
def test_a_bad_value_of_set_is_not_blamed_on_the_file(tmp_path, assignment, message):
    with pytest.raises(ConfigError) as error:
        RunConfig.read(write(tmp_path, COMPARISON), "cgrnn", parse_overrides([assignment]))
    assert str(error.value).startswith(message)


def test_nor_is_one_that_the_system_cannot_have(tmp_path):
    with pytest.raises(ConfigError) as error:
        RunConfig.read(write(tmp_path, COMPARISON), "rnn-1", parse_overrides(["model.layers=2"]))
    assert str(error.value).startswith("--set model.layers: found 2; expected 1, as 'rnn-1' has")
