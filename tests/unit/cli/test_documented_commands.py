"""Every command that a document shows exists, with the options that stand there."""

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from odometer_cli import app
from odometer_cli.commands import COMMANDS, loaded

PAGES = sorted([*Path().glob("*.md"), *Path("docs").rglob("*.md")])
SHOWN = re.compile(r"^\$ (?:.*[ /])?odometer (.*)$", re.MULTILINE)
ENDS = {"|", ">", "<", "&&", ";", "#", "2>"}


def shown() -> Iterator[tuple[str, ...]]:
    for page in PAGES:
        for line in SHOWN.findall(page.read_text()):
            words = shlex.split(line.split("  #")[0])
            yield tuple(takewhile(lambda word: word not in ENDS, words))


LINES = sorted(set(shown()))


def options_of(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def commands_of(words: Sequence[str]) -> list[Any]:
    """The root, the command, and the one below it, as far as the words name them."""
    chain: list[Any] = [get_command(app)]
    for word in words:
        if len(chain) == 1 and word in COMMANDS:
            chain.append(loaded(word))
        elif found := getattr(chain[-1], "commands", {}).get(word):
            chain.append(found)
    return chain


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_command_that_is_shown_has_the_options_that_it_is_shown_with(
    words: tuple[str, ...],
) -> None:
    chain = commands_of(words)
    options = set.union(*map(options_of, chain))
    unknown = [word for word in words if word.startswith("--") and word not in options]
    assert unknown == []
    assert len(chain) > 1 or set(words) & options


def test_every_command_is_shown() -> None:
    text = Path("docs/command-line.md").read_text()
    named = {command.name for words in LINES for command in commands_of(words)}
    assert [name for name in COMMANDS if name not in named and f"`{name}`" not in text] == []


def test_every_variable_is_in_the_table_of_precedence() -> None:
    text = Path("docs/command-line.md").read_text()
    variables = [it.envvar for it in get_command(app).params if it.envvar]
    named = [name for it in variables for name in ([it] if isinstance(it, str) else it)]
    assert len(named) == 7
    assert [name for name in named if f"`{name}`" not in text] == []
