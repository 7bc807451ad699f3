"""Who is asking and what they may name, as `GET /v1/me` says it; names become ids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from odometer_cli.client import Client, checked, content_of
from odometer_cli.failure import Misused, Refused

UNSAID = (403, 404)
"""The key is not for reading, or the release does not have the route."""
MOST_SHOWN = 20


@dataclass(frozen=True)
class Me:
    """What is known before a question is asked; not everybody is told."""

    content: Mapping[str, Any]

    @classmethod
    def of(cls, client: Client) -> Self:
        response = client.send("GET", "/v1/me")
        if response.status_code in UNSAID:
            return cls({})
        return cls(content_of(checked(response)))

    @property
    def subject(self) -> Mapping[str, str]:
        """The team or the user whom alone the caller may ask about."""
        subject = self.content.get("caller", {}).get("subject", {})
        return {name: subject[name] for name in ("team", "user") if name in subject}

    @property
    def products(self) -> Sequence[Mapping[str, str]]:
        products: Sequence[Mapping[str, str]] = self.content.get("products", ())
        return products

    def product(self, text: str) -> str:
        return self._id("product", text)

    def team(self, text: str) -> str:
        return self._id("team", text)

    def department(self, text: str) -> str:
        return self._id("department", text)

    def kind(self, text: str) -> str:
        rows = [{"id": it["name"], "name": it["label"]} for it in self.content.get("kinds", ())]
        return id_called("kind", text, rows, more=not rows)

    def whom(
        self, team: str | None, department: str | None, user: str | None
    ) -> dict[str, str | None]:
        """Whom a question is about; who may ask about nobody else asks about themselves."""
        asked = {
            "team": self.team(team) if team else None,
            "department": self.department(department) if department else None,
            "user": user,
        }
        return asked if any(asked.values()) else {**asked, **self.subject}

    def units(self, kinds: Iterable[str]) -> Mapping[str, str]:
        """In which unit each measure of some kinds is, where all of them agree."""
        wanted, found = set(kinds), dict[str, set[str]]()
        for kind in self.content.get("kinds", ()):
            for measure in kind["measures"] if kind["name"] in wanted else ():
                found.setdefault(measure["name"], set()).add(measure["unit"])
        return {name: min(units) for name, units in found.items() if len(units) == 1}

    def kinds_of(self, products: Iterable[str]) -> set[str]:
        wanted = set(products)
        return {row["kind"] for row in self.products if row["id"] in wanted}

    def _id(self, noun: str, text: str) -> str:
        rows = self.content.get(f"{noun}s", ())
        return id_called(noun, text, rows, more=self.content.get(f"more_{noun}s", not self.content))


def id_called(noun: str, text: str, rows: Sequence[Mapping[str, str]], *, more: bool) -> str:
    """The id of what has this id, or alone has this name; `more`: not all are listed."""
    if any(row["id"] == text for row in rows):
        return text
    found = [row["id"] for row in rows if row["name"].casefold() == text.casefold()]
    if len(found) > 1:
        raise Refused(f"{len(found)} {noun}s are called {text}.", f"Give an id: {some(found)}")
    if not found and not more:
        raise Misused(f"No {noun} is called {text}.", hint(noun, text, rows))
    return found[0] if found else text


def hint(noun: str, text: str, rows: Sequence[Mapping[str, str]]) -> str:
    names = [row["name"] for row in rows]
    if not names:
        return f"There is no {noun} that you may ask about."
    if close := get_close_matches(text, names):
        return f"Is it {' or '.join(close)}?"
    return f"Give one of: {some(names)}"


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_SHOWN]) + (", …" if len(names) > MOST_SHOWN else "")
