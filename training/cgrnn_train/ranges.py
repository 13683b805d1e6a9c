"""The values that a configuration may hold, each set of them with its name in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class ConfigError(ValueError):
    """A configuration that cannot be used: the key found, what was expected."""


class Range(NamedTuple):
    """A test of a number, and what it asks for."""

    holds: Callable[[float], bool]
    words: str


COUNT = Range(lambda value: value >= 1, "at least 1")
NOT_NEGATIVE = Range(lambda value: 0 <= value < math.inf, "0 or more")
POSITIVE = Range(lambda value: 0 < value < math.inf, "a number above 0")
FINITE = Range(math.isfinite, "a finite number")
SHARE = Range(lambda value: 0 <= value <= 1, "0 to 1")
BELOW_ONE = Range(lambda value: 0 <= value < 1, "0 or more and below 1")
SEMITONES = Range(lambda value: 0 <= value <= 127, "0 to 127")


def check_ranges(config: Any, **ranges: Range) -> None:
    """Raise `ConfigError` unless each named field of ``config`` lies in its range; NaN lies in none."""
    for name, (holds, words) in ranges.items():
        value = getattr(config, name)
        if not holds(value):
            raise ConfigError(f"{name}: found {value!r}; expected {words}")


def check_slabs(config: Any) -> None:
    """Raise `ConfigError` unless ``slab_mean``, ``slab_precision`` and ``min_precision`` can be those of a C-ssRBM."""
    check_ranges(config, slab_mean=FINITE, slab_precision=POSITIVE, min_precision=NOT_NEGATIVE)
    if config.slab_precision <= config.min_precision:
        raise ConfigError(
            f"slab_precision: found {config.slab_precision}; expected more than min_precision, {config.min_precision}"
        )
