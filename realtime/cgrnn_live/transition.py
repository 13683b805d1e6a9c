"""The recurrent transition on ONNX Runtime: (v_n, h_n∘s_n, u_(n−1)) → u_n and what u_n implies for frame n + 1.

One intra-op thread without spinning (a spinning pool slows its neighbours), a warm-up run, and arrays that are bound
once and reused, so that a call allocates nothing and the caller writes straight into the graph's inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cgrnn_bundle.bundle import Bundle
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.probe import check_probe

Vector = NDArray[np.float32]


class Transition:
    """A loaded transition with its own input and output buffers.

    Attributes:
        frame: v_n, (visible,): write before `advance`.
        spike_slab: h_n∘s_n, (hidden,): write before `advance`.
        state: u, (state,): u_(n−1) before `advance`, u_n after it.
        implied: what u implies for the next frame, by the names that the bundle's kind gives it: "hidden_bias", b̃_h
            (hidden,), and "visible_bias", b̃_v (visible,), or "visible_mean" and "visible_scale", each
            (visible,), and "gain_logits" (gains,). The arrays stay the same ones.
        outputs: all that the last `advance` gave, u first, as one array: to look at in one go.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Open ``bundle``'s transition, replay its probe (which also warms it up) and go to the initial state.

        Raises:
            BundleError: ONNX Runtime refuses the graph or fails in it, or its results differ from the probe's.
        """
        sizes = bundle.manifest.sizes
        self._session = _open(bundle.transition)
        self._binding = self._session.io_binding()
        self.frame = self._bind_input("frame", sizes.visible)
        self.spike_slab = self._bind_input("spike_slab", sizes.hidden)
        self.state = self._bind_input("state", sizes.state)
        shapes = bundle.manifest.tensors.outputs
        ends = np.cumsum([shape[1] for shape in shapes.values()]).tolist()
        self.outputs = np.zeros(ends[-1], np.float32)
        self.implied = dict(zip(shapes, np.split(self.outputs, ends[:-1]), strict=True))
        for name, values in self.implied.items():
            self._binding.bind_output(name, "cpu", 0, np.float32, shapes[name], values.ctypes.data)
        self._next_state = self.implied.pop("next_state")
        self._initial_state = bundle.arrays["initial_state"]
        self._initial = {name: bundle.arrays[f"initial_{name}"] for name in self.implied}
        check_probe(bundle, self._run_probe)
        self.reset()

    def reset(self) -> None:
        """Go to u_0."""
        np.copyto(self.state, self._initial_state)
        for name, values in self._initial.items():
            np.copyto(self.implied[name], values)

    def advance(self) -> None:
        """Replace u_(n−1) by u_n, and what it implied by what is implied for frame n + 1."""
        self._session.run_with_iobinding(self._binding)
        np.copyto(self.state, self._next_state)

    def snapshot(self) -> dict[str, Vector]:
        """A copy of u and of what it implies, by name."""
        return {"state": self.state.copy(), **{name: values.copy() for name, values in self.implied.items()}}

    def restore(self, snapshot: Mapping[str, Vector]) -> None:
        """Go back to what `snapshot` gave of the same bundle's transition; other names in it are passed over."""
        for name, values in {"state": self.state, **self.implied}.items():
            np.copyto(values, snapshot[name])

    def _run_probe(self, frame: Vector, spike_slab: Vector, state: Vector) -> tuple[Vector, ...]:
        """One step on rows (1, ·), as the probe gives and expects them."""
        self.frame[:], self.spike_slab[:], self.state[:] = frame[0], spike_slab[0], state[0]
        try:
            self.advance()
        except Exception as error:  # as in `_open`
            raise _refusal("run", error) from error
        return tuple(values[np.newaxis].copy() for values in (self.state, *self.implied.values()))

    def _bind_input(self, name: str, size: int) -> Vector:
        array = np.zeros((1, size), np.float32)
        self._binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return array[0]


def _open(transition: bytes) -> ort.InferenceSession:
    """Open a graph for single-row calls on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal: an error is raised too, and said by whoever catches it
    try:
        # A matrix-vector product per weight: too little work for a GPU, whose launches alone would take longer.
        return ort.InferenceSession(transition, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a family of private types, all derived from Exception
        raise _refusal("load", error) from error


def _refusal(what: str, error: Exception) -> BundleError:
    reason = str(error).partition("\n")[0]
    return BundleError(
        f"transition.onnx: ONNX Runtime {ort.__version__} cannot {what} it ({reason}); expected a graph that this "
        "version knows: update onnxruntime or export the bundle again"
    )
