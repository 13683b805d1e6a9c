"""Finding one of several things by the name that a person remembers: MIDI ports, sound devices.

Names are compared by their words (runs of letters and digits, case-folded): "daw:track 2" has "daw", "track", "2".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cgrnn_live.errors import UsageError


def words(name: str) -> list[str]:
    """Return the words of a name."""
    return re.findall(r"[^\W_]+", name.casefold())


@dataclass(frozen=True)
class Kind:
    """What is looked for, and how to speak of it.

    title: such as "MIDI output".
    see: how to see the names that there are, as the end of a sentence.
    none: what to say after "There is no TITLE NAME" where there are none at all.
    error: what is raised.
    plain: the words of a name without what the system appended.
    """

    title: str
    see: str
    none: str
    error: type[UsageError]
    plain: Callable[[str], list[str]] = words


def choose(wanted: str, names: Sequence[str], kind: Kind) -> str:
    """Return the one of ``names`` that ``wanted`` means.

    The closest of these readings that any name fits decides: the whole name, its words, its words without what the
    system appended, the wanted words in their order with others between them.

    Raises:
        UsageError: no name fits, or several do; the text lists them.
    """
    if not words(wanted):
        raise kind.error(f"The {kind.title} name {wanted!r} has no letters or digits; {kind.see}.")
    readings = (
        lambda name: name == wanted,
        lambda name: words(name) == words(wanted),
        lambda name: kind.plain(name) in (words(wanted), kind.plain(wanted)),
        lambda name: _in_order(words(wanted), words(name)),
    )
    for fits in readings:
        found = [name for name in names if fits(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise kind.error(f"The {kind.title} {wanted!r} could be any of {_listed(found)}; give more of the name.")
    raise kind.error(f"There is no {kind.title} {wanted!r}{_instead(wanted, names, kind)}.")


def _in_order(wanted: Sequence[str], name: Sequence[str]) -> bool:
    rest = iter(name)
    return all(word in rest for word in wanted)


def _instead(wanted: str, names: Sequence[str], kind: Kind) -> str:
    if not names:
        return f", {kind.none}"
    similar = difflib.get_close_matches(wanted.casefold(), [name.casefold() for name in names], n=5, cutoff=0.5)
    near = [name for name in names if name.casefold() in similar or set(words(wanted)) & set(words(name))]
    if not near:
        return f"; there are {_listed(names)}"
    others = [name for name in names if name not in near]
    rest = f"; also there: {_listed(others)}" if others else ""
    return f"; near it: {_listed(near)}{rest}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
