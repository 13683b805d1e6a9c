"""The configuration of a run: one TOML file, one dataclass, nothing unknown accepted."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from cgrnn_bundle.frames import PITCHES
from cgrnn_train.models.cgrnn import CGRNNConfig
from cgrnn_train.models.kind import Kind
from cgrnn_train.ranges import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, SEMITONES, SHARE, ConfigError, check_ranges
from cgrnn_train.systems import SYSTEMS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] # installed where it is needed

TABLES = ("model", "fit")


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
        weight_learning_rate: of W of the RBM, and of α of a C-ssRBM; 0 takes ``learning_rate``.
        weight_decay: decoupled.
        decay_biases: whether it takes vectors too (biases, μ, α, initial states), or matrices alone.
        decay_from: share of the run after which the learning rates fall linearly to zero.
        clip: largest norm of the gradient; 0: none.
        divergence_warm_up: epochs over which the KL term of a variational autoencoder comes to weigh 1, from 1 over
            their number on; without them its posterior may settle at the prior. Validation always has the bound.
        sweeps: k, Gibbs sweeps of the negative phase a step.
        collapsed: of sound with slabs: whether a sweep draws the frame with the slabs integrated out. It costs what a
            hundred sweeps do that draw them too, but moves as far as any number where slabs add much variance.
        chains: "persistent": each training frame keeps its own chain from epoch to epoch; "data": CD-k.
        average: decay of the exponential moving average of the weights, which validation and the result use; 0: none.
        uniform_init: draw all parameters but the visible bias from U(±this), as the paper did; 0: the defaults.
        seed: of weights, order, dropout and chains.
        validation_every: epochs between validations; the last epoch is always validated.
        validation_frames: validation frames whose log Z is estimated, out of the first 1,024 of each piece; systems
            without a log Z take all of those.
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
    decay_biases: bool = True
    decay_from: float = 0.5
    clip: float = 1.0
    divergence_warm_up: int = 0
    sweeps: int = 10
    collapsed: bool = True
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
            divergence_warm_up=NOT_NEGATIVE,
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
    model: Any = field(default_factory=CGRNNConfig)
    fit: FitConfig = field(default_factory=FitConfig)

    def __post_init__(self) -> None:
        """Raise `ConfigError` unless the model sees frames as data sets hold them; sound has no transposition."""
        if self.kind == "binary" and self.model.visible != PITCHES:
            raise ConfigError(f"visible: found {self.model.visible}; expected {PITCHES}, the pitches of a frame")
        if self.kind == "continuous" and self.fit.transpose:
            raise ConfigError(f"transpose: found {self.fit.transpose}; expected 0, for sound is not transposed")

    @property
    def kind(self) -> Kind:
        """Of the frames that the system is of."""
        return self.model.kind

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` takes them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(
        cls, values: dict[str, Any], where: str, system: str | None = None, overrides: dict[str, Any] | None = None
    ) -> RunConfig:
        """Build from parsed TOML or JSON.

        A table named after a system, as [vrnn.model] or [vrnn.fit], replaces keys of [model] and [fit] for that system
        alone, so that one file can hold a comparison.

        Args:
            values: the parsed file.
            where: names the file in errors.
            system: overrides the file's.
            overrides: tables "model" and "fit" whose keys replace all others.

        Raises:
            ConfigError: an unknown table, key or system, or a value of the wrong type or out of range.
        """
        _check_table(values, where)
        unknown = set(values) - {"system", *TABLES, *SYSTEMS}
        if unknown:
            raise ConfigError(
                f"{where}: found '{min(unknown)}'; expected only system, [model], [fit], "
                f"or [NAME.model] and [NAME.fit] with the name of a system"
            )
        system = system or values.get("system", "cgrnn")
        if not isinstance(system, str) or system not in SYSTEMS:
            raise ConfigError(f"{where}: found the system {system!r}; expected one of {', '.join(SYSTEMS)}")
        layers = [values, _check_layer(values.get(system, {}), f"{where} [{system}]"), overrides or {}]
        tables: dict[str, dict[str, Any]] = {}
        for name in TABLES:
            tables[name] = {}
            for layer in layers:
                tables[name] |= _check_table(layer.get(name, {}), f"{where} [{name}]")
        architecture = SYSTEMS[system]
        replaced = {name: frozenset((overrides or {}).get(name, {})) for name in TABLES}
        in_model, in_fit = (_Table(where, name, replaced[name]) for name in TABLES)
        model = _build(architecture.config, architecture.fixed | tables["model"], in_model)
        for key, value in architecture.fixed.items():
            if getattr(model, key) != value:
                raise ConfigError(
                    f"{in_model.place(key)}: found {getattr(model, key)!r}; expected {value!r}, as '{system}' has"
                )
        fit = _build(FitConfig, tables["fit"], in_fit)
        try:
            return cls(system, model, fit)
        except ConfigError as error:
            table = in_fit if hasattr(fit, str(error).partition(":")[0]) else in_model
            raise table.placed(error) from None

    @classmethod
    def read(cls, path: Path, system: str | None = None, overrides: dict[str, Any] | None = None) -> RunConfig:
        """Read a TOML file; as `from_dict`, raises `ConfigError`."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"{path} does not exist; expected a configuration such as training/configs/table/jsb.toml"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConfigError(f"{path} is not readable as TOML: {error}") from None
        return cls.from_dict(values, str(path), system, overrides)


