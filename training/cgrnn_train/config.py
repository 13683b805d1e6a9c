"""The configuration of a run: one TOML file, one dataclass, nothing unknown accepted."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cgrnn_bundle.frames import PITCHES
from cgrnn_train.models.cgrnn import CGRNNConfig
from cgrnn_train.models.rnn import RNNConfig
from cgrnn_train.ranges import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, SEMITONES, SHARE, ConfigError, check_ranges

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] # installed where it is needed

SYSTEMS: dict[str, type[CGRNNConfig] | type[RNNConfig]] = {"cgrnn": CGRNNConfig, "rnn-1": RNNConfig}


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How a system is trained; every key may stand under [fit] in a configuration file.

    Attributes:
        epochs: passes over the training split.
        batch_size: sequences a step (and a process).
        sequence_frames: longest sequence; longer pieces are cut into nearly equal chunks that start from u_0.
        transpose: random transposition of each sequence by up to so many semitones either way.
        optimizer: "adam" (decoupled weight decay) or "sgd".
        learning_rate: of all parameters but W and α.
        weight_learning_rate: of W and α of the C-ssRBM; 0 takes ``learning_rate``.
        weight_decay: decoupled.
        decay_from: share of the run after which the learning rates fall linearly to zero.
        clip: largest norm of the gradient.
        sweeps: k, Gibbs sweeps of the negative phase a step.
        chains: "persistent": each training frame keeps its own chain from epoch to epoch; "data": CD-k.
        average: decay of the exponential moving average of the weights, which validation and the result use; 0: none.
        uniform_init: draw all parameters but the visible bias from U(±this), as the paper did; 0: the defaults.
        seed: of weights, order, dropout and chains.
        validation_every: epochs between validations; the last epoch is always validated.
        validation_frames: validation frames whose log Z is estimated, out of the first 1,024 of each piece.
        validation_temperatures: of that AIS estimate.
        validation_chains: of that AIS estimate.
    """

    epochs: int = 100
    batch_size: int = 8
    sequence_frames: int = 256
    transpose: int = 0
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 3e-3
    weight_learning_rate: float = 0.0
    weight_decay: float = 0.0
    decay_from: float = 0.5
    clip: float = 1.0
    sweeps: int = 10
    chains: Literal["persistent", "data"] = "persistent"
    average: float = 0.995
    uniform_init: float = 0.0
    seed: int = 0
    validation_every: int = 5
    validation_frames: int = 500
    validation_temperatures: int = 100
    validation_chains: int = 8

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no run can have."""
        check_ranges(
            self,
            epochs=COUNT,
            batch_size=COUNT,
            sequence_frames=COUNT,
            transpose=SEMITONES,
            learning_rate=POSITIVE,
            weight_learning_rate=NOT_NEGATIVE,
            weight_decay=NOT_NEGATIVE,
            decay_from=SHARE,
            clip=NOT_NEGATIVE,
            sweeps=COUNT,
            average=BELOW_ONE,
            uniform_init=NOT_NEGATIVE,
            seed=NOT_NEGATIVE,
            validation_every=COUNT,
            validation_frames=COUNT,
            validation_temperatures=COUNT,
            validation_chains=COUNT,
        )


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A system, its architecture and its training."""

    system: str = "cgrnn"
    model: CGRNNConfig | RNNConfig = field(default_factory=CGRNNConfig)
    fit: FitConfig = field(default_factory=FitConfig)

    def __post_init__(self) -> None:
        """Raise `ConfigError` unless the model sees frames as data sets hold them."""
        if self.model.visible != PITCHES:
            raise ConfigError(
                f"[model] visible: found {self.model.visible}; expected {PITCHES}, the pitches of a frame"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` takes them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str, system: str | None = None) -> RunConfig:
        """Build from parsed TOML or JSON; ``system`` overrides the file's.

        Raises:
            ConfigError: an unknown table, key or system, or a value of the wrong type or out of range; ``where`` names
                the file.
        """
        _check_table(values, where)
        unknown = set(values) - {"system", "model", "fit"}
        if unknown:
            raise ConfigError(f"{where}: found '{min(unknown)}'; expected only system, [model] and [fit]")
        system = system or values.get("system", "cgrnn")
        if not isinstance(system, str) or system not in SYSTEMS:
            raise ConfigError(f"{where}: found the system {system!r}; expected one of {', '.join(SYSTEMS)}")
        model = _build(SYSTEMS[system], values.get("model", {}), f"{where} [model]")
        fit = _build(FitConfig, values.get("fit", {}), f"{where} [fit]")
        try:
            return cls(system, model, fit)
        except ConfigError as error:
            raise ConfigError(f"{where} {error}") from None

    @classmethod
    def read(cls, path: Path, system: str | None = None) -> RunConfig:
        """Read a TOML file; raises `ConfigError`."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"{path} does not exist; expected a configuration such as training/configs/jsb.toml"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConfigError(f"{path} is not readable as TOML: {error}") from None
        return cls.from_dict(values, str(path), system)


def _build(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    """Make dataclass ``kind`` of ``values``, checking names, types and ranges."""
    _check_table(values, where)
    hints = get_type_hints(kind)
    unknown = set(values) - set(hints)
    if unknown:
        raise ConfigError(f"{where}: found '{min(unknown)}'; expected one of {', '.join(hints)}")
    fields = {key: _checked(hints[key], value, f"{where} {key}") for key, value in values.items()}
    try:
        return kind(**fields)
    except ConfigError as error:
        raise ConfigError(f"{where} {error}") from None


def _check_table(values: object, where: str) -> None:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: found {values!r}; expected a table of keys and values")


def _checked(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{where}: found {value!r}; expected one of {', '.join(map(repr, get_args(hint)))}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)) or not all(type(item) is int and item > 0 for item in value):
            raise ConfigError(f"{where}: found {value!r}; expected a list of positive whole numbers")
        return tuple(value)
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: found {value!r}; expected {'a whole number' if hint is int else 'a number'}")
    return value
