"""What has values of breakdowns, from events to their sums and what explains them."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from odometer.domain import values
from odometer.domain.events import Event
from odometer.domain.time import epoch_second
from odometer.services.usage import Usage
from odometer.services.values import ColumnsByValue, columns_by_value
from tests.support.apps import MARCH, Client, get_json
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, stack_on_moto
from tests.support.usage_sender import used

SPAN = "from=2026-02-01T00:00:00Z&to=2026-03-10T00:00:00Z"
KIND = {
    "name": "document",
    "measures": [{"name": "pages"}, {"name": "bytes"}],
    "breakdowns": ["format", "plan"],
}
SENT = [
    ("ann", "exports", 1, 10, ("pdf", "")),
    ("bob", "exports", 1, 3, ("svg", "gold")),
    ("ann", "prints", 2, 20, ("pdf", "")),
    ("ann", "exports", 2, 5, ()),
    ("cid", "exports", 9, 7, ("pdf", "")),
    ("ann", "exports", 9, 2, ("png", "")),
    ("ann", "exports", 9, 1, ("gif", "")),
]
"""Who, of what, how many days ago, pages, and values: there is room for two."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with patch.object(values, "MOST_VALUES", 2), stack_on_moto() as stack:
        neighbour, client = client_of(stack, OTHER), client_of(stack)
        neighbour.used(*events("svg"))
        for event in events():
            client.used(event)
            client.settle() if event.second % 2 else None
        yield client


def client_of(stack: Stack, organization: str = ACME) -> Client:
    client = Client(stack, organization)
    client.put("kind", **KIND)
    for product in ("exports", "prints"):
        client.put("product", id=product, name=product, kind="document")
    return client


def events(*texts: str) -> list[Event[str]]:
    return [
        used(who, product, MARCH - timedelta(days, at), pages, 100 * pages)._replace(
            values=(*texts, "") if texts else sent
        )
        for at, (who, product, days, pages, sent) in enumerate(SENT)
    ]


def usage_of(client: Client) -> Usage:
    engine = client.usage_sender.engine
    directory = engine.directories.open(client.organization)
    until = time.monotonic() + 60
    return Usage(engine.usage, engine.log, directory, engine.directories, client.now, until)


def explained(client: Client, query: str) -> Any:
    return get_json(client, "/v1/explain", f"{SPAN}&{query}")


def test_the_sums_of_values_are_added_by_their_texts(client: Client) -> None:
    usage = usage_of(client)
    products = [usage.measured(name) for name in ("exports", "prints")]
    begin, middle, end = (at(days) for days in (20, 5, 0))
    found = columns_by_value(usage, products, 0, [begin, middle, end])
    assert pages_of(found) == {"pdf": [7, 30], "svg": [0, 3], "other": [3, 0]}
    assert found.together == {"pages": [10, 33], "bytes": [1_000, 3_300]}
    found = columns_by_value(usage, products, 0, [begin, end], only=["svg", "pdf"])
    assert pages_of(found) == {"pdf": [37], "svg": [3]}
    assert found.together == {"pages": [43], "bytes": [4_300]}
    hours = [end - 1_000, end - 500, end]
    assert columns_by_value(usage, products, 0, hours).of_values == {}
    plans = columns_by_value(usage, products[:1], 1, [begin, end])
    assert pages_of(plans) == {"gold": [3]}


def test_a_value_that_came_after_the_directory_was_opened_has_its_text(client: Client) -> None:
    usage = usage_of(client)
    products, edges = [usage.measured("exports")], [at(20), at(0)]
    with patch.object(usage.directory, "values", return_value=values.Values(["pdf"])):
        assert "svg" in columns_by_value(usage, products, 0, edges).of_values


def at(days: int) -> int:
    midnight = datetime.combine(MARCH.date(), datetime.min.time(), MARCH.tzinfo)
    return epoch_second(midnight - timedelta(days) + timedelta(1))


