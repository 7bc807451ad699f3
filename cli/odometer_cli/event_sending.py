"""Events on their way: as many at a time as a request carries, and what became of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from odometer.api.v1.events import BATCH, LARGEST_BODY, MOST_EVENTS
from odometer_cli.batches import batches
from odometer_cli.client import Client, content_of
from odometer_cli.event_files import Line
from odometer_cli.output import err, printable, show_json, show_values

EVENTS = "/v1/events"
MOST_SHOWN = 20
MOST_KEPT = 10_000
ROOM = LARGEST_BODY - len("[]")
REPEATS = "Events sent before, if any, are among the accepted; each counts once in every report."


@dataclass(frozen=True, slots=True)
class Part:
    """The events of one request."""

    number: int
    lines: list[Line]

    @property
    def body(self) -> bytes:
        return b"[" + b",".join(line.content for line in self.lines) + b"]"


@dataclass(slots=True)
class Tally:
    """How many events were accepted, were rejected or had been sent before."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    skipped: int = 0
    errors: list[str] = field(default_factory=list)
    """The first of them."""

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in Tally.__slots__ if name != "errors"}

    def reject(self, reason: str) -> None:
        self.rejected += 1
        self._keep(reason)

    def _keep(self, reason: str) -> None:
        if len(self.errors) < MOST_KEPT:
            self.errors.append(reason)

    def add(self, part: Part, receipt: Mapping[str, Any]) -> None:
        self.accepted += receipt["accepted"]
        self.duplicate += receipt["duplicate"]
        self.rejected += receipt["rejected"]
        for error in receipt["errors"]:
            line = part.lines[error["index"]].place
            self._keep(f"line {line}: {error['code']}: {error['message']}")


def parts(lines: Iterable[Line]) -> Iterator[Part]:
    """Lines in order, as many at a time as one request may carry."""
    cut = batches(lines, lambda line: len(line.content) + 1, MOST_EVENTS, ROOM)
    return (Part(number, part) for number, part in enumerate(cut))


def post(client: Client, part: Part) -> dict[str, Any]:
    """Send a part, again until it is answered, with the same ids; the receipt."""
    receipt: dict[str, Any] = content_of(client.deliver(EVENTS, part.body, BATCH))
    return receipt


def show(tally: Tally, counts: Mapping[str, int], *, as_json: bool) -> None:
    if as_json:
        show_json({**counts, "errors": tally.errors})
    else:
        show_values(counts)
        show_errors(tally)
    if not any(counts.values()):
        err.print("There are no events in it.")
    if tally.accepted:
        err.print(REPEATS)
    if tally.rejected:
        err.print(rejected_share(tally), style="red")


def show_errors(tally: Tally) -> None:
    for error in tally.errors[:MOST_SHOWN]:
        err.print(printable(error), style="red")
    if tally.rejected > MOST_SHOWN:
        most = "all" if tally.rejected <= MOST_KEPT else f"the first {MOST_KEPT:,}"
        err.print(f"… and {tally.rejected - MOST_SHOWN} more: --json lists {most}.")


def rejected_share(tally: Tally) -> str:
    events = tally.accepted + tally.duplicate + tally.rejected
    share = "Every event was" if events == tally.rejected else f"{tally.rejected} of {events} were"
    return f"{share} rejected. Correct those lines and run this again: nothing counts twice."
