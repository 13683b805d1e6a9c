"""What a run began from, where `fit --from` gave it another run's weights: the stages of its training before its own.

They are kept in origin.json, so that a record says how all of it was made.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cgrnn_train.files import write_json
from cgrnn_train.run import COMMAND, RunError, read_config, read_record

ORIGIN = "origin.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """One run whose weights the next began with.

    Attributes:
        command: that made it.
        config: as `RunConfig.to_dict` has it.
        training_seconds: that it took; None if it was not finished.
        epochs: passes over the training split; None if it was not finished.
    """

    command: str
    config: dict[str, Any]
    training_seconds: float | None
    epochs: int | None


def save_origin(folder: Path, start: Path) -> None:
    """Write into ``folder`` the stages of ``start``, itself the last of them."""
    record = read_record(start) or {}
    own = Stage(
        read_command(start) or "",
        read_config(start).to_dict(),
        record.get("training_seconds"),
        record.get("epochs"),
    )
    stages = [asdict(stage) for stage in [*read_origin(start), own]]
    write_json(folder / ORIGIN, stages)


def read_origin(folder: Path) -> list[Stage]:
    """The stages before ``folder``'s own, the first of them first; none for a run that began at random.

    Raises:
        RunError: the file holds something else.
    """
    try:
        return [_stage(**values) for values in json.loads((folder / ORIGIN).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, OSError) as error:
        raise RunError(f"{folder / ORIGIN} is not what 'fit --from' writes ({error!r}); train the run again") from None


def _stage(
    command: str, config: dict[str, Any], training_seconds: float | None = None, epochs: int | None = None
) -> Stage:
    """A `Stage` of parsed JSON; raises ValueError or TypeError."""
    return Stage(
        str(command),
        dict(config),
        None if training_seconds is None else float(training_seconds),
        None if epochs is None else int(epochs),
    )


def read_command(folder: Path) -> str | None:
    """The command that made a run; None if it is not recorded. Raises `RunError`."""
    try:
        return (folder / COMMAND).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, OSError) as error:
        raise RunError(f"{folder / COMMAND} is not readable ({error}); delete it") from None
