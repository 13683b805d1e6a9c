"""A run folder: its configuration, what it was trained on, and its weights, read and written without pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.waves import WaveSpec
from cgrnn_train.config import ConfigError, RunConfig
from cgrnn_train.data import opened
from cgrnn_train.data.store import DataSet, is_data_set
from cgrnn_train.files import write_json, write_whole
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.system import System
from cgrnn_train.systems import build

CONFIG, WEIGHTS, COMMAND, DATA, RECORD = "config.json", "model.safetensors", "command.txt", "data.json", "fit.json"

RESUME = "'cgrnn-train fit --resume'"


class RunError(ValueError):
    """A run folder that cannot be used: what was found, what was expected, the fix."""


def save_data(folder: Path, data: DataSet) -> None:
    """Write which data set a run is trained on: its folder, digest, source and frame."""
    record = {
        "folder": str(data.folder.resolve()),
        "digest": data.digest,
        "source": str(data.meta.get("source", data.folder.name)),
        "frame": dataclasses.asdict(data.spec),
    }
    write_json(folder / DATA, record)


def trained_on(folder: Path) -> dict[str, Any] | None:
    """What `save_data` wrote, ``folder`` and ``digest`` at least; None if there is no record; raises `RunError`."""
    try:
        record: Any = json.loads((folder / DATA).read_text(encoding="utf-8"))
        if "frame" in record:
            record["frame"] = opened.frame_spec(record["frame"])
        return {**record, "folder": str(record["folder"]), "digest": str(record["digest"])}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RunError(f"{folder / DATA} is not readable ({error!r}); delete it and give --data") from None


def open_data(folder: Path, given: Path | None = None) -> DataSet:
    """Open the data set ``given``, or else the one that the run in ``folder`` was trained on.

    Raises:
        RunError: there is no record of it, its folder now holds another data set or none, or the set has other frames.
        DataError: the data set is none, or is damaged.
    """
    if given is not None and not (folder / CONFIG).exists():
        return opened.open_data(given)  # a run to begin
    config = read_config(folder)  # says so if it is no run at all
    record = trained_on(folder)
    if given is not None:
        data = opened.open_data(given)
        if record is not None and record.get("frame", data.spec) != data.spec:
            expected = _frame_words(record["frame"])
            raise RunError(
                f"{given} has frames of {_frame_words(data.spec)}; expected {expected}, on which {folder} was trained; "
                f"prepare the set with those"
            )
        check_frames(config, data)
        return data
    if record is None:
        raise RunError(f"{folder} does not say what it was trained on (no {DATA}); give --data")
    if not is_data_set(Path(record["folder"])):
        raise RunError(f"{record['folder']}, on which {folder} was trained, is no longer a data set; give --data")
    data = opened.open_data(record["folder"])
    if data.digest != record["digest"]:
        raise RunError(f"{data.folder} has changed since {folder} was trained on it; give --data")
    check_frames(config, data)
    return data


def check_frames(config: RunConfig, data: DataSet) -> None:
    """Raise `RunError` unless the frames of ``data`` are of the kind and the size that the model of ``config`` sees."""
    if (config.kind, config.model.visible) != (data.values, data.visible):
        raise RunError(
            f"{data.folder} has {data.values} frames of {data.visible} values; the model sees {config.kind} ones of "
            f'{config.model.visible}: set model.kind = "{data.values}" and model.visible = {data.visible}, or give '
            f"another data set"
        )


def _frame_words(spec: FrameSpec | WaveSpec) -> str:
    if isinstance(spec, WaveSpec):
        scale = f"mean {spec.mean:g} and standard deviation {spec.std:g}"
        return f"{spec.frame_samples} samples at {spec.sample_rate} Hz, of {scale}"
    return f"{spec.note_value or f'{spec.frame_seconds:g} s'} by the rule '{spec.rule}'"


def save_record(folder: Path, **values: object) -> None:
    """Write what a finished run was: parameters, training_seconds, epochs, device, validation_log_likelihood."""
    write_json(folder / RECORD, values)


def read_record(folder: Path) -> dict[str, Any] | None:
    """What `save_record` wrote; None if the run is unfinished (or older than these records)."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise RunError(f"{folder / RECORD} is not readable ({error!r}); write it again with {RESUME}") from None


def is_unfinished(folder: Path) -> bool:
    """Whether the run was stopped before its last epoch: its weights, if any, are then the best ones so far."""
    return read_record(folder) is None


def unfinished_error(folder: Path) -> RunError:
    """The error for a run without weights."""
    return RunError(f"{folder} is unfinished: no {WEIGHTS} in it yet; go on with {RESUME}")


def save_config(folder: Path, config: RunConfig, command: str) -> None:
    """Write the configuration of a run and the command that made it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMMAND).write_text(command + "\n", encoding="utf-8")
    write_json(folder / CONFIG, config.to_dict())


def save_weights(folder: Path, model: nn.Module) -> None:
    """Write the weights of a run."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(folder / WEIGHTS, save(weights))


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run; raises `RunError`."""
    try:
        return RunConfig.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")), str(folder / CONFIG))
    except FileNotFoundError:
        raise RunError(
            f"{folder} is not a run: no {CONFIG} in it; make one with 'cgrnn-train fit --out {folder}'"
        ) from None
    except ConfigError as error:  # which names the file
        raise RunError(f"{error}; mend it, or train the run again") from None
    except (ValueError, OSError) as error:
        raise RunError(f"{folder / CONFIG} is not readable ({error!r}); train the run again") from None


def load(folder: Path) -> tuple[RunConfig, System]:
    """The configuration and the trained model of a run, in evaluation mode; raises `RunError`."""
    config = read_config(folder)
    model = build(config.system, config.model)
    load_weights(folder, model)
    return config, model.eval()


def load_weights(folder: Path, model: nn.Module, instead: Mapping[str, Tensor] | None = None) -> None:
    """Give ``model`` the weights of a run, with ``instead`` in the place of those it names; raises `RunError`."""
    try:
        model.load_state_dict(load_file(folder / WEIGHTS) | dict(instead or {}))
    except FileNotFoundError:
        raise unfinished_error(folder) from None
    except (SafetensorError, RuntimeError) as error:
        words = str(error).splitlines()[0]
        raise RunError(f"{folder / WEIGHTS} does not fit {CONFIG} ({words}); train the run again") from None


def weights_digest(folder: Path) -> str:
    """SHA-256 of the weights of a run."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def load_cgrnn(folder: Path) -> tuple[RunConfig, CGRNN]:
    """`load` for what only a CGRNN can do; raises `RunError` on a run of another system."""
    config, model = load(folder)
    if not isinstance(model, CGRNN):
        raise RunError(f"{folder} is a run of '{config.system}'; expected one of 'cgrnn'")
    return config, model
