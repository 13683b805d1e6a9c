"""What is in a bundle: its files, its limits, its tensors. FORMAT.md states the same, normatively."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cgrnn_bundle.frames import PITCHES

Kind = Literal["binary", "continuous"]
"""Frames of MIDI pitches, on or off, or frames of sound, real samples."""

VERSIONS: dict[Kind, int] = {"binary": 1, "continuous": 2}
"""The format version that brought each kind, which is the one that its bundles name."""
FORMAT_VERSION = max(VERSIONS.values())
"""The newest version that this package reads."""

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
_RECURRENT = tuple("Add Concat Constant Gemm Identity MatMul Mul Relu Sigmoid Slice Split Sub Tanh".split())
OPERATORS: dict[Kind, tuple[str, ...]] = {
    "binary": _RECURRENT,
    "continuous": tuple(sorted((*_RECURRENT, "Asinh", "Softplus"))),  # which tame an onset, keep a scale positive
}
"""All that the ONNX model may compute with; of sound, Asinh tames an onset and Softplus makes a scale positive."""
MAX_ONNX_FIELDS = 1 << 17
"""Most protobuf fields in the ONNX model; a recurrent step has a few thousand."""
MAX_VALUE_INFO_BYTES = MIB // 16
"""Longest description of an input or output of the ONNX model."""
MAX_UNITS = 1 << 16
"""Most hidden units, and most units of state."""
MAX_WAVE_UNITS = 1 << 11
"""Most visible units, and most hidden ones, of kind "continuous": players hold arrays of H by H, readers judge W."""
MAX_GAINS = 1 << 8
"""Most gains of kind "continuous"."""
MIN_GAIN, MAX_GAIN = 2.0**-10, 2.0**10
"""Least and most of a gain: sixty decibels either way of 1."""
MIN_SCALE = 2.0**-20
"""Least scale of a visible unit: less than a 32nd of a step of 16-bit sound."""
MIN_GAP = 2.0**-20
"""Least 1 - s^2, s being the largest singular value of W, of kind "continuous"."""
MAX_PROBE_STEPS = 16
MAX_TEXT = 4096
"""Longest text in a manifest, in characters."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """Units of the model: visible V, hidden H (spikes, and as many slabs), recurrent state U; of sound, gains G."""

    hidden: int
    state: int
    visible: int = PITCHES
    gains: int | None = None


@dataclass(frozen=True)
class Tensors:
    """Name and shape of every tensor; all are float32."""

    inputs: Shapes
    outputs: Shapes
    arrays: Shapes


def tensors_of(kind: Kind, sizes: Sizes, probe_steps: int) -> Tensors:
    """Return the tensors of a bundle: the transition's inputs and outputs, and the arrays.

    What the transition gives for the following frame has an initial value, `initial_*`; every input but the state, and
    every output, has its rows in the probe, `probe.*`.
    """
    visible, hidden, state, steps = sizes.visible, sizes.hidden, sizes.state, probe_steps
    inputs: Shapes = {"frame": (1, visible), "spike_slab": (1, hidden), "state": (1, state)}
    if kind == "binary":
        implied: Shapes = {"visible_bias": (1, visible), "hidden_bias": (1, hidden)}
        parameters: Shapes = {"weight": (visible, hidden), "slab_precision": (hidden,), "slab_mean": (hidden,)}
    else:
        gains = sizes.gains or 1
        implied = {
            "visible_mean": (1, visible),
            "visible_scale": (1, visible),
            "hidden_bias": (1, hidden),
            "gain_logits": (1, gains),
        }
        parameters = {"weight": (visible, hidden), "slab_mean": (hidden,), "gains": (gains,)}
    outputs: Shapes = {"next_state": (1, state), **implied}
    probed = {name: shape for name, shape in {**inputs, **outputs}.items() if name != "state"}
    return Tensors(
        inputs=inputs,
        outputs=outputs,
        arrays={
            **parameters,
            "initial_state": (state,),
            **{f"initial_{name}": shape[1:] for name, shape in implied.items()},
            **{f"probe.{name}": (steps, *shape[1:]) for name, shape in probed.items()},
        },
    )
