"""Runs over sound, of the systems that are trained by a bound: trained, scored by RMSE, and shown in the table."""

import json
import math

import numpy as np
import pytest
import torch

from cgrnn_bundle.prediction import respond
from cgrnn_bundle.waves import WaveSpec, predictions
from cgrnn_train import cli
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.sequences import sequences
from cgrnn_train.data.waves import Clip, Waves, write_waves
from cgrnn_train.evaluate import evaluate_run
from cgrnn_train.fit import fit
from cgrnn_train.frame_scores import Settings
from cgrnn_train.models.rnn import RNN
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.system import BoundSystem
from cgrnn_train.run import RunError, load, open_data, save_config, save_data, save_weights
from cgrnn_train.scores import Rmse, read_scores
from cgrnn_train.systems import SYSTEMS, build
from cgrnn_train.table import write_table

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)

BOUND_SYSTEMS = ["rnn-1", "rnn-2", "storn", "vrnn", "srnn-s", "srnn-s-res", "srnn-f"]


def config(system: str, **settings) -> RunConfig:
    architecture = SYSTEMS[system]
    sizes = {"kind": "continuous", "visible": 150, "state": 12, "latent": 3, "width": 10, "mlp": (10,)}
    values = {key: value for key, value in sizes.items() if key in architecture.config.__dataclass_fields__}
    fit_settings = FitConfig(batch_size=4, learning_rate=1e-2, average=0.9, **settings)
    return RunConfig(system, architecture.config(**(values | architecture.fixed)), fit_settings)


def write_run(folder, system, data):
    torch.manual_seed(0)
    settings = config(system)
    save_config(folder, settings, "by hand")
    save_data(folder, data)
    save_weights(folder, build(system, settings.model))
    return folder


