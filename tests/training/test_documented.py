"""docs/training-options.md and `cgrnn-train --help` name the same commands, options and defaults, and each has help."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cgrnn_train.cli import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "training-options.md"

Command = tuple[str, dict[str, str]]
"""The arguments, and each option with its value's name, such as "--seed N": the default as the page shows it."""


def in_the_code() -> dict[str, Command]:
    """Each command's arguments and options."""
    return dict(_commands("cgrnn-train", typer.main.get_command(app)))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Command]]:
    assert command.help, f"{name} has no help"
    if children := getattr(command, "commands", {}):
        for child_name, child in children.items():
            yield from _commands(f"{name} {child_name}", child)
        return
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name} has no help"
    arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    defaults = {
        f"{p.opts[0]} {p.metavar or ''}".strip(): "" if p.is_flag or p.default in (None, "") else str(p.default)
        for p in options
    }
    yield name, (" ".join(arguments), defaults)


def in_the_document() -> dict[str, Command]:
    """The same, read from the page."""
    return dict(_sections(DOCUMENT.read_text(encoding="utf-8")))


def _sections(text: str) -> Iterator[tuple[str, Command]]:
    for section in text.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        words = heading.split()
        command = [word for word in words if word.islower()]
        rows = re.findall(r"^\| `(--[^`]+)` \| (?:`([^`]*)`)? ?\| \S", body, re.MULTILINE)
        options = {option.replace("\\|", "|"): default for option, default in rows}
        yield " ".join(command), (" ".join(words[len(command) :]), options)


def test_every_command_is_documented_and_every_documented_command_exists():
    assert in_the_document().keys() == in_the_code().keys()


@pytest.mark.parametrize("command", in_the_code())
def test_its_arguments_options_and_defaults_are_the_same(command: str):
    assert in_the_document()[command] == in_the_code()[command]
