"""The streaming step over sound: what it draws, what it promises, and what it refuses."""

import dataclasses

import numpy as np
import pytest
from onnx import helper, numpy_helper

from cgrnn_bundle.bundle import Bundle, BundleError, load, save
from cgrnn_bundle.layout import tensors_of
from cgrnn_bundle.probe import record_probe
from cgrnn_bundle.shipped import find_bundle
from cgrnn_live.doctor import examine
from cgrnn_live.engine import Engine
from cgrnn_live.loading import Sampling, describe_models, open_engine, open_wave_engine
from cgrnn_live.wave_engine import WaveEngine
from small_bundles import open_transition, sound_bundle, value_infos


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return sound_bundle()


def play(engine: WaveEngine, count: int) -> np.ndarray:
    frames = []
    for _ in range(count):
        frames.append(engine.sample())
        engine.advance(frames[-1])
    return np.array(frames)


@pytest.mark.parametrize("feed", ["sampled", "mean"])
def test_the_same_seed_gives_the_same_frames_bit_for_bit(feed):
    bundle = sound_bundle(feed=feed)
    whole = play(WaveEngine(bundle, seed=3), 60)
    assert whole.dtype == np.float32
    assert whole.shape == (60, 6)
    assert np.isfinite(whole).all()
    assert np.array_equal(whole, play(WaveEngine(bundle, seed=3), 60))
    assert not np.array_equal(whole, play(WaveEngine(bundle, seed=4), 60))


def test_a_snapshot_goes_on_where_it_was_taken(bundle: Bundle):
    whole = play(WaveEngine(bundle, seed=3, temperature=0.8, sweeps=2), 40)
    first = WaveEngine(bundle, seed=3, temperature=0.8, sweeps=2)
    play(first, 17)
    kept = first.snapshot()
    play(first, 5)  # which changes nothing of what was kept
    second = WaveEngine(bundle, seed=99)
    second.restore(kept)
    assert np.array_equal(whole[17:], play(second, 23))
    second.restore(kept)
    assert np.array_equal(whole[17:], play(second, 23))


def test_reset_forgets_but_for_the_random_stream(bundle: Bundle):
    engine = WaveEngine(bundle, seed=1)
    initial = engine.snapshot()
    play(engine, 5)
    engine.reset()
    again = engine.snapshot()
    for name in ("state", "visible_mean", "visible_scale", "hidden_bias", "gain_logits", "innovation"):
        assert np.array_equal(initial[name], again[name])
    assert initial["random"] != again["random"]


def test_what_is_heard_counts_and_not_what_was_drawn(bundle: Bundle):
    heard = np.linspace(-2, 2, 6).astype(np.float32)
    states = []
    for draws in (0, 1):
        engine = WaveEngine(sound_bundle(feed="mean"), seed=0)
        for _ in range(draws):
            engine.sample()
        engine.advance(heard)
        states.append(engine.snapshot())
    assert np.array_equal(states[0]["state"], states[1]["state"])
    mean, scale = bundle.arrays["initial_visible_mean"], bundle.arrays["initial_visible_scale"]
    gains = (heard - mean) / scale / states[0]["innovation"]
    assert gains == pytest.approx(np.full(6, gains[0]))
    assert np.abs(bundle.arrays["gains"] - gains[0]).min() < 1e-6


def test_a_step_is_that_of_the_transition(bundle: Bundle):
    """One `advance` of the mean feed, written out: σ(η)∘y of the whitened frame, then the graph."""
    bundle = sound_bundle(feed="mean", gains=1)
    arrays = bundle.arrays
    heard = np.linspace(-1, 1, 6).astype(np.float32)
    engine = WaveEngine(bundle, seed=0)
    engine.advance(heard)
    x = (heard.astype(float) - arrays["initial_visible_mean"]) / arrays["initial_visible_scale"]
    drive = x @ arrays["weight"].astype(float) + arrays["slab_mean"]
    eta = 0.5 * drive**2 - 0.5 * arrays["slab_mean"].astype(float) ** 2 + arrays["initial_hidden_bias"]
    feed = (drive / (1 + np.exp(-eta))).astype(np.float32)
    outputs = open_transition(bundle.transition)(heard[None], feed[None], arrays["initial_state"][None])
    snapshot = engine.snapshot()
    names = ("state", "visible_mean", "visible_scale", "hidden_bias", "gain_logits")
    for name, expected in zip(names, outputs, strict=True):
        assert snapshot[name] == pytest.approx(expected[0], abs=1e-6)  # float32


