"""Figures of sound: what is drawn is what the runs say, in the sound's own units, and the same bytes every time."""

import dataclasses
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from cgrnn_bundle.waves import WaveCoder, WaveSpec, frames_to_samples
from cgrnn_train import fit as fitting
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.waves import Clip, Waves, write_waves
from cgrnn_train.drawing import Drawing
from cgrnn_train.figures import write_figures
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.panels import Clock
from cgrnn_train.precision_panels import precision_panels
from cgrnn_train.precisions import Precisions, moments, partial_correlations, precisions_of
from cgrnn_train.rmse import frame_rmse
from cgrnn_train.run import RunError, load, save_config, save_weights
from cgrnn_train.sound_figures import draw_sound
from cgrnn_train.sound_panels import wave_panels
from cgrnn_train.sparsity import near_zero
from cgrnn_train.spectrogram import spectrogram
from cgrnn_train.systems import SYSTEMS, build

NAMES = ["cgrnn", "rnn-ssrbm", "vrnn", "rnn-1"]
STEMS = ("activations", "generated", "precision", "reconstruction")

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning", "ignore:.*:UserWarning:lightning"
)


def config(system: str) -> RunConfig:
    architecture = SYSTEMS[system]
    sizes = {"kind": "continuous", "visible": 150, "hidden": 8, "state": 12, "latent": 5, "mlp": (12,)}
    values = {key: value for key, value in sizes.items() if key in architecture.config.__dataclass_fields__}
    settings = FitConfig(epochs=1, batch_size=4, sweeps=1, average=0.9, validation_frames=10)
    return RunConfig(system, architecture.config(**(values | architecture.fixed)), settings)