def parse_overrides(assignments: list[str]) -> dict[str, Any]:
    """Read KEY=VALUE pairs such as ``fit.epochs=30`` or ``model.mode=D`` into tables.

    A value is TOML's; a bare word is taken as a string. Raises `ConfigError` on anything else.
    """
    tables: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        table, dot, name = key.strip().partition(".")
        if not equals or not dot or table not in TABLES or not name:
            raise ConfigError(
                f"--set: found {assignment!r}; expected model.KEY=VALUE or fit.KEY=VALUE, as fit.epochs=30"
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        tables.setdefault(table, {})[name] = value
    return tables


class _Table(NamedTuple):
    """A table of a configuration, for errors: a key of it stands in the file or came by --set.

    Attributes:
        where: names the file.
        name: "model" or "fit".
        replaced: the keys whose values came by --set.
    """

    where: str
    name: str
    replaced: frozenset[str]

    def __str__(self) -> str:
        return f"{self.where} [{self.name}]"

    def place(self, key: str) -> str:
        """Where the value of ``key`` was given."""
        return f"--set {self.name}.{key}" if key in self.replaced else f"{self} {key}"

    def placed(self, error: ConfigError) -> ConfigError:
        """The error of a dataclass, which begins with the key, with where that key was given."""
        key, _, rest = str(error).partition(": ")
        return ConfigError(f"{self.place(key)}: {rest}")


def _build(kind: type[Any], values: dict[str, Any], table: _Table) -> Any:
    """Make dataclass ``kind`` of ``values``, which ``table`` has, checking names, types and ranges."""
    hints = get_type_hints(kind)
    unknown = set(values) - set(hints)
    if unknown:
        key = min(unknown)
        raise ConfigError(
            f"{'--set' if key in table.replaced else table}: found '{key}'; expected one of {', '.join(hints)}"
        )
    fields = {key: _checked(hints[key], value, table.place(key)) for key, value in values.items()}
    try:
        return kind(**fields)
    except ConfigError as error:
        raise table.placed(error) from None


def _check_table(values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: found {values!r}; expected a table of keys and values")
    return values


def _check_layer(values: Any, where: str) -> dict[str, Any]:
    """The [NAME] table of a system: it holds [NAME.model] and [NAME.fit] and nothing else."""
    unknown = set(_check_table(values, where)) - set(TABLES)
    if unknown:
        raise ConfigError(f"{where}: found '{min(unknown)}'; expected only model and fit")
    return values


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
        words = {bool: "true or false", int: "a whole number"}.get(hint, "a number")
        raise ConfigError(f"{where}: found {value!r}; expected {words}")
    return value
