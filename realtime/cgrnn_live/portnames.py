"""Finding a MIDI port by the name that a person remembers.

Systems decorate port names: CoreMIDI says "IAC Driver Bus 1" for what Audio MIDI Setup calls "IAC Bus 1", WinMM
appends an index ("loopMIDI Port 0"), ALSA the client's and port's numbers ("Synth input port 128:0"), which change
from session to session. So names are compared by their words (runs of letters and digits, case-folded), and the
system's trailing index is left out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from cgrnn_live.errors import UsageError

TRAILING_INDEX = {"alsa": re.compile(r"\s\d+:\d+$"), "winmm": re.compile(r"\s\d+$")}
"""What an API appends to the name that its port was given."""


class PortError(UsageError):
    """A MIDI system or port that is missing, ambiguous or in use."""


def words(name: str) -> list[str]:
    """Return the words of a port name: "daw:track 2" has "daw", "track", "2"."""
    return re.findall(r"[^\W_]+", name.casefold())


def is_same(one: str, other: str, api: str) -> bool:
    """Return whether two names mean one port of ``api``, its trailing index aside."""
    return _plain(one, api) == _plain(other, api)


def match(wanted: str, names: Sequence[str], api: str, kind: str) -> str:
    """Return the one of ``names`` that ``wanted`` means.

    The closest of these readings that any name fits decides: the whole name, its words, its words without the
    trailing index, the wanted words in their order with others between them.

    Args:
        wanted: what the person wrote.
        names: the ports that ``api`` lists.
        api: "alsa", "jack", "coremidi" or "winmm".
        kind: "input" or "output", for the message.

    Raises:
        PortError: no name fits, or several do; the text lists them.
    """
    if not words(wanted):
        raise PortError(
            f"The MIDI {kind} name {wanted!r} has no letters or digits; run `cgrnn-live ports` to see names."
        )
    readings = (
        lambda name: name == wanted,
        lambda name: words(name) == words(wanted),
        lambda name: _plain(name, api) in (words(wanted), _plain(wanted, api)),
        lambda name: _in_order(words(wanted), words(name)),
    )
    for fits in readings:
        found = [name for name in names if fits(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise PortError(f"The MIDI {kind} {wanted!r} could be any of {_listed(found)}; give more of the name.")
    raise PortError(_unknown(wanted, names, kind))


def _plain(name: str, api: str) -> list[str]:
    index = TRAILING_INDEX.get(api)
    return words(index.sub("", name) if index else name)


def _in_order(wanted: Sequence[str], name: Sequence[str]) -> bool:
    rest = iter(name)
    return all(word in rest for word in wanted)


def _unknown(wanted: str, names: Sequence[str], kind: str) -> str:
    if not names:
        return f"There is no MIDI {kind} {wanted!r}, nor any other {kind} port; run `cgrnn-live doctor` for the fix."
    similar = difflib.get_close_matches(wanted.casefold(), [name.casefold() for name in names], n=5, cutoff=0.5)
    near = [name for name in names if name.casefold() in similar or set(words(wanted)) & set(words(name))]
    if near:
        others = [name for name in names if name not in near]
        rest = f"; also there: {_listed(others)}" if others else ""
        return f"There is no MIDI {kind} {wanted!r}; near it: {_listed(near)}{rest}."
    return f"There is no MIDI {kind} {wanted!r}; there are {_listed(names)}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