@pytest.mark.parametrize("system", BOUND_SYSTEMS)
def test_a_trained_run_is_scored_under_both_protocols_and_tabulated(system, sound, tmp_path):
    run = tmp_path / "notes" / system
    first = fit(config(system, epochs=1), sound, tmp_path / "first", accelerator="cpu", show_progress=False)
    settings = config(system, epochs=20, validation_every=5)
    best = fit(settings, sound, run, accelerator="cpu", show_progress=False)
    assert best > first + 5  # nats a frame; a frame of the untrained has some hundred nats to gain
    stages = []
    stage = lambda name, total: stages.append(name) or (lambda done: None)  # noqa: E731 # one expression
    scores = evaluate_run(run, sound, "test", Settings(samples=3), stage=stage)
    assert read_scores(run, "test") == scores
    has_latent = not system.startswith("rnn-")
    assert stages[-1] == ("RMSE, reconstruction" if has_latent else "RMSE, prediction")
    assert (scores.reconstruction is not None) == has_latent
    assert isinstance(scores.prediction, Rmse)
    frames = sum(piece.length for piece in sound.pieces("test"))
    assert (scores.frames, sum(scores.prediction.lengths)) == (frames, frames)
    assert len(scores.prediction.lengths) == 3  # six clips of three tones: the interval draws tones
    low, high = scores.prediction.interval
    assert 0 < low <= scores.prediction.value <= high
    write_table([run], tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "## Tones, made by the test" in page
    assert f"| {scores.prediction.value:.2f} ({low:.2f} to {high:.2f}) |" in page


def test_scores_of_predicted_frames_are_of_samples(tmp_path):
    """An RNN that says N(0, 1) of each residual has a density of samples and an error that are known."""
    clips = [
        Clip(f"{split} {index}", split, 0.3 * np.sin(np.arange(900) * (0.1 + 0.01 * index)).astype(np.float32))
        for index, split in enumerate(("train", "valid", "test", "test"))
    ]
    write_waves(tmp_path / "set", clips, WaveSpec(order=12), {"source": "sines"})
    data = Waves.open(tmp_path / "set")
    run = write_run(tmp_path / "run", "rnn-1", data)
    model = build("rnn-1", config("rnn-1").model)
    assert isinstance(model, RNN)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(model.emission.numbers_of(FrameStatistics(torch.zeros(150), torch.eye(150))))
    save_weights(run, model)
    found = evaluate_run(run, data, "test", Settings())
    densities, errors = [], []
    for piece in data.pieces("test"):
        frames, samples = data.frames(piece), data.normalised(piece)
        for row, x, said in zip(samples.reshape(-1, 150), frames, predictions(samples, data.spec), strict=True):
            densities.append(-0.5 * np.square(x).sum() - 75 * np.log(2 * np.pi) - 150 * np.log(said.scale))
            wrong = respond(np.zeros(12), x.astype(float), said)
            errors.append(np.square(wrong).sum())
            assert np.abs(wrong).max() < np.abs(row).max() + 1
    assert found.log_likelihood.value == pytest.approx(np.mean(densities), rel=1e-4)
    assert isinstance(found.prediction, Rmse)
    assert found.prediction.value == pytest.approx(math.sqrt(np.mean(errors)), rel=1e-4)


def test_the_prediction_of_an_rnn_that_says_one_frame_is_that_frame_s_distance(sound, tmp_path):
    run = write_run(tmp_path / "run", "rnn-1", sound)
    model = build("rnn-1", config("rnn-1").model)
    assert isinstance(model, RNN)
    said = torch.linspace(-0.5, 0.5, 150)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias[:150] = said
    save_weights(run, model)
    frames = torch.cat(list(sequences(sound, "test"))).double()
    expected = math.sqrt(float((frames - said).square().sum(1).mean()))
    found = evaluate_run(run, sound, "test", Settings()).prediction
    assert isinstance(found, Rmse)
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_a_reconstruction_that_has_the_frame_is_perfect(sound, tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", "vrnn", sound)
    monkeypatch.setattr(type(load(run)[1]), "reconstruct", lambda self, frames: frames)
    found = evaluate_run(run, sound, "test", Settings()).reconstruction
    assert isinstance(found, Rmse)
    assert found.value < 1e-5  # float32's of the frames


def test_the_command_tells_the_rmse(sound, tmp_path, capsys):
    run = write_run(tmp_path / "run", "storn", sound)
    cli.evaluate(run, as_json=False)
    told = capsys.readouterr().out
    assert "prediction: RMSE " in told
    assert "reconstruction: RMSE " in told
    assert "in normalised samples, 95 % interval" in told
    cli.evaluate(run, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["prediction"]["value"] == pytest.approx(read_scores(run, "test").to_dict()["prediction"]["value"])


@pytest.mark.parametrize("key", ["prediction", "reconstruction"])
@pytest.mark.parametrize("value", [{}, {"value": 1.0}, {"value": 1.0, "pooled": 2.0}, 3.0])
def test_an_rmse_of_wrong_parts_is_refused(sound, tmp_path, key, value):
    run = write_run(tmp_path / "run", "storn", sound)
    evaluate_run(run, sound, "test", Settings())
    path = run / "scores" / "test.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=r"test\.json is not a score .* score the run again"):
        read_scores(run, "test")


def test_a_run_over_sound_is_not_given_rolls_and_neither_is_one_over_rolls_given_sound(data, sound, tmp_path):
    with pytest.raises(RunError, match="has binary frames of 128 values; the model sees continuous ones of 150"):
        fit(config("rnn-1"), data, tmp_path / "run", accelerator="cpu", show_progress=False)
    run = write_run(tmp_path / "run", "rnn-1", sound)
    (run / "data.json").unlink()  # nothing says what it was trained on
    assert open_data(run, sound.folder).digest == sound.digest
    with pytest.raises(RunError, match='set model.kind = "binary" and model.visible = 128, or give another data set'):
        open_data(run, data.folder)


def test_the_bound_of_a_long_split_in_batches_is_that_of_its_pieces(sound, tmp_path):
    """Pieces of several lengths, padded together."""
    _, model = load(write_run(tmp_path / "run", "rnn-2", sound))
    assert isinstance(model, BoundSystem)
    alone = sum(float(model.log_likelihood(piece, 1).sum()) for piece in sequences(sound, "test"))
    together = evaluate_run(tmp_path / "run", sound, "test", Settings()).log_likelihood
    assert sum(together.sums) == pytest.approx(alone, rel=1e-6)
