"""From a run to a bundle: the transition as ONNX, the C-ssRBM as arrays, both held against PyTorch.

The exporter refuses to write unless ONNX Runtime follows PyTorch's own transition over 100 fed-back steps, and numpy's
conditionals agree with PyTorch's (`cgrnn_train.agreement`).
"""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path
from typing import Any, cast

import numpy as np

from cgrnn_bundle import __version__
from cgrnn_bundle.bundle import Bundle, Manifest, Metric, Probe, Training, save
from cgrnn_bundle.layout import MIN_GAP
from cgrnn_bundle.parameters import largest_singular_value
from cgrnn_bundle.probe import record_probe
from cgrnn_train.agreement import ExportError, check_agreement
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.packed import PackedFrames, as_rolls
from cgrnn_train.data.store import DataSet
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.cssrbm import BinaryCSSRBM
from cgrnn_train.origin import read_command
from cgrnn_train.run import check_frames, load_cgrnn
from cgrnn_train.transition import Row, as_array, runner, sizes_of, transition_onnx

SWEEPS = {"binary": 25, "continuous": 2}
"""A bundle's default sweeps. Over sound they are collapsed, and the chain goes on from frame to frame: two take less
than a tenth of a frame of 13.6 ms, the transition included (`benchmarks/wave_step.py`)."""


def export(
    run: Path,
    path: Path,
    data: DataSet,
    *,
    name: str,
    metrics: Path | None = None,
    card: Path | None = None,
    temperature: float = 1.0,
    sweeps: int | None = None,
) -> None:
    """Write run folder ``run`` as the bundle ``path``.

    Args:
        run: a trained CGRNN.
        path: the bundle, a folder or a .zip.
        data: what it was trained on; frame spec, source, licence and range of pitches go into the manifest.
        name: of the bundle.
        metrics: a JSON list of objects with name, value, kind, data, command.
        card: the model card, Markdown.
        temperature: the bundle's default.
        sweeps: the bundle's default; None for that of its kind, `SWEEPS`.

    Raises:
        RunError: the run is not a finished CGRNN, or sees other frames than the data set's.
        DataError: the data set is of the other kind.
        ExportError: PyTorch, ONNX Runtime and numpy disagree, or W is at the edge of what can be computed with.
        BundleError: the bundle would not load.
    """
    config, model = load_cgrnn(run)
    kind, sizes, probe = model.config.kind, sizes_of(model), Probe()
    low = high = None
    if kind == "binary":
        low, high = _pitch_range(as_rolls(data, "a bundle with pitches"))
    elif data.values != kind:
        raise DataError(f"{data.folder} holds piano rolls; expected sound, which a bundle with sound needs")
    check_frames(config, data)
    arrays = model_arrays(model)
    transition = transition_onnx(model)
    execute = runner(transition)
    check_agreement(model, execute, arrays)
    arrays |= record_probe(execute, arrays["initial_state"], kind, sizes, probe)
    manifest = Manifest(
        name=name,
        frame=data.spec,
        sizes=sizes,
        feed=cast(Any, {"D": "deterministic", "S": "stochastic", "full": "full"}[model.config.mode]),
        spike_slab_feed=model.config.feed,
        low=low,
        high=high,
        temperature=temperature,
        sweeps=SWEEPS[kind] if sweeps is None else sweeps,
        training=Training(
            data=str(data.meta["source"]),
            licence=str(data.meta["licence"]),
            command=read_command(run) or "",
            seed=config.fit.seed,
            date=datetime.date.today().isoformat(),
            version=__version__,
        ),
        metrics=_metrics(metrics),
        probe=probe,
    )
    save(Bundle(manifest, transition, arrays, card.read_text(encoding="utf-8") if card else None), path)


def model_arrays(model: CGRNN) -> dict[str, Row]:
    """Return the C-ssRBM's arrays, u_0 and what u_0 implies, as a bundle names them; raises `ExportError`."""
    rbm = model.rbm
    initial = model.initial_state[None]
    arrays = _wave_parameters(rbm) if isinstance(rbm, ContinuousCSSRBM) else _pitch_parameters(rbm)
    arrays["initial_state"] = as_array(model.initial_state)
    implied = rbm.conditionals(initial)
    for name, tensor in implied._asdict().items():
        arrays[f"initial_{name}"] = as_array(tensor[0])
    return arrays


def _pitch_parameters(rbm: BinaryCSSRBM) -> dict[str, Row]:
    slabs = rbm.slabs()
    return {
        "weight": as_array(slabs.weight),
        "slab_precision": as_array(slabs.precision),
        "slab_mean": as_array(slabs.mean),
    }


def _wave_parameters(rbm: ContinuousCSSRBM) -> dict[str, Row]:
    units = copy.deepcopy(rbm).double().units()  # in float32 a factor may cost W more than the margin
    weight = as_array(units.weight)
    if (gap := 1 - largest_singular_value(weight) ** 2) < MIN_GAP:
        raise ExportError(
            f"W leaves 1 - s^2 = {gap:.2g}, s its largest singular value, expected at least {MIN_GAP:.2g}: some mix "
            "of samples varies a thousand times their scale; train again with a lower weight_learning_rate"
        )
    return {"weight": weight, "slab_mean": as_array(units.offset), "gains": as_array(rbm.log_gains.exp())}


def _pitch_range(rolls: PackedFrames) -> tuple[int, int]:
    """Return the lowest and the highest pitch of the set."""
    pitches = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(rolls.packed, axis=0)))
    return int(pitches[0]), int(pitches[-1])


def _metrics(path: Path | None) -> tuple[Metric, ...]:
    if path is None:
        return ()
    try:
        return tuple(Metric(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ExportError(
            f"{path} is not a list of metrics ({error}); expected JSON objects with name, value, kind, data, command"
        ) from None