def tones(folder: Path, spec: WaveSpec) -> Waves:
    """Tones that die away: 14 of 16 frames or more to train on, 4 to validate and 6 to test of 4 or more."""
    random = np.random.default_rng(0)
    clips = []
    for index in range(24):
        split = "train" if index < 14 else "valid" if index < 18 else "test"
        time = np.arange(((16 if split == "train" else 4) + index % 3) * 150)
        tone = np.sin(time * (0.1 + 0.02 * (index // 2)) + random.uniform(0, 6)) * np.exp(-time / 400)
        noisy = 0.4 * tone + 0.01 * random.standard_normal(len(time))
        clips.append(Clip(f"tone {index}", split, noisy.astype(np.float32)))
    write_waves(folder, clips, spec, {"source": "tones, made by the test", "licence": "CC0"})
    return Waves.open(folder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Waves:
    """Frames of samples; those to train on are more than the samples in one."""
    return tones(tmp_path_factory.mktemp("sound") / "tones", WaveSpec())


@pytest.fixture(scope="module")
def predicted(tmp_path_factory) -> Waves:
    """The same, in frames of residuals."""
    return tones(tmp_path_factory.mktemp("predicted") / "tones", WaveSpec(order=6, window=600))


@pytest.fixture(scope="module")
def predicted_runs(predicted, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("predicted") / "runs"
    for name in NAMES[:3:2]:
        fitting.fit(config(name), predicted, folder / name, accelerator="cpu", show_progress=False)
    return [folder / name for name in NAMES[:3:2]]


@pytest.fixture(scope="module")
def predicted_drawing(predicted_runs, predicted) -> Drawing:
    """The first 4 frames of 6."""
    assert predicted.pieces("test")[2].length == 6
    titled = list(zip(["CGRNN", "VRNN"], predicted_runs, strict=True))
    return draw_sound(titled, predicted, predicted.pieces("test")[2], 4, 0)


@pytest.fixture(scope="module")
def runs(sound, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("figures") / "runs"
    for name in NAMES:
        fitting.fit(config(name), sound, folder / name, accelerator="cpu", show_progress=False)
    return [folder / name for name in NAMES]


@pytest.fixture(scope="module")
def drawn(runs, sound, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("figures") / "out"
    write_figures(runs, sound, out, piece=2)
    return out


@pytest.fixture(scope="module")
def figures(runs, sound) -> dict[str, Figure]:
    """Those of `drawn`, before they were saved."""
    titled = list(zip(["CGRNN", "RNN-ssRBM", "VRNN", "RNN-I"], runs, strict=True))
    made = draw_sound(titled, sound, sound.pieces("test")[2], 147, 0).figures
    assert list(made) == ["activations", "precision", "reconstruction", "generated"]
    return {name: figure for name, figure in made.items() if figure is not None}


def titled(figure: Figure, words: str) -> Axes:
    """The one panel whose title begins so."""
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left").startswith(words)]
    return found


def height(axes: Axes, line: int = 0) -> np.ndarray:
    return np.asarray(axes.get_lines()[line].get_ydata())


def shown(image: AxesImage) -> np.ndarray:
    """Its numbers, NaN where there are none."""
    array = image.get_array()
    assert array is not None
    return np.ma.filled(array, np.nan)


def test_every_figure_is_a_png_and_an_svg(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(
        ["figures.json", *(f"{stem}.{kind}" for stem in STEMS for kind in ("png", "svg"))]
    )
    for stem in STEMS:
        with Image.open(drawn / f"{stem}.png") as image:
            assert image.format == "PNG"
            assert image.size[0] == 1280
            assert len(np.unique(np.asarray(image.convert("L")))) > 10
        assert ElementTree.parse(drawn / f"{stem}.svg").getroot().tag.endswith("svg")


def test_the_same_runs_make_the_same_bytes_and_the_callers_randomness_is_left_alone(drawn, runs, sound, tmp_path):
    torch.manual_seed(5)
    written = write_figures(runs, sound, tmp_path / "again", piece=2)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert len(written) == 9
    for path in written:
        assert path.read_bytes() == (drawn / path.name).read_bytes(), path.name


def test_the_record_has_the_arguments_and_the_numbers(drawn, runs, sound):
    record = json.loads((drawn / "figures.json").read_text(encoding="utf-8"))
    piece = sound.pieces("test")[2]
    assert record["arguments"] == {
        "runs": [f"runs/{name}" for name in NAMES],
        "data": "tones, made by the test",
        "piece": piece.name,
        "split": "test",
        "seed": 0,
        "frames": piece.length,
    }
    truth = sound.frames(piece)
    for run in runs[:3]:
        _, model = load(run)
        frames = torch.from_numpy(truth)[None]
        torch.manual_seed(0)
        activations = model.activations(frames)
        torch.manual_seed(0)
        reconstruction = model.reconstruct(frames)
        assert activations is not None
        assert reconstruction is not None
        said = record["runs"][f"runs/{run.name}"]
        assert said["latent"] == activations.shape[2]
        assert said["near_zero"] == pytest.approx(near_zero(activations[0].detach().numpy()), abs=1e-4)  # 4 decimals
        error = frame_rmse([reconstruction[0]], [truth], resamples=1).value
        assert said["reconstruction_rmse"] == pytest.approx(error, abs=1e-4)
        assert said["unfinished"] is False
    at_frames = record["runs"]["runs/cgrnn"]["precision"]
    assert [one["frame"] for one in at_frames] == moments(truth)
    assert all(0 <= one["active"] <= 8 and one["level"] > 0 and one["correlation"] >= 0 for one in at_frames)
    assert record["runs"]["runs/vrnn"]["precision"] is None
    rnn = record["runs"]["runs/rnn-1"]
    assert (rnn["latent"], rnn["near_zero"], rnn["hoyer"], rnn["reconstruction_rmse"]) == (None,) * 4


def test_activations_of_spikes_and_slabs_and_of_continuous_latents_are_drawn_over_seconds(figures, runs, sound):
    frames = torch.from_numpy(sound.frames(sound.pieces("test")[2]))[None]
    for title, run in [("CGRNN", runs[0]), ("VRNN", runs[2])]:
        _, model = load(run)
        torch.manual_seed(0)
        expected = model.activations(frames)
        assert expected is not None
        (image,) = titled(figures["activations"], title).get_images()
        assert np.allclose(shown(image), expected[0].detach().numpy().T, atol=1e-6)
        assert image.get_extent()[1] == pytest.approx(frames.shape[1] * 150 / 11_025)
    assert "time, seconds" in {axes.get_xlabel() for axes in figures["activations"].axes}


def test_waveforms_are_drawn_at_full_scale_with_what_the_reconstruction_leaves_out(figures, runs, sound):
    piece = sound.pieces("test")[2]
    samples = sound.samples(piece)
    figure = figures["reconstruction"]
    assert np.allclose(height(titled(figure, "The sound")), samples, atol=1e-6)
    _, model = load(runs[0])
    torch.manual_seed(0)
    frames = model.reconstruct(torch.from_numpy(sound.frames(piece))[None])
    assert frames is not None
    expected = frames[0].detach().numpy().reshape(-1) * sound.spec.std + sound.spec.mean
    panel = titled(figure, "CGRNN, reconstructed: RMSE ")
    assert np.allclose(height(panel), expected, atol=1e-6)
    assert np.allclose(height(panel, 1), samples - expected, atol=1e-6)
    assert len(titled(figure, "The sound").get_lines()) == 1
    assert panel.get_ylim() == titled(figure, "The sound").get_ylim()
    limits = {image.get_clim() for axes in figure.axes for image in axes.get_images()}
    assert len(limits) == 1  # one scale for all spectrograms


def test_of_residuals_the_sound_is_the_clips_and_a_reconstruction_is_given_its_true_past(
    predicted_drawing, predicted_runs, predicted
):
    piece, spec = predicted.pieces("test")[2], predicted.spec
    samples, frames = predicted.samples(piece)[:600], predicted.frames(piece)
    figure = predicted_drawing.figures["reconstruction"]
    assert np.array_equal(height(titled(figure, "The sound")), samples)
    for title, run, said in zip(["CGRNN", "VRNN"], predicted_runs, predicted_drawing.numbers, strict=True):
        _, model = load(run)
        torch.manual_seed(0)
        means = model.reconstruct(torch.from_numpy(frames[:4])[None])
        assert means is not None
        whole = np.concatenate([means[0].detach().numpy(), frames[4:]])
        expected, truth = (values[:4] for values in predicted.compare(piece, whole))
        error = frame_rmse([expected], [truth], resamples=1).value
        assert said["reconstruction_rmse"] == pytest.approx(error, abs=1e-4)
        drawn = expected.reshape(-1) * spec.std + spec.mean
        panel = titled(figure, f"{title}, reconstructed: RMSE {error:.2f}")
        assert np.allclose(height(panel), drawn, atol=1e-6)
        assert np.allclose(height(panel, 1), samples - drawn, atol=1e-6)
        assert not np.allclose(frames_to_samples(whole[:4], spec), drawn, atol=1e-3)  # its own past is another


def test_of_residuals_free_play_goes_on_from_what_was_played_and_is_held_at_full_scale(
    predicted_drawing, predicted_runs, predicted, monkeypatch
):
    _, model = load(predicted_runs[0])
    torch.manual_seed(0)
    frames = model.generate(4).numpy()
    coder = WaveCoder(predicted.spec, loudest=1.0)
    played = np.concatenate([coder.decode(frame) for frame in frames])
    assert np.allclose(height(titled(predicted_drawing.figures["generated"], "CGRNN")), played, atol=1e-6)
    monkeypatch.setattr(CGRNN, "generate", lambda self, count: torch.full((count, 150), 1e3))
    loud = draw_sound([("CGRNN", predicted_runs[0])], predicted, predicted.pieces("test")[2], 4, 0).figures["generated"]
    assert loud is not None
    assert np.abs(height(titled(loud, "CGRNN"))).max() == pytest.approx(1)


def test_precisions_of_residuals_say_so_and_their_level_has_the_scale_of_the_prediction(
    predicted_drawing, predicted_runs, predicted
):
    piece, spec = dataclasses.replace(predicted.pieces("test")[2], length=4), predicted.spec
    figure = predicted_drawing.figures["precision"]
    level, *matrices = [axes for axes in figure.axes if axes.get_lines() or axes.get_images()]
    assert level.get_title(loc="left") == "Standard deviation of a residual given the spikes and the rest of its frame"
    assert matrices[0].get_ylabel() == "CGRNN\nresidual of the frame"
    _, model = load(predicted_runs[0])
    torch.manual_seed(0)
    found = precisions_of(model, torch.from_numpy(predicted.frames(piece))[None])
    assert found is not None
    scale = np.exp(predicted.log_scale(piece) / 150)
    assert scale.max() > 2 * scale.min()
    assert np.allclose(height(level), found.level * scale * spec.std)
    rms = np.sqrt(np.square(predicted.samples(piece)).reshape(4, 150).mean(axis=1))
    assert np.allclose(height(level, 1), rms, rtol=1e-5)
    places = moments(rms[:, None])
    at_frames = predicted_drawing.numbers[0]["precision"]
    assert [one["frame"] for one in at_frames] == places
    assert [one["level"] for one in at_frames] == pytest.approx((found.level * scale)[places], rel=1e-3)
    off = ~np.eye(150, dtype=bool)
    for axes, matrix in zip(matrices, partial_correlations(found.matrices[places]), strict=False):
        assert np.allclose(shown(axes.get_images()[0])[off], matrix[off], atol=1e-6)


def test_precisions_are_drawn_as_partial_correlations_on_one_scale(figures, runs, sound):
    figure = figures["precision"]
    truth = sound.frames(sound.pieces("test")[2])
    places = moments(truth)
    level, *matrices = [axes for axes in figure.axes if axes.get_lines() or axes.get_images()]
    panels = [axes.get_images()[0] for axes in matrices[: 2 * len(places)]]  # the colour bar comes after them
    assert len({panel.get_clim() for panel in panels}) == 1
    for row, run in enumerate(runs[:2]):
        _, model = load(run)
        torch.manual_seed(0)
        found = precisions_of(model, torch.from_numpy(truth)[None])
        assert found is not None
        expected = partial_correlations(found.matrices[places])
        for panel, matrix in zip(panels[row * len(places) :][: len(places)], expected, strict=True):
            assert np.isnan(shown(panel).diagonal()).all()
            off = ~np.eye(150, dtype=bool)
            assert np.allclose(shown(panel)[off], matrix[off], atol=1e-6)
        assert np.allclose(height(level, row), found.level * sound.spec.std)
    assert level.get_yscale() == "log"
    assert level.get_title(loc="left") == "Standard deviation of a sample given the spikes and the rest of its frame"
    rms = np.sqrt(np.square(sound.samples(sound.pieces("test")[2])).reshape(truth.shape).mean(axis=1))
    assert np.allclose(height(level, 2), rms, rtol=1e-5)


def test_precisions_are_those_of_the_model_given_spikes_drawn_from_the_posterior(runs, sound):
    _, model = load(runs[0])
    assert isinstance(model, CGRNN)
    frames = torch.from_numpy(sound.frames(sound.pieces("test")[0]))[None]
    torch.manual_seed(3)
    found = precisions_of(model, frames)
    assert found is not None
    with torch.no_grad():
        given = model(frames)
        torch.manual_seed(3)
        spikes = model.rbm.units().draw_spikes(given.whiten(frames), given.hidden_bias)
        expected = model.rbm.precision(spikes, given)[0].numpy()
    assert np.array_equal(found.active, spikes[0].sum(1).numpy())
    assert np.allclose(found.matrices, expected)
    diagonal = expected.diagonal(axis1=1, axis2=2)
    assert np.allclose(found.level, np.exp(np.log(diagonal**-0.5).mean(1)))


def test_partial_correlations_are_those_of_what_the_other_samples_leave():
    random = np.random.default_rng(0)
    noise = random.standard_normal((200_000, 4))
    x = noise @ np.triu(np.ones((4, 4)))  # each is the one before it, and noise
    found = partial_correlations(np.linalg.inv(np.cov(x.T)))
    for i, j in ((0, 1), (1, 2), (0, 2), (0, 3)):
        others = x[:, [k for k in range(4) if k not in (i, j)]]
        left = x[:, [i, j]] - others @ np.linalg.lstsq(others, x[:, [i, j]], rcond=None)[0]
        assert found[i, j] == pytest.approx(np.asarray(np.corrcoef(left.T))[0, 1], abs=1e-3)
    assert found[1, 2] > 0.4  # neighbours go together: the sign is right
    assert abs(found[0, 2]) < 0.01  # and what is not a neighbour is independent given the neighbours
    assert np.allclose(found.diagonal(), 1)


def test_the_frames_of_precisions_are_the_first_the_loudest_and_some_after_it():
    frames = np.full((31, 150), 0.1)
    frames[6] = 2
    assert moments(frames) == [0, 6, 14, 22, 30]
    frames[0] = 3
    assert moments(frames) == [0, 10, 20, 30]
    assert moments(frames[:1]) == [0]


def test_a_sine_of_full_scale_is_0_decibels_at_its_frequency():
    time = np.arange(11_025) / 11_025
    found = spectrogram(np.sin(2 * np.pi * 1000 * time).astype(np.float32), 11_025)
    middle = found.decibels[:, found.decibels.shape[1] // 2]
    assert found.frequencies[middle.argmax()] == pytest.approx(1000, abs=11_025 / 512 / 2)
    assert middle.max() == pytest.approx(0, abs=1.5)  # at most what a Hann window loses between two bins
    assert middle.min() < -90
    assert found.times[0] == 0
    assert found.times[-1] == pytest.approx(1, abs=found.times[1])
    half = spectrogram((0.5 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32), 11_025)
    assert half.decibels.max() == pytest.approx(found.decibels.max() - 6.02, abs=0.01)


def test_silence_has_a_spectrogram_and_panels():
    silence = np.zeros(150, np.float32)
    assert np.isfinite(spectrogram(silence, 11_025).decibels).all()
    assert wave_panels([], 11_025) is None
    assert wave_panels([("silence", silence)], 11_025) is not None
    clock = Clock(0.0136, "time, seconds")
    assert precision_panels([], [0], np.zeros(1), clock) is None
    flat = Precisions(np.eye(3)[None], np.ones(1), np.zeros(1, np.int64), 4)
    assert precision_panels([("nothing is on", flat)], [0], np.zeros(1), clock) is not None


def test_without_latent_variables_only_free_play_is_drawn_and_without_slabs_no_precision(runs, sound, tmp_path):
    written = write_figures(runs[3:], sound, tmp_path / "rnn", frames=2)
    assert [path.name for path in written] == ["generated.png", "generated.svg", "figures.json"]
    written = write_figures(runs[2:3], sound, tmp_path / "vrnn", frames=2)
    assert {path.stem for path in written} == {"activations", "reconstruction", "generated", "figures"}


def test_runs_of_two_kinds_are_refused_in_a_sentence(runs, sound, data, small_run, tmp_path):
    pitches = tmp_path / "runs" / "pitches"
    save_config(pitches, small_run, "made by the test")
    save_weights(pitches, build(small_run.system, small_run.model))
    for mixed, given in (([runs[0], pitches], sound), ([pitches, runs[0]], data)):
        with pytest.raises(RunError, match=r"found runs of pitches \(runs/pitches\) and of sound \(runs/cgrnn\)"):
            write_figures(mixed, given, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunError, match="expected 150 samples at 11025 Hz"):
        write_figures(runs[:1], data, tmp_path / "out")