def pages_of(found: ColumnsByValue) -> dict[str, Sequence[int]]:
    return {text: sums["pages"] for text, sums in found.of_values.items()}


def test_usage_is_shown_by_value(client: Client) -> None:
    query = "kind=document&measure=pages&group_by=format&granularity=month&timezone=UTC&order=desc"
    answer = get_json(client, "/v1/usage", f"from=2026-02-01&to=2026-04-01&{query}")
    shown = {
        group["format"]: (group["totals"]["pages"]["value"], *pages_in(group), "other" in group)
        for group in answer["groups"]
    }
    assert shown == {
        "pdf": (37, 27, 10, False),
        "svg": (3, 0, 3, False),
        "other": (3, 3, 0, True),
        None: (5, 5, 0, False),
    }
    assert (answer["totals"]["pages"]["value"], *pages_in(answer)) == (48, 35, 13)
    assert answer["explain"].endswith("breakdown=format{&measure,from,to,value}")
    asked = answer["explain"].split("?")[1].split("{")[0]
    for value, (pages, *_) in shown.items():
        query_of_value = asked if value is None else f"{asked}&value={value}"
        assert explained(client, f"{query_of_value}&measure=pages")["value"] == pages
    text = client.get("/v1/usage", f"from=2026-02-01&to=2026-04-01&{query}", accept="text/csv").text
    assert text.splitlines()[0].startswith("format,")


def pages_in(group: Any) -> list[int]:
    return [block["pages"] for block in group["series"]]


@pytest.mark.parametrize(
    ("query", "pages"),
    {
        "product=exports&breakdown=format&value=pdf": 17,
        "product=exports,prints&breakdown=format&value=pdf": 37,
        "product=exports&breakdown=format&value=svg": 3,
        "product=exports&breakdown=format&value=other": 3,
        "product=exports&breakdown=format": 5,
        "breakdown=format": 5,
        "product=exports&breakdown=plan&value=gold": 3,
        "product=exports&breakdown=plan": 25,
        "product=prints&breakdown=format&value=svg": 0,
    }.items(),
)
def test_what_has_a_value_is_explained(client: Client, query: str, pages: int) -> None:
    found = explained(client, f"measure=pages&{query}")
    assert found["value"] == pages
    assert sum(term["sign"] * term["value"] for term in found["terms"]) == pages
    assert {event["user"] for event in found["events"]} <= {None}


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("measure=pages&breakdown=colour", 400, "breakdown: expected one of format, plan"),
        ("product=chat&measure=lines&breakdown=format", 400, "breakdown: the products have none"),
        ("measure=pages&value=pdf", 400, "value: expected a breakdown that it is a value of"),
        ("measure=pages&breakdown=format&value=gif", 404, "value: not found"),
        (
            "measure=pages&breakdown=format&state=registered",
            400,
            "state: not together with breakdown",
        ),
        ("measure=users&breakdown=format", 400, "measure: expected one of pages, bytes"),
        ("measure=tests&breakdown=format", 400, "measure: expected one of pages, bytes"),
        ("measure=pages&breakdown=format&value=", 400, "value: "),
    ],
)
def test_what_cannot_be_explained_is_said(
    client: Client, query: str, status: int, message: str
) -> None:
    reply = client.get("/v1/explain", f"{SPAN}&{query}")
    assert reply.status == status
    assert message in reply.json["error"]["message"]


def test_frames_of_values_are_verified(client: Client) -> None:
    engine = client.usage_sender.engine
    found = list(engine.verify(client.organization, client.now))
    assert sum(comparison.frames for comparison in found) > 0
    assert [drift for comparison in found for drift in comparison.drifts] == []
    products = engine.products(client.organization)
    counted = {each.id for each, _ in engine.years(client.organization, products, client.now)}
    assert {"%0%exports", "%1%exports", "%0%prints"} <= counted
