"""Export: PyTorch = ONNX Runtime = numpy, streaming = offline, and no bundle where they are not."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from cgrnn_bundle.bundle import load
from cgrnn_live.engine import Engine, Evidence
from cgrnn_train import agreement, transition
from cgrnn_train.config import RunConfig
from cgrnn_train.export import ExportError, export
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.run import RunError, save_config, save_weights

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# Streaming through ONNX Runtime and numpy against PyTorch offline, float32 with other orders of summation, over 12
# fed-back steps.
STREAMING = 2e-5


def write_run(folder, config: RunConfig) -> CGRNN:
    """A run with lively random weights: no difference may hide behind zeros."""
    torch.manual_seed(0)
    assert isinstance(config.model, CGRNNConfig)
    model = CGRNN(config.model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.rbm.start_from(FrameStatistics(torch.full((128,), 0.05)))
    save_config(folder, config, "cgrnn-train fit by hand")
    save_weights(folder, model)
    return model.eval()


@pytest.fixture
def run(small_run, tmp_path):
    return tmp_path / "run", write_run(tmp_path / "run", small_run)


@pytest.mark.parametrize("mode", ["D", "S", "full"])
def test_streaming_equals_offline(mode, small_run, data, tmp_path):
    config = dataclasses.replace(small_run, model=dataclasses.replace(small_run.model, mode=mode))
    model = write_run(tmp_path / "run", config)
    export(tmp_path / "run", tmp_path / "bundle", data, name="small")
    engine = Engine(load(tmp_path / "bundle"), seed=0)
    frames = data.frames(data.pieces("test")[0])
    with torch.no_grad():
        visible_bias, hidden_bias = model(torch.from_numpy(frames).float()[None])
    for time, frame in enumerate(frames):
        snapshot = engine.snapshot()
        assert snapshot["visible_bias"] == pytest.approx(visible_bias[0, time].numpy(), abs=STREAMING)
        assert snapshot["hidden_bias"] == pytest.approx(hidden_bias[0, time].numpy(), abs=STREAMING)
        engine.advance(frame)


def test_the_manifest_says_what_the_run_was(run, data, tmp_path):
    metrics = [{"name": "test LL", "value": -1.5, "kind": "exact", "data": "chords", "command": "a command"}]
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "card.md").write_text("# Small\n")
    export(
        run[0],
        tmp_path / "small.zip",
        data,
        name="small",
        metrics=tmp_path / "metrics.json",
        card=tmp_path / "card.md",
        sweeps=7,
    )
    bundle = load(tmp_path / "small.zip")
    manifest = bundle.manifest
    assert (manifest.feed, manifest.spike_slab_feed, manifest.sweeps) == ("full", "mean", 7)
    assert (manifest.training.licence, manifest.training.command) == ("CC0", "cgrnn-train fit by hand")
    assert manifest.metrics[0].value == -1.5
    assert bundle.card == "# Small\n"
    pitches = np.flatnonzero(np.unpackbits(data.packed[:], axis=1).any(0))
    assert (manifest.low, manifest.high) == (pitches[0], pitches[-1])


def test_refuses_when_the_transition_disagrees(run, data, tmp_path, monkeypatch):
    forward = transition.Transition.forward

    def slightly_wrong(self, frame, spike_slab, state):
        next_state, visible_bias, hidden_bias = forward(self, frame, spike_slab, state)
        return next_state * 1.001, visible_bias, hidden_bias

    monkeypatch.setattr(transition.Transition, "forward", slightly_wrong)
    with pytest.raises(ExportError, match="ONNX Runtime's state at step"):
        export(run[0], tmp_path / "bundle", data, name="small")
    assert not (tmp_path / "bundle").exists()


def test_refuses_when_the_conditionals_disagree(run, data, tmp_path, monkeypatch):
    spike_logits = agreement.UnitSlabs.spike_logits

    def slightly_wrong(self, frame, hidden_bias):
        drive, logits = spike_logits(self, frame, hidden_bias)
        return drive, logits + 0.01

    monkeypatch.setattr(agreement.UnitSlabs, "spike_logits", slightly_wrong)
    with pytest.raises(ExportError, match="numpy's spike logits"):
        export(run[0], tmp_path / "bundle", data, name="small")


def test_refuses_when_the_pitches_disagree(run, data, tmp_path, monkeypatch):
    pitch_logits = agreement.UnitSlabs.pitch_logits
    monkeypatch.setattr(agreement.UnitSlabs, "pitch_logits", lambda *arguments: pitch_logits(*arguments) + 0.01)
    with pytest.raises(ExportError, match="numpy's pitch logits"):
        export(run[0], tmp_path / "bundle", data, name="small")


def test_refuses_metrics_that_are_none(run, data, tmp_path):
    (tmp_path / "metrics.json").write_text('[{"name": "x"}]')
    with pytest.raises(ExportError, match="list of metrics"):
        export(run[0], tmp_path / "bundle", data, name="small", metrics=tmp_path / "metrics.json")


def test_refuses_a_folder_that_is_no_run(data, tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        export(tmp_path, tmp_path / "bundle", data, name="small")


def test_the_graph_carries_no_path_of_this_machine(run):
    assert b".py" not in transition.transition_onnx(run[1])


def test_the_engine_replays_bit_for_bit(run, data, tmp_path):
    export(run[0], tmp_path / "bundle", data, name="small")
    bundle = load(tmp_path / "bundle")
    evidence = Evidence.build(low=40, high=80, scale=[0, 2, 4, 5, 7, 9, 11])

    def play(engine, steps):
        frames = []
        for _ in range(steps):
            frames.append(engine.sample(evidence))
            engine.advance(frames[-1])
        return np.array(frames)

    whole = play(Engine(bundle, seed=3), 40)
    assert np.array_equal(whole, play(Engine(bundle, seed=3), 40))
    assert not np.array_equal(whole, play(Engine(bundle, seed=4), 40))
    first = Engine(bundle, seed=3)
    play(first, 17)
    second = Engine(bundle, seed=99)
    second.restore(first.snapshot())
    assert np.array_equal(whole[17:], play(second, 23))
    allowed = np.isin(np.arange(128) % 12, [0, 2, 4, 5, 7, 9, 11]) & (np.arange(128) >= 40) & (np.arange(128) <= 80)
    assert not whole[:, ~allowed].any()
    assert whole.any()


def test_a_long_silence_is_broken(run, data, tmp_path, monkeypatch):
    """A model that is nearly always silent plays within the patience and a little, and without it not for long."""
    export(run[0], tmp_path / "bundle", data, name="small")
    bundle = load(tmp_path / "bundle")

    def longest_silence(engine):
        transition, longest, silent = engine._transition, 0, 0
        for _ in range(150):
            transition.implied["visible_bias"][:] = -7.5  # about one frame in fifteen has a note
            transition.implied["hidden_bias"][:] = -20
            frame = engine.sample(Evidence.build())
            engine.advance(frame)
            silent = 0 if frame.any() else silent + 1
            longest = max(longest, silent)
        return longest

    assert longest_silence(Engine(bundle, seed=1)) <= 16  # frames: 4 s
    monkeypatch.setattr("cgrnn_live.engine.REDRAWS", 0)
    assert longest_silence(Engine(bundle, seed=1)) > 16


def test_chords_stay_playable(run, data, tmp_path, monkeypatch):
    """A model of about ten notes a frame, on average, is held to twelve: drawn again, and thinned if that is no use."""
    export(run[0], tmp_path / "bundle", data, name="small")
    bundle = load(tmp_path / "bundle")

    def largest_chord():
        engine, largest = Engine(bundle, seed=1), 0
        for _ in range(60):
            engine._transition.implied["visible_bias"][:] = -2.5
            engine._transition.implied["hidden_bias"][:] = -20
            largest = max(largest, int(engine.sample(Evidence.build()).sum()))
        return largest

    assert largest_chord() == 12
    monkeypatch.setattr("cgrnn_live.engine.REDRAWS", 0)
    assert largest_chord() == 12
    monkeypatch.setattr("cgrnn_live.engine.MOST_NOTES", 128)
    assert largest_chord() > 12


def test_held_pitches_are_kept_and_the_start_is_silence(run, data, tmp_path):
    export(run[0], tmp_path / "bundle", data, name="small")
    engine = Engine(load(tmp_path / "bundle"), seed=1)
    initial = engine.snapshot()
    for held in ([60], [61, 90], []):
        frame = engine.sample(Evidence.build(low=50, high=70, held=held))
        assert set(held) <= set(np.flatnonzero(frame))
        engine.advance(frame)
    engine.reset()
    again = engine.snapshot()
    for name in ("state", "visible_bias", "hidden_bias", "last"):
        assert np.array_equal(initial[name], again[name])