def test_frames_have_the_mean_and_scale_that_the_state_implies(bundle: Bundle):
    """With every spike off x is N(0, T I), so that v is N(c, T d²) where the gain is 1."""
    arrays = {**bundle.arrays}
    arrays["initial_hidden_bias"] = np.full(5, -1e4, np.float32)
    arrays["gains"] = np.ones(3, np.float32)
    arrays["initial_visible_mean"] = np.arange(6, dtype=np.float32)
    arrays["initial_visible_scale"] = np.geomspace(0.01, 10, 6).astype(np.float32)
    engine = WaveEngine(dataclasses.replace(bundle, arrays=arrays), seed=0, temperature=0.5, sweeps=1)
    draws = np.array([engine.sample() for _ in range(4_000)])
    scale = 0.5**0.5 * arrays["initial_visible_scale"]
    assert (np.abs(draws.mean(0) - np.arange(6)) < 4.5 * scale / 4_000**0.5).all()
    assert draws.std(0) == pytest.approx(scale, rel=4.5 * 8_000**-0.5)


@pytest.mark.parametrize(("order", "expected"), [(0, [1, 2, 3, 4, 5, 9]), (8, [-3, -2, -1, 0, 1, 5])])
def test_residuals_are_drawn_without_the_dc_of_their_mean(order: int, expected: list[int]):
    bundle = sound_bundle(order=order)
    arrays = {**bundle.arrays, "initial_hidden_bias": np.full(5, -1e4, np.float32)}
    arrays["initial_visible_mean"] = np.array([1, 2, 3, 4, 5, 9], np.float32)
    arrays["initial_visible_scale"] = np.full(6, 1e-4, np.float32)
    drawn = WaveEngine(dataclasses.replace(bundle, arrays=arrays), seed=0).sample()
    assert drawn == pytest.approx(np.array(expected), abs=1e-3)


def test_frames_have_the_gains_that_the_state_implies():
    """With every spike off v is N(c, g² d²): its mean square is in g² as often as its probability says."""
    bundle = sound_bundle(visible=40, gains=3)
    arrays = {**bundle.arrays, "gains": np.array([1, 10, 0.1], np.float32)}
    arrays["initial_hidden_bias"] = np.full(5, -1e4, np.float32)
    arrays["initial_gain_logits"] = np.log(np.array([0.5, 0.2, 0.3], np.float32)) + 3
    for temperature, expected in ((1.0, [0.5, 0.2, 0.3]), (0.5, np.array([0.25, 0.04, 0.09]) / 0.38)):
        engine = WaveEngine(dataclasses.replace(bundle, arrays=arrays), seed=0, temperature=temperature, sweeps=1)
        draws = np.array([engine.sample() for _ in range(4_000)]) / arrays["initial_visible_scale"]
        level = np.log10(np.square(draws).mean(1) / temperature) / 2  # 0, 1 and -1, within 0.2: 40 samples
        found = [(np.abs(level - place) < 0.4).mean() for place in (0, 1, -1)]
        assert found == pytest.approx(np.array(expected), abs=4.5 * 0.5 / 4_000**0.5)


def test_temperature_widens_what_is_drawn(bundle: Bundle):
    spread = {}
    for temperature in (0.25, 1.0, 4.0):
        engine = WaveEngine(bundle, seed=0, temperature=temperature)
        spread[temperature] = np.array([engine.sample() for _ in range(500)]).std()
    assert 1.5 * spread[0.25] < spread[1.0] < spread[4.0] / 1.5


def test_defaults_are_the_bundles_and_sweeps_can_be_cut(bundle: Bundle):
    manifest = dataclasses.replace(bundle.manifest, temperature=0.75, sweeps=7)
    engine = WaveEngine(dataclasses.replace(bundle, manifest=manifest), seed=0)
    assert (engine.temperature, engine.sweeps, engine.spec) == (0.75, 7, bundle.manifest.frame)
    one = WaveEngine(bundle, seed=0, sweeps=1).sample()
    assert np.array_equal(one, WaveEngine(bundle, seed=0, sweeps=9).sample(sweeps=1))
    assert not np.array_equal(one, WaveEngine(bundle, seed=0, sweeps=9).sample())


@pytest.mark.parametrize(
    ("heard", "sentence"),
    [
        (np.zeros(7, np.float32), r"the frame heard has the shape \(7,\); expected \(6,\) finite numbers"),
        (np.zeros((1, 6), np.float32), r"the shape \(1, 6\)"),
        (np.full(6, np.nan, np.float32), "samples that are not finite"),
        (np.full(6, np.inf, np.float32), "samples that are not finite"),
    ],
)
def test_a_frame_that_is_none_is_refused_and_changes_nothing(bundle: Bundle, heard: np.ndarray, sentence: str):
    engine = WaveEngine(bundle, seed=0)
    before = engine.snapshot()
    with pytest.raises(ValueError, match=sentence):
        engine.advance(heard)
    after = engine.snapshot()
    assert np.array_equal(before["state"], after["state"])
    assert np.array_equal(before["innovation"], after["innovation"])


