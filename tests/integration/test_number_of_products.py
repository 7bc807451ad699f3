"""How many products one request reads: a bound, and all of them at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.support.apps import APP, OTHER_APP, Client, get_json
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.hops import counted_hops
from tests.support.seats import IDS, SEATS, client_on, listed

pytestmark = pytest.mark.engine
EXPLAIN = "/v1/explain"
SPAN = "from=2026-02-01T00:00:00Z&to=2026-03-02T09:00:00Z"
FEWER = "expected some of them by product"


@pytest.fixture(scope="module")
def seen() -> Iterator[Client]:
    """A client that is only looked at; three of its products are in use."""
    enable_socket()
    with stack_on_counting_engine() as stack:
        yield client_on(stack)


@pytest.fixture
def at_most_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odometer.api.v1.asked.MOST_PRODUCTS", 2)


def refusal(client: Client, path: str, query: str) -> str:
    reply = client.get(path, query)
    return str(reply.json["error"]["message"]) if reply.status == 400 else f"{reply.status}"


@pytest.mark.usefixtures("at_most_two")
@pytest.mark.parametrize(
    ("query", "products"),
    [
        ("measure=users", 10),
        ("measure=active_users", 10),
        ("measure=duration_ms", 5),
        (f"measure=users&product={APP},{OTHER_APP},automation", 3),
    ],
)
def test_no_more_products_are_explained_than_have_the_measure_and_are_read_at_once(
    seen: Client, query: str, products: int
) -> None:
    words = f"product: {products} products, of which at most 2 are answered at once: {FEWER}"
    assert refusal(seen, EXPLAIN, f"{SPAN}&{query}") == words


@pytest.mark.usefixtures("at_most_two")
@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("measure=accounts", 7),
        ("measure=active_ms", 20),
        (f"measure=users&product={APP},{OTHER_APP}", 2),
    ],
)
def test_what_is_read_of_few_products_is_explained_beside_many(
    seen: Client, query: str, value: int
) -> None:
    assert get_json(seen, EXPLAIN, f"{SPAN}&{query}")["value"] == value


@pytest.mark.parametrize("name", ["ann", IDS["ann"], "ann@example.com"])
def test_a_figure_of_a_user_is_explained_by_any_of_their_names(seen: Client, name: str) -> None:
    query = f"{SPAN}&measure=active_ms&user={name}"
    assert get_json(seen, EXPLAIN, query)["value"] == 15
    assert seen.get(EXPLAIN, query.replace(name, "nobody")).status == 404


def test_all_products_of_a_figure_are_read_at_once(seen: Client) -> None:
    def hops(query: str) -> int:
        seen.get(EXPLAIN, f"{SPAN}&{query}")
        with counted_hops() as counted:
            seen.get(EXPLAIN, f"{SPAN}&{query}")
        return counted.hops

    for measure in ("users", "active_ms"):
        one = hops(f"measure={measure}&product={APP}")
        assert hops(f"measure={measure}&product={APP},{OTHER_APP}") == one > 0


@pytest.mark.usefixtures("at_most_two")
def test_days_active_are_told_of_no_more_products_in_use(seen: Client) -> None:
    words = f"product: 3 products, of which at most 2 are answered at once: {FEWER}"
    for query in ("status=active", "sort=username"):
        assert refusal(seen, SEATS, query) == words
    assert refusal(seen, SEATS, "status=active&kind=app,test") == words.replace(
        "product", "kind", 1
    )
    assert seen.get(SEATS, "status=active", accept="text/csv").status == 400


@pytest.mark.usefixtures("at_most_two")
def test_seats_that_nobody_uses_are_told_however_many_products_there_are(seen: Client) -> None:
    assert listed(seen, "status=inactive") == ["bob"]
    assert get_json(seen, SEATS, "status=inactive&limit=1")["seats"]["active"] == 2
    assert listed(seen, "status=active&kind=app") == ["ann"]
