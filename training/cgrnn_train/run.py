"""A run folder: its configuration, what it was trained on, and its weights, read and written without pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from cgrnn_train.config import ConfigError, RunConfig
from cgrnn_train.data.packed import PackedFrames, is_data_set
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.rnn import RNN, RNNConfig

CONFIG, WEIGHTS, COMMAND, DATA = "config.json", "model.safetensors", "command.txt", "data.json"


class RunError(ValueError):
    """A run folder that cannot be used: what was found, what was expected, the fix."""


def build(config: RunConfig) -> CGRNN | RNN:
    """A fresh model of ``config``'s system."""
    model = config.model
    return CGRNN(model) if isinstance(model, CGRNNConfig) else RNN(model)


def save_data(folder: Path, data: PackedFrames) -> None:
    """Write which data set a run is trained on: its folder and its digest."""
    record = {"folder": str(data.folder.resolve()), "digest": data.digest}
    (folder / DATA).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def trained_on(folder: Path) -> dict[str, str] | None:
    """What `save_data` wrote: ``folder`` and ``digest``; None for a run without a record, raises `RunError`."""
    try:
        record: Any = json.loads((folder / DATA).read_text(encoding="utf-8"))
        return {"folder": str(record["folder"]), "digest": str(record["digest"])}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RunError(f"{folder / DATA} is not readable ({error!r}); delete it and give --data") from None


def open_data(folder: Path, given: Path | None = None) -> PackedFrames:
    """Open the data set ``given``, or else the one that the run in ``folder`` was trained on.

    Raises:
        RunError: there is no record of it, or its folder now holds another data set or none.
        DataError: the data set is none, or is damaged.
    """
    if given is not None:
        return PackedFrames.open(given)
    read_config(folder)  # says so if it is no run at all
    record = trained_on(folder)
    if record is None:
        raise RunError(f"{folder} does not say what it was trained on (no {DATA}); give --data")
    if not is_data_set(Path(record["folder"])):
        raise RunError(f"{record['folder']}, on which {folder} was trained, is no longer a data set; give --data")
    data = PackedFrames.open(record["folder"])
    if data.digest != record["digest"]:
        raise RunError(f"{data.folder} has changed since {folder} was trained on it; give --data")
    return data


def save_config(folder: Path, config: RunConfig, command: str) -> None:
    """Write the configuration of a run and the command that made it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMMAND).write_text(command + "\n", encoding="utf-8")
    (folder / CONFIG).write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")


def save_weights(folder: Path, model: nn.Module) -> None:
    """Write the weights of a run: to a temporary file, then renamed."""
    temporary = folder / f"{WEIGHTS}.partial"
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}, temporary)
    temporary.replace(folder / WEIGHTS)


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run; raises `RunError`."""
    try:
        return RunConfig.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")), str(folder / CONFIG))
    except FileNotFoundError:
        raise RunError(
            f"{folder} is not a run: no {CONFIG} in it; make one with 'cgrnn-train fit --out {folder}'"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, ConfigError) as error:
        raise RunError(f"{folder / CONFIG} is not readable: {error}") from None


def load(folder: Path) -> tuple[RunConfig, CGRNN | RNN]:
    """The configuration and the trained model of a run, in evaluation mode; raises `RunError`."""
    config = read_config(folder)
    model = build(config)
    load_weights(folder, model)
    return config, model.eval()


def load_weights(folder: Path, model: nn.Module) -> None:
    """Give ``model`` the weights of a run; raises `RunError`."""
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except FileNotFoundError:
        raise RunError(
            f"{folder} is unfinished: no {WEIGHTS} in it yet; go on with 'cgrnn-train fit --resume'"
        ) from None
    except (SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS} does not fit {CONFIG}: {str(error).splitlines()[0]}") from None


def load_cgrnn(folder: Path) -> tuple[RunConfig, CGRNN]:
    """`load` for what only a CGRNN can do; raises `RunError` on a run of another system."""
    config, model = load(folder)
    if isinstance(model, RNN) or isinstance(config.model, RNNConfig):
        raise RunError(f"{folder} is a run of '{config.system}'; expected one of 'cgrnn'")
    return config, model
