"""Strict JSON: UTF-8 only, no key twice; and its fields, each taken once, by name, type and range."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import TypeVar, cast

from cgrnn_bundle.errors import BundleError, fault, shown
from cgrnn_bundle.layout import MAX_TEXT

Choice = TypeVar("Choice", bound=str)


def read_object(data: bytes, where: str) -> Fields:
    """Return the fields of the JSON object in `data`; BundleError if it is anything else.

    Python's own parser takes keys that come twice, and the last one wins; a contract may not. It also takes NaN, which
    no field of `Fields` is.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in pairs:
            if key in values:
                raise fault(f"{where}: key {shown(key)}", "there twice", "once")
            values[key] = value
        return values

    try:
        value: object = json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except BundleError:
        raise
    except UnicodeDecodeError as error:
        raise fault(where, f"not UTF-8 at byte {error.start}", "UTF-8 text") from None
    except RecursionError:
        raise fault(where, "nested too deep", "a flat JSON object") from None
    except ValueError as error:
        raise fault(where, f"not JSON ({shown(str(error))})", "a JSON object") from None
    return Fields(value, where)


def write_object(values: object) -> bytes:
    """Return the one JSON text of the values: sorted keys, two spaces, UTF-8, a newline at the end."""
    text = json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False)
    return f"{text}\n".encode()


class Fields:
    """The fields of one JSON object. Each is taken once; `close` refuses what nobody took."""

    def __init__(self, value: object, where: str) -> None:
        """Hold the object; `where` names it in errors, such as "manifest.json: sizes"."""
        if not isinstance(value, dict):
            raise fault(where, shown(value), "a JSON object")
        self.where = where
        self._values = dict(cast("dict[str, object]", value))

    def __contains__(self, key: str) -> bool:
        """Return whether the field is there and not taken yet."""
        return key in self._values

    def at(self, key: str) -> str:
        """Return the field's full name, as errors give it."""
        # ": " parts the file from the first field, "." a field from those below it.
        return f"{self.where}{'.' if ': ' in self.where else ': '}{key}"

    def take(self, key: str) -> object:
        """Return the field's value, whatever its type."""
        if key not in self._values:
            raise fault(self.at(key), "missing", "a value")
        return self._values.pop(key)

    def fields(self, key: str) -> Fields:
        """Return an object."""
        return Fields(self.take(key), self.at(key))

    def objects(self, key: str) -> list[Fields]:
        """Return an array of objects."""
        value = self.take(key)
        if not isinstance(value, list):
            raise fault(self.at(key), shown(value), "an array of objects")
        return [Fields(item, f"{self.at(key)}[{index}]") for index, item in enumerate(cast("list[object]", value))]

    def text(self, key: str, pattern: str = ".+", example: str = "printable text") -> str:
        """Return a text of 1 to `MAX_TEXT` printable characters (so no terminal escapes) that matches the pattern."""
        value = self.take(key)
        if not isinstance(value, str) or not value.isprintable() or not re.fullmatch(pattern, value):
            raise fault(self.at(key), shown(value), example)
        if len(value) > MAX_TEXT:
            raise fault(self.at(key), f"{len(value)} characters long", f"at most {MAX_TEXT}")
        return value

    def choice(self, key: str, choices: Iterable[Choice]) -> Choice:
        """Return one of the texts."""
        value = self.take(key)
        for choice in choices:
            if value == choice:
                return choice
        raise fault(self.at(key), shown(value), f"one of {', '.join(choices)}")

    def integer(self, key: str, low: int, high: int) -> int:
        """Return an integer of low..high; true and 1.0 are none."""
        value = self.take(key)
        if type(value) is not int or not low <= value <= high:
            raise fault(self.at(key), shown(value), f"an integer from {low} to {high}")
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """Return an array of integers, none negative."""
        value = self.take(key)
        items = cast("list[object]", value) if isinstance(value, list) else []
        numbers = tuple(item for item in items if type(item) is int and item >= 0)
        if not isinstance(value, list) or len(numbers) < len(items):
            raise fault(self.at(key), shown(cast("object", value)), "an array of integers of 0 or more")
        return numbers

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number of low..high as a float."""
        value = self.take(key)
        allowed = f"a finite number from {low} to {high}" if math.isfinite(low) else "a finite number"
        if type(value) not in (int, float):
            raise fault(self.at(key), shown(value), allowed)
        try:
            number = float(cast("float", value))
        except OverflowError:
            number = math.inf
        if not (math.isfinite(number) and low <= number <= high):
            raise fault(self.at(key), shown(value), allowed)
        return number

    def close(self) -> None:
        """Refuse fields that nobody took: a key that is not understood may change what the others mean."""
        for key in self._values:
            raise fault(self.at(shown(key)), "unknown", "only the fields of FORMAT.md", "remove it")
