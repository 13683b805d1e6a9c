"""What one run folder has to say in the results table: its system, its training, its scores, its commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from cgrnn_train.config import RunConfig
from cgrnn_train.data.store import SPLITS
from cgrnn_train.origin import read_command, read_origin
from cgrnn_train.published import NAMES
from cgrnn_train.run import (
    RECORD,
    RESUME,
    WEIGHTS,
    RunError,
    is_unfinished,
    read_config,
    read_record,
    trained_on,
    unfinished_error,
    weights_digest,
)
from cgrnn_train.scores import FOLDER, Scores, read_scores

MODES = ("D", "S", "full")


@dataclass(frozen=True, slots=True)
class FitRecord:
    """What the end of training wrote into fit.json, and the stages before (`cgrnn_train.origin`).

    Attributes:
        parameters: how many numbers were trained.
        training_seconds: that all stages took; None if one of them was not finished.
        epochs: passes over the training split in each stage; None for one that was not finished.
        device: what it ran on, in words.
        validation_log_likelihood: of the weights that were kept; None if there was none.
    """

    parameters: int
    training_seconds: float | None
    epochs: tuple[int | None, ...]
    device: str
    validation_log_likelihood: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """One run.

    Attributes:
        run: its folder, as `run_name` shortens it.
        system: as in `cgrnn_train.systems.SYSTEMS`.
        title: as `system_title` names it.
        is_of_sound: whether its frames are audio samples, so that its predictions are scored by RMSE.
        order: its place among the rows of the paper's Table 1, then its mode.
        source: the data set's own name for its source; None if neither its scores nor its data record says so.
        is_foreign: whether those scores are of another data set than the run was trained on.
        scores: on the split asked for; None if it was not scored.
        fit: None for a run without a record.
        transpose: semitones either way by which its training sequences were transposed at random; 0: they were not.
        commands: that trained and scored it, as far as they are recorded; without this machine's folders.
    """

    run: str
    system: str
    title: str
    is_of_sound: bool
    order: tuple[int, int]
    source: str | None
    is_foreign: bool
    scores: Scores | None
    fit: FitRecord | None
    transpose: int
    commands: tuple[str, ...]


def read_result(run: Path, split: str) -> Result:
    """Read a run folder.

    Raises:
        RunError: it is no run, is unfinished, or holds a file that cannot be read.
    """
    config = read_config(run)
    if not (run / WEIGHTS).is_file() and is_unfinished(run):  # a finished run's record needs no weights
        raise unfinished_error(run)
    scores = _scores(run, split, config.system)
    commands = [*(stage.command for stage in read_origin(run)), read_command(run), scores and scores.command]
    return Result(
        run_name(run),
        config.system,
        system_title(config),
        config.kind == "continuous",
        _order(config),
        scores.source if scores else _source(run, config.system),
        scores is not None and scores.data != (trained_on(run) or {}).get("digest", scores.data),
        scores,
        _fit_record(run),
        config.fit.transpose,
        tuple(without_machine_paths(command) for command in commands if command),
    )


def run_name(path: Path) -> str:
    """The last two components of ``path`` as it was given: what tells runs apart wherever they lie."""
    parts = [part for part in path.parts if part not in (path.anchor, "..")] or [path.resolve().name]
    return "/".join(parts[-2:])


def system_title(config: RunConfig) -> str:
    """The paper's name of a run's system: "RNN-ssRBM", "CGRNN-D"."""
    name, mode = NAMES.get(config.system, config.system), getattr(config.model, "mode", "full")
    return name if mode == "full" else f"{name}-{mode}"


def without_machine_paths(command: str) -> str:
    """The command with each absolute path cut to its last two components, after an ellipsis."""
    try:
        words = shlex.split(command)
    except ValueError:  # no shell line, so a text of somebody's: nothing in it is known to be an option
        words = command.split()
    return " ".join(map(_shortened, words))


def _shortened(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(value)
        if path.is_absolute():
            return f"{option}{equals}…/{shlex.quote('/'.join(path.parts[1:][-2:]))}"
    return shlex.quote(word)


def _order(config: RunConfig) -> tuple[int, int]:
    systems, mode = list(NAMES), getattr(config.model, "mode", "full")
    place = systems.index(config.system) if config.system in systems else len(systems)
    return place, MODES.index(mode) if mode in MODES else len(MODES)


def _scores(run: Path, split: str, system: str) -> Scores | None:
    try:
        scores = read_scores(run, split)
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise RunError(str(error)) from None
    if (run / WEIGHTS).is_file() and scores.weights != weights_digest(run):
        raise RunError(f"{run / FOLDER / split}.json is of earlier weights; score the run again")
    if (scores.system, scores.split) != (system, split):
        raise RunError(
            f"{run / FOLDER / split}.json is of {scores.system!r} on {scores.split!r}, but the run is of {system!r}; "
            f"score the run again"
        )
    return scores


def _source(run: Path, system: str) -> str | None:
    """The data set of a run without scores: as a score on another split has it, or its record."""
    for split in SPLITS:
        if other := _scores(run, split, system):
            return other.source
    source = (trained_on(run) or {}).get("source")
    return str(source) if source else None


def _fit_record(run: Path) -> FitRecord | None:
    values = read_record(run)
    if values is None:
        return None
    stages = read_origin(run)
    try:
        seconds = [*(stage.training_seconds for stage in stages), float(values["training_seconds"])]
        known = [one for one in seconds if one is not None]
        validation = values.get("validation_log_likelihood")
        return FitRecord(
            int(values["parameters"]),
            sum(known) if len(known) == len(seconds) else None,
            (*(stage.epochs for stage in stages), int(values["epochs"])),
            re.sub(r"\s+", " ", str(values["device"])),
            None if validation is None else float(validation),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{run / RECORD} is not what the end of training writes ({error!r}); write it again with {RESUME}"
        ) from None