@pytest.mark.parametrize("loud", [200.0, -200.0])
def test_a_scale_that_vanishes_or_a_mean_without_end_is_an_error_of_the_bundle(bundle: Bundle, loud: float):
    """Scale softplus(10 − frame) and mean 10³⁷ frame: sound in the probe, then 0, or infinite."""
    sizes = bundle.manifest.sizes
    tensors = tensors_of("continuous", sizes, 3)
    zeros = {
        "A": 1e37 * np.eye(6) * (loud < 0),
        "B": np.zeros((5, 5)),
        "C": np.zeros((5, 3)),
        "ten": np.full((1, 6), 10.0),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["state"], ["next_state"]),
            helper.make_node("MatMul", ["frame", "A"], ["visible_mean"]),
            helper.make_node("Sub", ["ten", "frame"], ["distance"]),
            helper.make_node("Softplus", ["distance"], ["visible_scale"]),
            helper.make_node("MatMul", ["spike_slab", "B"], ["hidden_bias"]),
            helper.make_node("MatMul", ["spike_slab", "C"], ["gain_logits"]),
        ],
        "step",
        value_infos(tensors.inputs),
        value_infos(tensors.outputs),
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in zeros.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    arrays = {name: values for name, values in bundle.arrays.items() if not name.startswith("probe.")}
    arrays |= record_probe(open_transition(model), arrays["initial_state"], "continuous", sizes, bundle.manifest.probe)
    engine = WaveEngine(dataclasses.replace(bundle, transition=model, arrays=arrays), seed=0)
    engine.advance(np.full(6, 3, np.float32))
    with pytest.raises(BundleError, match="tiny-sound: transition.onnx gives numbers that are not finite, or a scale"):
        engine.advance(np.full(6, loud, np.float32))


def test_the_probe_is_replayed(bundle: Bundle):
    wrong = {**bundle.arrays, "probe.visible_scale": 1.001 * bundle.arrays["probe.visible_scale"]}
    with pytest.raises(BundleError, match="visible_scale at probe step 0"):
        WaveEngine(dataclasses.replace(bundle, arrays=wrong), seed=0)


def test_each_engine_refuses_the_other_kind_and_says_what_plays_it(bundle: Bundle, tmp_path):
    with pytest.raises(BundleError, match="^pop is a model of MIDI; play it with `cgrnn-live --port NAME`$"):
        WaveEngine(load(find_bundle("pop")), seed=0)
    with pytest.raises(BundleError, match="^tiny-sound is a model of sound; play it with `cgrnn-live audio`$"):
        Engine(bundle, seed=0)
    save(bundle, tmp_path / "sound")
    with pytest.raises(BundleError, match="^tiny-sound is a model of sound; play it with `cgrnn-live audio`$"):
        open_engine(Sampling(seed=0, model=str(tmp_path / "sound")))


def test_it_opens_by_name_or_path(bundle: Bundle, tmp_path):
    save(bundle, tmp_path / "sound")
    engine = open_wave_engine(str(tmp_path / "sound"), seed=3, temperature=0.5, gibbs=2)
    assert np.array_equal(play(engine, 5), play(WaveEngine(bundle, seed=3, temperature=0.5, sweeps=2), 5))


@pytest.mark.parametrize("order", [0, 8])
def test_a_shipped_model_of_sound_is_listed_and_examined(order: int, tmp_path, monkeypatch: pytest.MonkeyPatch):
    bundle = sound_bundle(order=order)
    (tmp_path / "models").mkdir()
    pop = load(find_bundle("pop"))
    save(bundle, tmp_path / "models" / "noise")
    save(pop, tmp_path / "models" / "pop")
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    listed = {model["name"]: (model["kind"], model["frame_seconds"]) for model in describe_models()}
    assert listed == {"noise": ("continuous", 6 / 8_000), "pop": ("binary", 0.25)}
    found = {finding.what: finding for finding in examine() if finding.what.startswith("Model ")}
    assert list(found) == ["Model noise", "Model pop"]
    assert "its probe agrees" in found["Model noise"].found
    assert "of a frame's 0.75" in found["Model noise"].found
    assert found["Model noise"].fix in ("", "give fewer sweeps (--gibbs)")
    assert "of a frame's 250" in found["Model pop"].found
