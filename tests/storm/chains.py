"""A chain of pages that goes on while everything changes: what must hold of all of its pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.storm.people import People
from tests.storm.plan import HEADLINES, Place
from tests.storm.records import Records


@dataclass
class Chain:
    """The users of one product, page after page."""

    place: Place
    product: str
    query: dict[str, Any]
    total: int | None = None
    erased: int = 0
    """How many had been erased, at most, when the first page was asked for."""
    added: int = 0
    users: set[str] = field(default_factory=set)

    def take(
        self, content: Mapping[str, Any], people: People, erased: int, records: Records
    ) -> bool:
        """Check a page; whether there is another one."""
        if "groups" not in content:
            self.refused(content, records)
            return False
        total = content["totals"][HEADLINES[self.product]]["value"]
        self.check_total(total, records)
        self.check_rows(content, people, records)
        records.count("pages")
        self.query["cursor"] = content["next_cursor"]
        if content["next_cursor"]:
            return True
        records.count("chains", "finished")
        adds_up = self.added <= total if erased else self.added == total
        self.check(records, "the pages of a chain add up to its total", adds_up, total, self.added)
        return False

    def refused(self, content: Mapping[str, Any], records: Records) -> None:
        message = content["error"]["message"]
        records.count("chains", message)
        expired = "Cursor expired" in message
        self.check(records, "a chain ends with its pages or has expired", expired, "", message)

    def check_total(self, total: int, records: Records) -> None:
        self.total = total if self.total is None else self.total
        same = total == self.total
        self.check(records, "the total of a chain stays the same", same, self.total, total)

    def check_rows(self, content: Mapping[str, Any], people: People, records: Records) -> None:
        through = datetime.fromisoformat(content["data_through"]).timestamp()
        for row in content["groups"]:
            name, value = row["user"]["username"], row["totals"][HEADLINES[self.product]]["value"]
            new = name not in self.users
            self.check(records, "nobody is on two pages of a chain", new, "", name)
            self.users.add(name)
            self.added += value
            if name in people.last_sent:
                tally = people.tally(name, self.product)
                between = tally.by(through) <= value <= tally.sent
                expected = [name, tally.by(through), tally.sent]
                self.check(records, "a row of a page is right", between, expected, value)

    def check(
        self, records: Records, name: str, holds: object, expected: object, found: object
    ) -> None:
        records.check(
            name,
            holds,
            organization=self.place.id,
            product=self.product,
            expected=expected,
            found=found,
        )
