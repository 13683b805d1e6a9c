"""Small models of sound with a real transition and drawn weights, and ONNX Runtime as a plain function."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from cgrnn_bundle.bundle import Bundle, Manifest, Probe, Sizes, Training
from cgrnn_bundle.layout import Shapes, Tensors, tensors_of
from cgrnn_bundle.manifest import SpikeSlabFeed
from cgrnn_bundle.probe import Row, Transition, record_probe
from cgrnn_bundle.waves import WaveSpec

LARGEST = 0.9
"""The largest singular value of a small model's W."""


def value_infos(shapes: Shapes) -> list:
    """The inputs or outputs of a graph, all float32."""
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]


def sound_transition(tensors: Tensors, level: float = 1.0, seed: int = 7) -> bytes:
    """Return u' = tanh([asinh v, h∘s, u] A), mean u' B, scale 0.1 + softplus(u' D - 2), b_h u' C, gains u' E.

    level: of the mean; below 0.5 the residuals of a prediction fade.
    """
    rng = np.random.default_rng(seed)
    units = {name: shape[1] for name, shape in {**tensors.inputs, **tensors.outputs}.items()}
    seen = units["frame"] + units["spike_slab"] + units["state"]
    weights = {
        "A": rng.standard_normal((seen, units["state"])) / seen**0.5,
        "B": level * rng.standard_normal((units["state"], units["frame"])) / units["state"] ** 0.5,
        "C": rng.standard_normal((units["state"], units["spike_slab"])),
        "D": rng.standard_normal((units["state"], units["frame"])) / units["state"] ** 0.5,
        "E": rng.standard_normal((units["state"], units["gain_logits"])),
        "least": np.full((1, 1), 0.1),
        "two": np.full((1, 1), 2.0),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Asinh", ["frame"], ["tamed"]),
            helper.make_node("Concat", ["tamed", "spike_slab", "state"], ["x"], axis=1),
            helper.make_node("MatMul", ["x", "A"], ["y"]),
            helper.make_node("Tanh", ["y"], ["next_state"]),
            helper.make_node("MatMul", ["next_state", "B"], ["visible_mean"]),
            helper.make_node("MatMul", ["next_state", "D"], ["d"]),
            helper.make_node("Sub", ["d", "two"], ["e"]),
            helper.make_node("Softplus", ["e"], ["f"]),
            helper.make_node("Add", ["f", "least"], ["visible_scale"]),
            helper.make_node("MatMul", ["next_state", "C"], ["hidden_bias"]),
            helper.make_node("MatMul", ["next_state", "E"], ["gain_logits"]),
        ],
        "step",
        value_infos(tensors.inputs),
        value_infos(tensors.outputs),
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def open_transition(model: bytes) -> Transition:
    """Return the model as a function of (frame, spike_slab, state), its outputs in their order in the graph."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def run(frame: Row, spike_slab: Row, state: Row) -> tuple[Row, ...]:
        outputs = session.run(None, {"frame": frame, "spike_slab": spike_slab, "state": state})
        return tuple(np.asarray(output) for output in outputs)

    return run


def sound_bundle(
    *,
    visible: int = 6,
    hidden: int = 5,
    state: int = 4,
    sample_rate: int = 8_000,
    mean: float = 0.01,
    std: float = 0.1,
    order: int = 0,
    window: int = 400,
    level: float = 1.0,
    gains: int = 3,
    feed: SpikeSlabFeed = "sampled",
    seed: int = 3,
) -> Bundle:
    """Return a bundle of kind "continuous": frames of ``visible`` samples, W with the singular value `LARGEST`.

    gains: so many, from 1 down by a quarter each.
    """
    rng = np.random.default_rng(seed)
    sizes = Sizes(visible=visible, hidden=hidden, state=state, gains=gains)
    manifest = Manifest(
        name="tiny-sound",
        frame=WaveSpec(sample_rate, visible, mean, std, order, window),
        sizes=sizes,
        feed="full",
        spike_slab_feed=feed,
        training=Training("noise", "CC0-1.0", "cgrnn-train fit --seed 5", 5, "2026-11-22", "0.1.0"),
        probe=Probe(seed=11),
        sweeps=4,
    )
    weight = rng.standard_normal((visible, hidden))
    arrays = {
        "weight": (LARGEST * weight / np.linalg.norm(weight, 2)).astype(np.float32),
        "slab_mean": rng.standard_normal(hidden).astype(np.float32),
        "gains": (0.75 ** np.arange(gains)).astype(np.float32),
        "initial_state": np.zeros(state, np.float32),
        "initial_visible_mean": np.zeros(visible, np.float32),
        "initial_visible_scale": np.full(visible, 0.2, np.float32),
        "initial_hidden_bias": np.zeros(hidden, np.float32),
        "initial_gain_logits": np.zeros(gains, np.float32),
    }
    transition = sound_transition(tensors_of("continuous", sizes, manifest.probe.steps), level)
    arrays |= record_probe(open_transition(transition), arrays["initial_state"], "continuous", sizes, manifest.probe)
    return Bundle(manifest, transition, arrays, "# Tiny sound\n\nNoise.\n")
