"""Figures: files that are what they say, the same bytes for the same runs, and numbers that fit the models."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cgrnn_bundle.frames import FrameSpec
from cgrnn_train.config import RunConfig
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import PackedFrames, Roll, write_packed
from cgrnn_train.data.store import Piece
from cgrnn_train.figures import find_piece, write_figures
from cgrnn_train.models.cgrnn import CGRNNConfig
from cgrnn_train.models.rnn import RNNConfig
from cgrnn_train.models.rnn_ssrbm import RNNssRBMConfig
from cgrnn_train.panels import Clock, activation_panels, pitch_name, roll_panels
from cgrnn_train.run import RunError, load, save_config, save_data, save_record, save_weights
from cgrnn_train.sparsity import near_zero
from cgrnn_train.systems import build

CONFIGS = [
    ("cgrnn", CGRNNConfig(hidden=12, state=16, mlp=(16,))),
    ("rnn-ssrbm", RNNssRBMConfig(hidden=12, state=16, mlp=(16,))),
    ("rnn-1", RNNConfig(state=16)),
]
NAMES = ["cgrnn", "rnn-ssrbm", "rnn-1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("figures") / "runs"
    for name, (system, config) in zip(NAMES, CONFIGS, strict=True):
        torch.manual_seed(0)
        save_config(folder / name, RunConfig(system, config), "made by the test")
        save_weights(folder / name, build(system, config))
    return [folder / name for name in NAMES]


@pytest.fixture(scope="module")
def drawn(runs, data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("figures") / "out"
    write_figures(runs, data, out, frames=16)
    return out


def test_every_figure_is_a_png_and_an_svg(drawn):
    stems = ("activations", "generated", "reconstruction")
    assert sorted(path.name for path in drawn.iterdir()) == sorted(
        ["figures.json", *(f"{stem}.{kind}" for stem in stems for kind in ("png", "svg"))]
    )
    for stem in stems:
        with Image.open(drawn / f"{stem}.png") as image:
            assert image.format == "PNG"
            assert image.size[0] == 1280
            assert len(np.unique(np.asarray(image.convert("L")))) > 10
        assert ElementTree.parse(drawn / f"{stem}.svg").getroot().tag.endswith("svg")


def test_the_same_runs_make_the_same_bytes_and_the_callers_randomness_is_left_alone(drawn, runs, data, tmp_path):
    torch.manual_seed(5)
    written = write_figures([*runs, runs[0]], data, tmp_path / "again", frames=16)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert len(written) == 7
    for path in written:
        assert path.read_bytes() == (drawn / path.name).read_bytes(), path.name


def test_the_record_has_the_arguments_and_the_numbers(drawn, runs, data):
    record = json.loads((drawn / "figures.json").read_text(encoding="utf-8"))
    piece = data.pieces("test")[0]
    assert record["arguments"] == {
        "runs": [f"runs/{name}" for name in NAMES],
        "data": "four chords, made by the test",
        "piece": piece.name,
        "split": "test",
        "seed": 0,
        "frames": min(16, piece.length),
    }
    assert [one["title"] for one in record["runs"].values()] == ["CGRNN", "RNN-ssRBM", "RNN-I"]
    _, model = load(runs[0])
    frames = torch.from_numpy(data.frames(piece)[:16]).float()[None]
    activations = model.activations(frames)
    assert activations is not None
    expected = near_zero(activations[0].numpy())
    assert record["runs"]["runs/cgrnn"]["near_zero"] == pytest.approx(expected, abs=1e-4)  # 4 decimals
    assert record["runs"]["runs/cgrnn"]["latent"] == 12
    rnn = record["runs"]["runs/rnn-1"]
    assert (rnn["latent"], rnn["near_zero"], rnn["hoyer"], rnn["reconstruction_accuracy"]) == (None,) * 4


def test_without_latent_variables_only_free_play_is_drawn(runs, data, tmp_path):
    written = write_figures(runs[2:], data, tmp_path, seed=1, frames=8)
    assert [path.name for path in written] == ["generated.png", "generated.svg", "figures.json"]


def test_runs_of_one_system_are_told_apart_by_their_folders(runs, data, tmp_path):
    twin = tmp_path / "runs" / "twin"
    save_config(twin, RunConfig(*CONFIGS[2]), "made by the test")
    save_weights(twin, build(*CONFIGS[2]))
    write_figures([runs[2], twin], data, tmp_path / "out", frames=8)
    record = json.loads((tmp_path / "out" / "figures.json").read_text(encoding="utf-8"))
    assert [one["title"] for one in record["runs"].values()] == ["RNN-I (runs/rnn-1)", "RNN-I (runs/twin)"]


def test_pieces_are_found_by_place_and_by_name(data):
    pieces = data.pieces("valid")
    assert find_piece(data, "valid", 1) == find_piece(data, "valid", "1") == pieces[1]
    assert find_piece(data, "valid", pieces[2].name) == pieces[2]
    with pytest.raises(DataError, match="no piece 3 in the valid split; expected 0 to 2"):
        find_piece(data, "valid", 3)
    with pytest.raises(DataError, match="a name such as 'song"):
        find_piece(data, "valid", "symphony")


def test_bad_runs_are_refused_before_anything_is_written(data, tmp_path):
    with pytest.raises(RunError, match="no run to draw"):
        write_figures([], data, tmp_path / "out")
    with pytest.raises(RunError, match="is not a run"):
        write_figures([tmp_path / "nowhere"], data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_in_the_place_of_the_folder_to_write_is_refused(runs, data):
    before = sorted(runs[-1].iterdir())
    with pytest.raises(RunError, match=r"rnn-1: found a run folder \(config.json in it\); expected one for"):
        write_figures(runs[:-1], data, runs[-1])
    assert sorted(runs[-1].iterdir()) == before


def test_a_later_run_of_other_frames_is_refused(runs, data, tmp_path):
    other = tmp_path / "runs" / "eighths"
    save_config(other, RunConfig(*CONFIGS[2]), "made by the test")
    save_weights(other, build(*CONFIGS[2]))
    write_packed(tmp_path / "data", [Roll("song", "train", np.zeros((4, 128), bool))], FrameSpec(0.5), {})
    save_data(other, PackedFrames.open(tmp_path / "data"))
    with pytest.raises(RunError, match=r"expected 0.5 s by the rule .*, on which .*eighths was trained"):
        write_figures([runs[0], other], data, tmp_path / "out", frames=8)
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_marked(runs, data, tmp_path):
    twin = tmp_path / "runs" / "finished"
    save_config(twin, RunConfig(*CONFIGS[2]), "made by the test")
    save_weights(twin, build(*CONFIGS[2]))
    save_record(twin, epochs=1)
    write_figures([runs[2], twin], data, tmp_path / "out", frames=8)
    record = json.loads((tmp_path / "out" / "figures.json").read_text(encoding="utf-8"))
    assert [one["unfinished"] for one in record["runs"].values()] == [True, False]


def test_time_is_in_quarter_notes_on_a_beat_grid_and_in_seconds_otherwise():
    piece = Piece("a", "test", 0, 8)
    assert Clock.of(FrameSpec(0.25), piece) == Clock(0.25, "time, seconds")
    assert Clock.of(FrameSpec(0.3, note_value="1/8"), piece) == Clock(0.5, "time, quarter notes")
    own = Piece("a", "test", 0, 8, note_value="1/16", frame_seconds=0.1)
    assert Clock.of(FrameSpec(0.25), own) == Clock(0.25, "time, quarter notes")


def test_pitch_names():
    assert [pitch_name(pitch) for pitch in (0, 21, 60, 61, 69, 127)] == ["C-1", "A0", "C4", "C♯4", "A4", "G9"]


def test_panels_of_nothing_and_of_silence():
    clock = Clock(0.25, "time, seconds")
    assert roll_panels([], clock) is None
    assert activation_panels([], clock) is None
    silent = roll_panels([("silence", np.zeros((4, 128), bool))], clock)
    assert silent is not None
    assert [label.get_text() for label in silent.axes[0].get_yticklabels()] == ["C4", "G4", "C5"]
    dead = activation_panels([("nothing is active", np.zeros((4, 3)))], clock)
    assert dead is not None
    assert dead.axes[0].get_images()[0].get_clim() == (-1.0, 1.0)


def test_missed_and_added_notes_have_colours_of_their_own():
    truth, ours = np.zeros((2, 3, 128), bool)
    truth[:, 60], ours[:, 64] = True, True
    truth[0, 67] = ours[0, 67] = True
    figure = roll_panels([("ours", ours)], Clock(1.0, "time, seconds"), truth)
    assert figure is not None
    right, missed, added = figure.axes[0].collections
    boxes = [[path.get_extents().bounds for path in part.get_paths()] for part in (right, missed, added)]
    assert np.allclose(boxes, [[(0, 66.55, 1, 0.9)], [(0, 59.55, 3, 0.9)], [(0, 63.55, 3, 0.9)]])  # x, y, width, height
