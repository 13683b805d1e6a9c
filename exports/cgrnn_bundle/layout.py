"""What is in a bundle: its files, its limits, its tensors. FORMAT.md states the same, normatively."""

from __future__ import annotations

from dataclasses import dataclass

from cgrnn_bundle.frames import PITCHES

FORMAT_VERSION = 1

TRANSITION = "transition.onnx"
ARRAYS = "cssrbm.safetensors"
MANIFEST = "manifest.json"
CARD = "README.md"

MIB = 1 << 20
MAX_BUNDLE_BYTES = 64 * MIB
MAX_FILE_BYTES = {TRANSITION: MAX_BUNDLE_BYTES, ARRAYS: MAX_BUNDLE_BYTES, MANIFEST: MIB // 4, CARD: MIB // 4}
MAX_HEADER_BYTES = MIB // 16
"""Longest JSON header of the safetensors file."""
MAX_DIRECTORY_BYTES = MIB // 64
"""Longest central directory of a .zip."""
OPERATORS = tuple("Add Concat Constant Gemm Identity MatMul Mul Relu Sigmoid Slice Split Sub Tanh".split())
"""All that the ONNX model may compute with."""
MAX_ONNX_FIELDS = 1 << 17
"""Most protobuf fields in the ONNX model; a recurrent step has a few thousand."""
MAX_VALUE_INFO_BYTES = MIB // 16
"""Longest description of an input or output of the ONNX model."""
MAX_UNITS = 1 << 16
"""Most hidden units, and most units of state."""
MAX_PROBE_STEPS = 16
MAX_TEXT = 4096
"""Longest text in a manifest, in characters."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """Units of the model: visible V, hidden H (spikes, and as many slabs), recurrent state U."""

    hidden: int
    state: int
    visible: int = PITCHES


@dataclass(frozen=True)
class Tensors:
    """Name and shape of every tensor; all are float32."""

    inputs: Shapes
    outputs: Shapes
    arrays: Shapes


def binary_tensors(sizes: Sizes, probe_steps: int) -> Tensors:
    """Return the tensors of a bundle of kind "binary": the transition's inputs and outputs, and the arrays."""
    visible, hidden, state, steps = sizes.visible, sizes.hidden, sizes.state, probe_steps
    return Tensors(
        inputs={"frame": (1, visible), "spike_slab": (1, hidden), "state": (1, state)},
        outputs={"next_state": (1, state), "visible_bias": (1, visible), "hidden_bias": (1, hidden)},
        arrays={
            "weight": (visible, hidden),
            "slab_precision": (hidden,),
            "slab_mean": (hidden,),
            "initial_state": (state,),
            "initial_visible_bias": (visible,),
            "initial_hidden_bias": (hidden,),
            "probe.frame": (steps, visible),
            "probe.spike_slab": (steps, hidden),
            "probe.next_state": (steps, state),
            "probe.visible_bias": (steps, visible),
            "probe.hidden_bias": (steps, hidden),
        },
    )
