"""docs/options.md and `--help` name the same commands, options and defaults, and each has help."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cgrnn_live.cli import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "options.md"

Options = dict[str, str]
"""The option with its value's name, such as "--port NAME": the default as the page shows it."""


def spelled(option: Any) -> str:
    """Return an option as the page spells it."""
    return f"{option.opts[0]} {option.metavar or ''}".strip()


def in_the_code() -> dict[str, tuple[str, Options]]:
    """Return each command's arguments and options."""
    root: Any = typer.main.get_command(app)
    commands = {"cgrnn-live": root} | {f"cgrnn-live {name}": command for name, command in root.commands.items()}
    found: dict[str, tuple[str, Options]] = {}
    for name, command in commands.items():
        assert command.help, f"{name} has no help"
        arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name} has no help"
        defaults = {spelled(p): "" if p.is_flag or p.default is None else str(p.default) for p in options}
        found[name] = (" ".join(arguments), defaults)
    return found


def in_the_document() -> dict[str, tuple[str, Options]]:
    """Return the same, read from the page."""
    return dict(_sections(DOCUMENT.read_text(encoding="utf-8")))


def _sections(text: str) -> Iterator[tuple[str, tuple[str, Options]]]:
    for section in text.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        words = heading.split()
        command = [word for word in words if word.islower()]
        rows = re.findall(r"^\| `(--[^`]+)` \| (?:`([^`]*)`)? ?\| \S", body, re.MULTILINE)
        yield " ".join(command), (" ".join(words[len(command) :]), {o.replace("\\|", "|"): d for o, d in rows})


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert in_the_document().keys() == in_the_code().keys()


@pytest.mark.parametrize("command", in_the_code())
def test_its_arguments_options_and_defaults_are_the_same(command: str) -> None:
    assert in_the_document()[command] == in_the_code()[command]
