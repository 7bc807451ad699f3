"""What the documents say beside the models, and no Lambda needs: meanings, examples, differences.

Errors are told in `docs/errors.md` and what differs from the originals in `docs/migrate.md`; where
that is to be read, and everything else, stands in `words.toml`.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from odometer.access.policy import Access, Rule
from odometer.domain.people import Role
from tools.contents import Schema

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
BY_FORMAT = {
    "date": "2026-02-28",
    "date-time": "2026-02-28T17:42:00Z",
    "uuid": "d1a2b3c4-e5f6-7890-abcd-ef1234567890",
}
REACHES = {
    Access.ORGANIZATION: "the whole organization",
    Access.TEAM: "their team",
    Access.SELF: "themselves",
}


def rows_of(document: str, heading: str) -> Iterator[list[str]]:
    """The cells of the first table below a heading of a document, without its links."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    section = re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return (
        [cell.strip() for cell in LINK.sub(r"\1", line).strip("|").split(" | ")] for line in lines
    )


class Words:
    """The words of `words.toml`, and which of them are used."""

    def __init__(self) -> None:
        self._content = tomllib.loads((ROOT / "tools" / "words.toml").read_text(encoding="utf-8"))
        self.used: set[tuple[str, str]] = set()
        self.errors = {
            code.strip("`"): f"{when} *Try again?* {again}"
            for _, code, when, again in rows_of("errors.md", "What to do")
        }

    @property
    def entries(self) -> set[tuple[str, str]]:
        """Every entry, as its table and its name."""
        return {(table, name) for table, entries in self._content.items() for name in entries}

    def find(self, table: str, *names: str) -> Any:
        """The entry of the first of some names that has one, if there is one."""
        entries = self._content[table]
        for name in (each for each in names if each in entries):
            self.used.add((table, name))
            return entries[name]
        return None

    def explained(self, schema: Schema, table: str, *names: str) -> Schema:
        """A field or a parameter with its meaning and an example.

        What the model says stands behind a word of exactly this field, and instead of any other.
        """
        found = self.find(table, *names) or {}
        own = schema.get("description")
        is_exact = any(name in self._content[table] for name in names[:-1])
        general = found.get("means") if is_exact or own is None else None
        said = [each for each in (general, own) if each]
        meaning = {"description": " ".join(said)} if said else {}
        example = self.example(schema, table, *names)
        examples = {} if example is None or "examples" in schema else {"examples": [example]}
        return {**schema, **meaning, **examples}

    def example(self, schema: Schema, table: str, *names: str) -> Any:
        """The example that a word has, or else the schema."""
        said = (self.find(table, *names) or {}).get("example")
        return example_of(schema) if said is None else said

    def differences(self, family: str, heading: str) -> Iterator[tuple[str, str, list[str]]]:
        """What differs from the original: the topic, what is so here, and where to say it."""
        if family in self._content["differs"]:
            for topic, here, _ in rows_of("migrate.md", heading):
                places = self._content["differs"][family].get(topic.replace("`", ""))
                yield topic, here, places


def example_of(schema: Schema) -> Any:
    """The example that a schema itself implies."""
    branches = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if branches:
        return example_of(branches[0])
    if "items" in schema:
        one = example_of(schema["items"])
        return None if one is None else [one]
    implied = {
        "examples": next(iter(schema.get("examples", ())), None),
        "const": schema.get("const"),
        "default": schema.get("default") or None,
        "enum": next(iter(schema.get("enum", ())), None),
        "format": BY_FORMAT.get(schema.get("format", "")),
        "boolean": True if schema.get("type") == "boolean" else None,
    }
    return next((value for value in implied.values() if value is not None), None)


def who_may(rule: Rule) -> str:
    """Which scope a key needs for a route, and how far each role reaches."""
    by_access = {
        access: [role for role, each in rule.access.items() if each is access] for access in REACHES
    }
    reaches = [f"{', '.join(found)} for {REACHES[it]}" for it, found in by_access.items() if found]
    is_for_all = len(by_access[Access.ORGANIZATION]) == len(Role)
    whom = "every role" if is_for_all else "; ".join(reaches)
    tokens = " Embed tokens open it, too." if rule.embeds else ""
    return f"Needs the scope `{rule.scope}`. Open to {whom}.{tokens}"
