"""That the checks of a storm find what is lost, doubled, leaked or wrong, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from odometer.bootstrap import process
from tests.storm.caller import Caller
from tests.storm.chains import Chain
from tests.storm.checks import Checks, check_items, check_lines
from tests.storm.faults import SPELL, Fault, Faults
from tests.storm.model import Model
from tests.storm.people import People
from tests.storm.plan import BAD, LEAVERS, USERS, Place, Setup, Use, drawn_use, spoiled
from tests.storm.records import Records, Sum
from tests.storm.stage import calling_through
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, items_of
from tests.support.usage_sender import send

NOW = datetime.now(UTC)
APP = "a0000000-0000-4000-8000-000000000001"
HERE, THERE = Place(0, ACME, APP, "hereheree"), Place(1, OTHER, APP, "therether")


@dataclass
class Calm:
    """An organization that was sent usage, and what its model says."""

    stack: Stack
    key: str
    model: Model
    records: Records

    def send(self, uses: Sequence[Use]) -> None:
        receipt = send(self.stack, self.key, [use.event(HERE) for use in uses]).json
        assert receipt["accepted"] == len(uses), receipt
        process().engine.fold_outstanding(ACME, datetime.now(UTC))

    def check(self) -> set[str]:
        """The names of the checks that found something."""
        Checks(self.model, self.ask, self.records, NOW).all()
        return {key.partition("|")[2] for key in self.records.counts if key.startswith("wrong|")}

    def ask(self, _: Place, path: str) -> str:
        answer = self.stack.get(path, self.key)
        assert answer.status == 200, (path, answer.text)
        return answer.text


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path, "test")


@pytest.fixture
def calm(stack: Stack, records: Records) -> Calm:
    stack.apply(ACME, "product", {"id": APP, "name": "App", "kind": "app"})
    key, model = admin_of(stack, ACME), Model(HERE)
    stack.apply(ACME, "user", {"username": HERE.admin, "role": "Admin"})
    calm = Calm(stack, key, model, records)
    model.states = {user.username: user.state for user in stack.directories.open(ACME).users}
    return calm


def drawn(number: int) -> list[Use]:
    dice = Random(number)
    users = [HERE.user(0, each) for each in range(5)]
    return [drawn_use(dice, f"{n}", "test", dice.choice(users), NOW, 40) for n in range(number)]


def test_what_is_right_is_found_right(calm: Calm) -> None:
    uses = drawn(60)
    calm.model.take({"t": "sent", "e": uses})
    calm.send(uses)
    assert calm.check() == set()
    assert calm.records.counts["check|usage by user"] == 4


FIGURES = {"totals and distinct users", "usage by user", "usage by day", "usage by team"}
WAYS: Mapping[str, tuple[Callable[[list[Use]], list[Use]], set[str]]] = {
    "an event is lost": (lambda uses: uses[1:], FIGURES | {"events of each product"}),
    "an event counts twice": (
        lambda uses: [*uses, uses[0]._replace(id="again")],
        FIGURES - {"totals and distinct users"} | {"events of each product"},
    ),
    "an event is somebody else's": (
        lambda uses: [uses[0]._replace(user=HERE.user(0, 9)), *uses[1:]],
        {"usage by user", "the users of the directory"},
    ),
    "an event is on another day": (
        lambda uses: [uses[0]._replace(second=uses[0].second - 86_400), *uses[1:]],
        {"usage by day"},
    ),
    "an event has another value": (
        lambda uses: [uses[0]._replace(measures=[99, *uses[0].measures[1:]]), *uses[1:]],
        FIGURES,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_found_that(calm: Calm, way: str) -> None:
    uses, (changed, found) = drawn(30), WAYS[way]
    calm.model.take({"t": "sent", "e": uses})
    calm.send(changed(uses))
    assert found <= calm.check()


def test_of_two_events_under_one_id_either_counts_and_not_both(calm: Calm) -> None:
    lesser = Use("one", "test", HERE.twice(0), "smartui", int(NOW.timestamp()) - 60, [7])
    for use in (lesser, lesser._replace(measures=[1007])):
        calm.model.take({"t": "twice", "e": [use]})
    calm.send([lesser._replace(measures=[1007])])
    assert calm.check() == set()
    calm.send([lesser._replace(id="both")])
    assert {"usage by user", "usage by day"} <= calm.check()


def test_whoever_was_erased_is_found_where_they_still_are(calm: Calm) -> None:
    uses = drawn(9)
    calm.model.take({"t": "sent", "e": uses})
    calm.send(uses)
    calm.model.erased = {uses[0].user}
    assert "the users of the directory" in calm.check()
    check_items("directory", items_of("directory"), [calm.model, Model(THERE)], calm.records)
    assert calm.records.counts["wrong|nobody who was erased is stored"] > 0
    assert calm.records.counts["wrong|no item has anything of another organization"] == 0


def test_a_name_in_an_item_of_another_organization_is_found(records: Records) -> None:
    item = {"pk": {"S": f"{ACME}#R"}, "sk": {"S": "1"}, "who": {"L": [{"S": f"x{THERE.mark}"}]}}
    check_items("usage", [item], [Model(HERE), Model(THERE)], records)
    assert records.counts["wrong|no item has anything of another organization"] == 1


def test_a_name_or_a_key_in_a_line_of_a_log_is_found(records: Records) -> None:
    key = f"odo_{'a' * 34}_{'b' * 33}"
    check_lines("group", ["good", f"of {HERE.mark}", f"with {key}"], [HERE.mark], records)
    assert records.counts["wrong|no line of a log has a name or a key"] == 2


def answered(content: Any) -> httpx.Response:
    return httpx.Response(200, json=content)


def test_an_answer_with_a_neighbour_or_somebody_erased_is_found(records: Records) -> None:
    setup = Setup(seed=3, organizations=2)
    mine, other = setup.places
    caller = Caller("http://nowhere", setup, records, gone={mine.leaver(0, 1)})
    caller.look_at(mine, "/v1/usage", answered([mine.mark, mine.leaver(0, 2), mine.app]))
    assert not records.wrongs
    caller.look_at(mine, "/v1/usage", answered([other.mark]))
    caller.look_at(mine, "/v1/usage", answered([mine.leaver(0, 1)]))
    assert [each["found"] for each in records.wrongs] == [other.mark, [mine.leaver(0, 1)]]


def page(*rows: tuple[str, int], total: int, cursor: str | None = None) -> dict[str, Any]:
    return {
        "totals": {"interactions": {"value": total}},
        "data_through": "2026-01-02T00:00:00Z",
        "groups": [
            {"user": {"username": name}, "totals": {"interactions": {"value": value}}}
            for name, value in rows
        ],
        "next_cursor": cursor,
    }


PAGES: Mapping[str, Sequence[dict[str, Any]]] = {
    "": [page(("a", 2), total=5, cursor="c"), page(("b", 3), total=5)],
    "the total of a chain stays the same": [page(total=5, cursor="c"), page(total=6)],
    "nobody is on two pages of a chain": [
        page(("a", 2), total=4, cursor="c"),
        page(("a", 2), total=4),
    ],
    "the pages of a chain add up to its total": [page(("a", 2), total=3)],
    "a row of a page is right": [page((HERE.user(0, 0), 2), total=2)],
    "a chain ends with its pages or has expired": [{"error": {"message": "Invalid cursor"}}],
}


@pytest.mark.parametrize("wrong", PAGES)
def test_of_a_chain_it_is_found_whether(wrong: str, records: Records) -> None:
    people = People(HERE, 0)
    people.last_sent[HERE.user(0, 0)] = 1
    chain = Chain(HERE, "chat", {})
    for content in PAGES[wrong]:
        chain.take(content, people, 0, records)
    found = {each["check"] for each in records.wrongs}
    assert found - {"the pages of a chain add up to its total"} == {wrong} - {
        "",
        "the pages of a chain add up to its total",
    }
    assert bool(found) == bool(wrong)


def test_what_somebody_has_used_at_least_is_what_was_answered_by_then() -> None:
    people, use = People(HERE, 0), Use("1", "test", HERE.user(0, 0), "chat", 0, [4, 0, 0, 0])
    people.send(use, 1)
    people.take(use, 5)
    tally = people.tally(use.user, "chat")
    assert (tally.by(4), tally.by(5), tally.sent) == (0, 4, 4)
    assert len(people.users) == USERS + 2
    people.leaving = LEAVERS
    assert len(people.users) == USERS


# the plan


def test_a_seed_repeats_which_fault_a_call_meets() -> None:
    calls = [f"DynamoDB_20120810.{verb}" for verb in ("PutItem", "Query")]

    def met(seed: int) -> list[Fault | None]:
        faults = Faults(seed)
        return [faults.of(call, number) for call in calls for number in range(10 * SPELL)]

    assert met(1) == met(1) != met(2)
    assert {*met(1)} == {None, *Fault}
    assert Faults(1).of("DynamoDB_20120810.DescribeTable", 1) is None
    assert Faults(1).of("Logs_20140328.PutLogEvents", 1) is None


def test_bad_events_are_refused_by_the_code_that_the_plan_expects(stack: Stack) -> None:
    good = Use("1", "test", "somebody", "chat", int(NOW.timestamp()) - 5, [1, 0, 0, 0])
    pairs = [spoiled(Random(number), good.event(HERE)) for number in range(90)]
    answer = send(stack, admin_of(stack, ACME), [event for _, event in pairs])
    codes = [code for code, _ in pairs]
    assert [error["code"] for error in answer.json["errors"]] == codes
    assert {*codes} == {code for code, _ in BAD}


def test_counts_of_processes_add_up(tmp_path: Path) -> None:
    for name in ("one", "two"):
        records = Records(tmp_path, name)
        records.count("request", "GET /v1/me", 200, number=2)
        records.check("a check", holds=name == "one")
        records.note(at_once=True)
    found = Sum.of(tmp_path)
    assert (found.number("request"), found.number("check"), found.number("wrong")) == (4, 2, 1)
    assert [each["check"] for each in found.wrongs] == ["a check"]


def test_functions_of_the_template_call_through_the_proxy() -> None:
    template = Path("template.yaml").read_text()
    changed = calling_through(template, "http://127.0.0.1:1")
    added = set(changed.splitlines()) - set(template.splitlines())
    assert {line.strip() for line in added} == {"AWS_ENDPOINT_URL: http://127.0.0.1:1"}
