"""Finding a MIDI port by the name that a person remembers.

Systems decorate port names: CoreMIDI says "IAC Driver Bus 1" for what Audio MIDI Setup calls "IAC Bus 1", WinMM
appends an index ("loopMIDI Port 0"), ALSA the client's and port's numbers ("Synth input port 128:0"), which change
from session to session. So names are compared by their words (`naming`), and the system's trailing index is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cgrnn_live.errors import UsageError
from cgrnn_live.naming import Kind, choose, words

TRAILING_INDEX = {"alsa": re.compile(r"\s\d+:\d+$"), "winmm": re.compile(r"\s\d+$")}
"""What an API appends to the name that its port was given."""


class PortError(UsageError):
    """A MIDI system or port that is missing, ambiguous or in use."""


def is_same(one: str, other: str, api: str) -> bool:
    """Return whether two names mean one port of ``api``, its trailing index aside."""
    return _plain(one, api) == _plain(other, api)


def is_there(name: str, names: Sequence[str], api: str) -> bool:
    """Return whether the open port ``name`` is among those that ``api`` lists now.

    WinMM counts its ports anew whenever one comes or goes, so there the index says nothing.
    """
    return name in names or (api == "winmm" and any(is_same(name, other, api) for other in names))


def find_again(name: str, names: Sequence[str], before: Sequence[str], api: str) -> str | None:
    """Return what a port that had ``name`` is called now, or None if it is not back.

    Args:
        name: its name when it was there.
        names: the ports that ``api`` lists now.
        before: those that it listed then; another of them with the same words is its twin.
        api: "alsa", "jack", "coremidi" or "winmm".
    """
    if name in names:
        return name
    return next((other for other in names if is_same(name, other, api) and other not in before), None)


def match(wanted: str, names: Sequence[str], api: str, kind: str) -> str:
    """Return the one of ``names`` that ``wanted`` means, as `naming.choose` does.

    Args:
        wanted: what the person wrote.
        names: the ports that ``api`` lists.
        api: "alsa", "jack", "coremidi" or "winmm".
        kind: "input" or "output", for the message.

    Raises:
        PortError: no name fits, or several do; the text lists them.
    """
    port = Kind(
        title=f"MIDI {kind}",
        see="run `cgrnn-live ports` to see names",
        none=f"nor any other {kind} port; run `cgrnn-live doctor` for the fix",
        error=PortError,
        plain=lambda name: _plain(name, api),
    )
    return choose(wanted, names, port)


def _plain(name: str, api: str) -> list[str]:
    index = TRAILING_INDEX.get(api)
    return words(index.sub("", name) if index else name)
