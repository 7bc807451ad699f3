"""Kinds of an organization's own from the directory to a figure, in processes that go on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest

from odometer.bootstrap import process
from odometer.domain.time import instant_at
from odometer.storage.directory import BlockCache, DirectoryStore
from odometer.storage.dynamo import Meter, Table
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, stack_on_moto
from tests.support.usage_sender import (
    LATELY,
    fold,
    log_of,
    receipt,
    run,
    send,
    stream,
    usage_event,
)

MINE = {
    "name": "document",
    "measures": [{"name": "exports", "aggregate": "count"}, {"name": "credits", "decimals": 2}],
    "breakdowns": ["format"],
}
THEIRS = {"name": "document", "days": "local", "measures": [{"name": "signatures"}]}
PRODUCT = {"id": "editor", "name": "Editor", "kind": "document"}
PAGES = {**MINE, "measures": [*MINE["measures"], {"name": "pages"}]}


@pytest.fixture
def stack() -> Iterator[Stack]:
    with stack_on_moto() as stack:
        for organization, kind in ((ACME, MINE), (OTHER, THEIRS)):
            document = {"products": [PRODUCT], "kinds": [kind]}
            reply = stack.put(admin_of(stack, organization), document)
            assert [row["status"] for row in reply.json["results"]] == ["created", "created"]
        yield stack


def used(name: str, **data: Any) -> dict[str, Any]:
    return usage_event(name, data={"product": "editor", **data})


def accept(stack: Stack, key: str, *events: Any, digits: str = "") -> dict[str, Any]:
    """Send events, in whose JSON a text stands for a number of these digits."""
    body = json.dumps(events).replace('"digits"', digits)
    reply = send(stack, key, body, content_type="application/json")
    assert reply.status == 202
    answer: dict[str, Any] = reply.json
    return answer


def figure(stack: Stack, key: str, measure: str) -> Any:
    until = instant_at(int(datetime.now(UTC).timestamp()) + 60)
    query = f"product=editor&measure={measure}&from={LATELY}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    reply = stack.get(f"/v1/explain?{query}", key)
    assert reply.status == 200, reply.text
    answer = reply.json
    assert sum(term["sign"] * term["value"] for term in answer["terms"]) == answer["value"]
    return answer["value"]


def test_one_name_is_two_kinds_in_two_organizations(stack: Stack) -> None:
    mine, theirs = admin_of(stack, ACME), admin_of(stack, OTHER)
    assert accept(stack, mine, used("a"), used("b", credits="digits"), digits="12.5") == receipt(2)
    wrong = {"index": 0, "id": "a", "code": "unknown_measure"}
    error = {**wrong, "message": "signatures: no measure of document; it has credits"}
    assert accept(stack, mine, used("a", signatures=1))["errors"] == [error]
    error = {**wrong, "message": "credits: no measure of document; it has signatures"}
    assert accept(stack, theirs, used("a", credits=1))["errors"] == [error]
    assert accept(stack, theirs, used("a", signatures=3)) == receipt(1)
    for organization in (ACME, OTHER):
        fold(stream(log_of(stack, organization)))
    for _ in range(2):
        assert figure(stack, mine, "exports") == 2
        assert figure(stack, theirs, "signatures") == 3
        run("settle")


def test_a_measure_is_put_used_folded_and_settled_by_processes_that_go_on(stack: Stack) -> None:
    key, engine = admin_of(stack, ACME), process().engine
    assert len(engine.products(ACME)) > 1
    accept(stack, key, used("a"))
    fold(stream(log_of(stack, ACME)))
    run("settle")
    assert accept(stack, key, used("b", pages=7))["errors"][0]["code"] == "unknown_measure"
    assert stack.put(key, {"kinds": [PAGES]}).json["results"][0]["status"] == "updated"
    assert accept(stack, key, used("b", pages=7, format="pdf")) == receipt(1)
    fold(stream(log_of(stack, ACME)[1:]))
    assert (figure(stack, key, "pages"), figure(stack, key, "exports")) == (7, 2)
    run("settle")
    assert (figure(stack, key, "pages"), figure(stack, key, "exports")) == (7, 2)
    found = [each for each in engine.verify(ACME, datetime.now(UTC)) if each.drifts]
    assert found == []


def test_an_accepted_batch_is_put_again_by_the_rules_of_its_first_answer(stack: Stack) -> None:
    key, batch = admin_of(stack, ACME), [used("a", pages=1), used("b")]
    first = send(stack, key, batch, idempotency_key="once").json
    assert (first["accepted"], first["rejected"]) == (1, 1)
    stack.put(key, {"kinds": [PAGES]})
    again = send(stack, key, batch, idempotency_key="once")
    assert (again.headers["Idempotent-Replayed"], again.json) == ("true", first)
    fold(stream(log_of(stack, ACME)))
    assert (figure(stack, key, "exports"), figure(stack, key, "pages")) == (1, 0)


def test_kinds_are_read_in_the_round_trip_of_products() -> None:
    with stack_on_moto() as stack:
        stack.apply(ACME, "team", {"name": "Core"})
        stack.apply(ACME, "product", {"id": "a", "name": "A", "kind": "chat"})
        assert rounds_of_kinds() == 1
        stack.apply(ACME, "kind", MINE)
        stack.apply(ACME, "product", PRODUCT)
        assert rounds_of_kinds() == 1


def rounds_of_kinds() -> int:
    """How often a process that has read nothing yet asks for the kinds of all products."""
    store = DirectoryStore(process().directories(Meter()).table, BlockCache())
    directory = store.open(ACME)
    with patch.object(Table, "get_many", autospec=True, side_effect=Table.get_many) as reads:
        assert directory.kinds
    return reads.call_count


def test_lines_and_documents_say_the_same(stack: Stack) -> None:
    key, lines = admin_of(stack, ACME), {"content-type": "application/x-ndjson"}
    exported = stack.get("/v1/directory/export", key).text
    again = stack.call("PUT", "/v1/directory", key, headers=lines, body=exported)
    assert {row["status"] for row in again.json["results"]} == {"unchanged"}
    rows = [json.loads(line) for line in exported.splitlines()]
    mine = next(row for row in rows if row.get("name") == "document")
    assert mine["kind"] == "kind"
    line = json.dumps({"kind": "kind", "name": "page", "measures": [{"name": "edits"}]})
    product = json.dumps({"kind": "product", "name": "Wiki", "product_kind": "page"})
    made = stack.call("PUT", "/v1/directory", key, headers=lines, body=f"{product}\n{line}")
    assert [row["status"] for row in made.json["results"]] == ["created", "created"]


def test_a_fault_of_a_kind_names_its_field_and_spoils_no_other_row(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    rows = [
        {"name": "page", "measures": [{"name": "edits"}, {"name": "Edits", "decimals": 9}]},
        {**THEIRS, "label": "Documents"},
        {"name": "wiki", "measures": [{"name": "edits"}]},
    ]
    results = stack.put(key, {"kinds": rows}).json["results"]
    assert [(row["kind"], row["status"]) for row in results] == [
        ("kind", "rejected"),
        ("kind", "rejected"),
        ("kind", "created"),
    ]
    name = "measures.1.name: expected a small letter, then up to 31 of small letters, digits and _"
    decimals = "measures.1.decimals: expected an integer from 0 to 6"
    assert results[0]["message"] == f"{name}; {decimals}"
    assert results[1]["message"].startswith("days: is utc and stays so; measures.0.name: is ")


LARGE = "10995116277.75"
ALL_CREDITS = 900 * 10_995_116_277 + 675


def test_decimals_are_shown_to_the_last_digit(stack: Stack) -> None:
    """Two products whose kinds measure credits in other decimals, of a size that no float has."""
    key = admin_of(stack, ACME)
    kind = {"name": "wiki", "measures": [{"name": "credits", "decimals": 4}]}
    stack.put(key, {"kinds": [kind], "products": [{"id": "w", "name": "W", "kind": "wiki"}]})
    events = [used(f"{number}", credits="digits") for number in range(900)]
    assert accept(stack, key, *events, digits=LARGE) == receipt(900)
    fine = usage_event("fine", data={"product": "w", "credits": "digits"})
    assert accept(stack, key, fine, digits="0.0001") == receipt(1)
    fold(stream(log_of(stack, ACME)))
    until = instant_at(int(datetime.now(UTC).timestamp()) + 60)
    asked = f"measure=credits&from={LATELY}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    of_both = stack.get(f"/v1/explain?product=editor,w&{asked}", key).text
    assert f'"value":{ALL_CREDITS}.0001,' in of_both
    of_one = stack.get(f"/v1/explain?product=editor&{asked}&page_size=1", key).text
    assert f'"value":{ALL_CREDITS},"terms"' in of_one
    assert f'"value":{LARGE}}}],"excluded"' in of_one
    table = stack.get(f"/v1/explain?product=w&{asked}", key, accept="text/csv").text
    assert table.splitlines()[1].endswith(",0.0001")
    directory, today = stack.directories.open(ACME), f"{datetime.now(UTC):%Y-%m-%d}"
    (user,) = directory.numbers_of(["james.wilson@example.com"]).values()
    days = f"start_date={LATELY[:10]}&end_date={today}"
    path = f"/v2/clients/{ACME}/users/{directory.user(user).id}/usage?{days}"
    shown = stack.get(path, key).text
    assert f'"measures":{{"exports":900,"credits":{ALL_CREDITS}}}' in shown
    assert '"measures":{"credits":0.0001}' in shown


def test_coverage_shows_an_own_product_and_erasure_leaves_its_totals(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    accept(stack, key, used("a", credits="digits", format="pdf"), used("b"), digits="2.25")
    fold(stream(log_of(stack, ACME)[-1:]))
    run("settle")
    (covered,) = stack.get("/v1/coverage?product=editor", key).json["products"]
    assert (covered["kind"], covered["events"]) == ("document", 2)
    until = instant_at(int(datetime.now(UTC).timestamp()) + 60)
    query = f"product=editor&from={LATELY}&to={until:%Y-%m-%dT%H:%M:%SZ}&group_by="

    def asked(by: str) -> Any:
        answer = stack.get(f"/v1/usage?{query}{by}", key).json
        totals = {name: each["value"] for name, each in answer["totals"].items()}
        return totals, [group[by] for group in answer["groups"]]

    whole = {"exports": 2, "credits": 2.25, "active_users": 1}
    totals, (user,) = asked("user")
    assert (totals, user["username"]) == (whole, "james.wilson@example.com")
    assert stack.call("DELETE", f"/v1/users/{user['id']}", key).status == 204
    assert asked("user") == (whole, [])
    assert asked("format") == (whole, ["pdf", None])
