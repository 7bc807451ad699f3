"""The trail: an entry for each act and an act for each entry, whoever dies; names of nobody."""

import csv
import io
import json
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odometer.access.keys import AccessKey
from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.domain.acts import Act, Action, Actor
from odometer.storage.dynamo import Meter
from odometer.storage.trail import Trail
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, People, people_of
from tests.support.stack import OTHER, Reply, Stack, endpoints, items_of
from tests.support.storage_calls import Call, StorageCalls, record_calls, refused

TRAIL = "/v1/audit"
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
WRITES = frozenset({"PutItem", "UpdateItem", "BatchWriteItem", "DeleteItem", "TransactWriteItems"})


@pytest.fixture
def us(stack: Stack) -> People:
    people_of(stack, OTHER)
    stack.now = START
    return people_of(stack, ACME)


@pytest.fixture
def admin(us: People) -> str:
    return us.key("admin")


def id_of(key: str) -> str:
    parsed = AccessKey.parse(key)
    assert parsed
    return parsed.key_id


def entries(us: People, key: str, query: str = "order=asc") -> list[dict[str, Any]]:
    """All entries, by their pages."""
    found, more = [], ""
    while more is not None:
        reply = us.stack.get(f"{TRAIL}?{query}{more}", key)
        assert reply.status == 200, reply.text
        found += reply.json["data"]
        following = reply.json["next_cursor"]
        more = following and f"&cursor={following}"
    return found


def told(us: People, key: str) -> list[tuple[Any, ...]]:
    """What the trail says, as tuples: what was done, by whom, to which key and user."""
    return [
        (each["action"], each["actor"]["user"], each["key_id"], each["user"])
        for each in entries(us, key)
    ]


def new_key(us: People, by: str) -> Reply:
    wish = {"name": "James's", "user": us.id("member"), "scopes": ["usage:read"]}
    return us.stack.call("POST", "/v1/keys", by, body=wish)


def new_token(us: People, by: str, **about: Any) -> Reply:
    wish = {"for": about or {"organization": True}, "expires_in": 60, "origins": [ORIGIN]}
    return us.stack.call("POST", "/v1/embed-tokens", by, body=wish)


def key_of_member(us: People) -> str:
    return id_of(us.key("member"))


def test_an_entry_says_what_was_done_by_whom_and_when(us: People, admin: str) -> None:
    made = new_key(us, admin).json["key_id"]
    assert us.stack.get(f"{TRAIL}?order=asc", admin).json == {
        "data": [
            {
                "number": 1,
                "at": "2026-03-02T09:30:00.000Z",
                "action": "key.made",
                "actor": {"kind": "key", "key_id": id_of(admin), "user": us.id("admin")},
                "key_id": made,
                "user": us.id("member"),
                "users": [],
                "details": {"scopes": ["usage:read"]},
            }
        ],
        "next_cursor": None,
    }


def test_each_act_has_its_entry_in_the_order_in_which_it_was_done(us: People, admin: str) -> None:
    member = us.id("member")
    key = new_key(us, admin).json["key_id"]
    us.stack.call("POST", f"/v1/keys/{key}/rotate", admin, body={"grace_seconds": 60})
    us.stack.call("DELETE", f"/v1/keys/{key}", admin)
    us.stack.put(admin, {"users": [{"id": member, "role": "Manager"}], "teams": [{"name": "New"}]})
    us.stack.get("/v1/directory/export", admin)
    new_token(us, admin, user=us.id("lead"))
    us.stack.call("DELETE", f"/v1/users/{us.id('stranger')}", admin)
    whole = entries(us, admin)
    assert [each["number"] for each in whole] == [1, 2, 3, 4, 5, 6, 7]
    assert [(each["action"], each["key_id"], each["user"]) for each in whole] == [
        ("key.made", key, member),
        ("key.rotated", key, member),
        ("key.revoked", key, member),
        ("directory.changed", None, None),
        ("directory.exported", None, None),
        ("embed_tokens.made", None, None),
        ("user.erased", None, None),
    ]
    assert whole[1]["details"] == {"grace_seconds": 60}
    assert whole[3]["users"] == [member]
    assert whole[3]["details"] == {
        "created": {"team": 1},
        "updated": {"user": 1},
        "fields": ["name", "role"],
    }
    assert whole[5]["details"] == {"for": "user"}
    assert {each["actor"]["key_id"] for each in whole} == {id_of(admin)}


def test_whatever_changes_nothing_leaves_no_entry(us: People, admin: str) -> None:
    key = key_of_member(us)
    for _ in range(2):
        us.stack.call("DELETE", f"/v1/keys/{key}", admin)
        us.stack.put(admin, {"teams": [{"name": "New"}]})
    us.stack.call("DELETE", "/v1/users/nobody", admin)
    us.stack.put(admin, {"teams": [{"name": ""}]})
    for who in ("manager", "member"):
        us.stack.call("DELETE", f"/v1/keys/{id_of(admin)}", us.key(who))
    assert [each[0] for each in told(us, admin)] == ["key.revoked", "directory.changed"]


def test_every_route_that_is_no_question_has_a_trail() -> None:
    """Events are usage, which is told by coverage; the rest of what writes is an act."""
    acting = {name for name, each in endpoints().items() if each.method != "GET" and each.may}
    with_trail = {
        name
        for name, each in endpoints().items()
        if {kind.__name__ for kind in each.needs.values()} & {"Trail", "SeldomTrail"}
    }
    assert with_trail == acting - {"v1/send_events"} | {"v1/export_directory"}


ACTS: dict[str, Callable[[People, str, str], Reply]] = {
    "key.made": lambda us, key, _: new_key(us, key),
    "key.rotated": lambda us, key, other: us.stack.call("POST", f"/v1/keys/{other}/rotate", key),
    "key.revoked": lambda us, key, other: us.stack.call("DELETE", f"/v1/keys/{other}", key),
    "directory.changed": lambda us, key, _: us.stack.put(key, {"teams": [{"name": "New"}]}),
    "directory.exported": lambda us, key, _: us.stack.get("/v1/directory/export", key),
    "embed_tokens.made": lambda us, key, _: new_token(us, key),
    "user.erased": lambda us, key, _: us.stack.call("DELETE", f"/v1/users/{us.id('member')}", key),
}
"""Each with an Admin's key, to somebody's key or not."""
ANSWERS = ("directory.exported", "embed_tokens.made")
"""They change nothing that is stored: their entry comes before their answer."""
FINISHED = ("directory.changed", "user.erased")
"""After their decision something is tidied up, which whoever asks again finishes."""


def state_of(us: People) -> dict[str, Any]:
    """What acts decide; keys of somebody who is erased have ended with that."""
    head = us.stack.directories.open(ACME).head
    every = us.stack.directories.credentials(ACME)
    keys = {each.key_id: each for each in every if each.user not in head.erased}
    return {"version": head.version, "erased": head.erased, "keys": keys}


@pytest.mark.parametrize("action", ACTS)
def test_whoever_dies_at_any_write_has_both_act_and_entry_or_neither(
    us: People, admin: str, action: str
) -> None:
    calls_made, other = record_calls(), key_of_member(us)
    us.stack.get("/v1/keys", admin)
    survived, died = False, 0
    while not survived:
        before, known = state_of(us), len(entries(us, admin))
        deaths = iter([False] * died + [True])
        calls_made.fail = lambda call, deaths=deaths: (  # type: ignore[misc]
            refused("ValidationException", 400)
            if call.verb in WRITES and next(deaths, False)
            else None
        )
        reply = ACTS[action](us, admin, other)
        calls_made.fail = lambda _: None
        survived = reply.status < 300
        found = entries(us, admin)[known:]
        changed = state_of(us) != before
        assert [each["action"] for each in found] == [action] * len(found)
        assert len(found) == int(changed) or action in ANSWERS
        assert len(found) == 1 or not survived or action in FINISHED
        died += 1
    assert died > 1
    assert len([each for each in entries(us, admin) if each["action"] == action]) == 1


@pytest.mark.parametrize("action", ACTS)
def test_an_act_whose_answer_was_lost_has_one_entry(us: People, admin: str, action: str) -> None:
    calls_made, other = record_calls(), key_of_member(us)
    us.stack.get("/v1/keys", admin)
    lost = iter([True])
    calls_made.lose = lambda call: call.verb == "TransactWriteItems" and next(lost, False)
    assert ACTS[action](us, admin, other).status < 300
    calls_made.lose = lambda _: False
    assert next(lost, None) is None
    assert [each["action"] for each in entries(us, admin)] == [action]


def test_names_of_the_erased_are_in_no_entry_and_in_no_answer(us: People, admin: str) -> None:
    """Somebody who has acted and to whom something was done, and then was erased."""
    us.stack.put(admin, {"users": [{"id": us.id("member"), "role": "Admin"}]})
    theirs = us.key("member")
    new_key(us, theirs)
    us.stack.put(theirs, {"users": [{"id": us.id("lead"), "email": "lead@new.example"}]})
    us.stack.get("/v1/directory/export", theirs)
    new_token(us, theirs, user=us.id("member"))
    assert us.id("member") in json.dumps(entries(us, admin))
    us.stack.call("DELETE", f"/v1/users/{us.id('member')}", admin)
    secrets = [AccessKey.parse(key) for key in (admin, theirs)]
    words = ["member", "James", "new.example", *(key.secret for key in secrets if key)]
    trail = [each for each in items_of("activity") if each["pk"]["S"].endswith("TRAIL")]
    text = repr(trail) + "".join(
        us.stack.get(TRAIL, admin, accept=kind).text
        for kind in ("application/json", "text/csv", "application/x-ndjson")
    )
    assert len(trail) > 6
    assert [word for word in words if word in text] == []
    actors = {each["actor"]["key_id"]: each["actor"]["user"] for each in entries(us, admin)}
    assert actors == {id_of(admin): us.id("admin"), id_of(theirs): None}


def some_acts(us: People, admin: str, count: int) -> None:
    for number in range(count):
        us.stack.now = START + timedelta(minutes=number)
        us.stack.put(admin, {"teams": [{"name": f"Team {number}"}]})


def numbers(us: People, key: str, query: str) -> list[int]:
    return [each["number"] for each in entries(us, key, query)]


def test_pages_lead_through_all_of_it_in_either_order(us: People, admin: str) -> None:
    some_acts(us, admin, 5)
    assert numbers(us, admin, "limit=2") == [5, 4, 3, 2, 1]
    assert numbers(us, admin, "limit=2&order=asc") == [1, 2, 3, 4, 5]
    assert numbers(us, admin, "limit=5") == [5, 4, 3, 2, 1]
    assert us.stack.get(f"{TRAIL}?limit=5", admin).json["next_cursor"] is None


def test_whoever_follows_misses_nothing(us: People, admin: str) -> None:
    some_acts(us, admin, 2)
    assert numbers(us, admin, "order=asc&cursor=2") == []
    us.stack.now = START - timedelta(hours=1)  # a process whose clock is behind
    new_key(us, admin)
    assert numbers(us, admin, "order=asc&cursor=2") == [3]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from=2026-03-02T09:31:00Z", [3, 2]),
        ("to=2026-03-02T09:32:00Z", [2, 1]),
        ("from=2026-03-02T09:31:00Z&to=2026-03-02T09:32:00Z", [2]),
        ("action=directory.changed", [3, 2, 1]),
        ("action=key.made", []),
        ("actor=acme-admin", [3, 2, 1]),
        ("actor=acme-member", []),
        ("key={key}", [3, 2, 1]),
        ("key=other", []),
        ("action=directory.changed&limit=1", [3, 2, 1]),
    ],
)
def test_what_is_asked_for_is_found(us: People, admin: str, query: str, found: list[int]) -> None:
    some_acts(us, admin, 3)
    assert numbers(us, admin, query.format(key=id_of(admin))) == found


def test_a_key_is_found_by_what_it_did_and_what_was_done_to_it(us: People, admin: str) -> None:
    theirs = us.key("member")
    us.stack.call("DELETE", f"/v1/keys/{id_of(theirs)}", theirs)
    new_key(us, admin)
    assert numbers(us, admin, f"key={id_of(theirs)}") == [1]


def test_a_request_reads_a_bounded_number_of_entries_and_says_where_to_go_on(
    us: People, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_acts(us, admin, 5)
    monkeypatch.setattr("odometer.api.v1.trail.MOST_READ", 2)
    page = us.stack.get(f"{TRAIL}?action=key.made", admin).json
    assert page == {"data": [], "next_cursor": 4}
    assert numbers(us, admin, "from=2026-03-02T09:30:00Z") == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("from=2026-03-02T09:30:00Z&to=2026-03-02T09:30:00Z", "to: to must be after from"),
        ("cursor=0", "cursor: expected an integer from 1 to 999999999999"),
        ("limit=1001", "limit: expected an integer from 1 to 1000"),
        ("of=everybody", "of: expected one of organization, deployment"),
        ("action=key.lost", f"action: expected one of {', '.join(Action)}"),
        ("since=1", "since: unknown parameter"),
    ],
)
def test_a_bad_question_names_its_fault(us: People, admin: str, query: str, message: str) -> None:
    reply = us.stack.get(f"{TRAIL}?{query}", admin)
    assert (reply.status, reply.json["error"]["message"]) == (400, message)


def test_an_unknown_actor_is_not_found(us: People, admin: str) -> None:
    assert us.stack.get(f"{TRAIL}?actor=globex-admin", admin).status == 404


def test_lines_come_in_pages_too(us: People, admin: str) -> None:
    some_acts(us, admin, 3)
    first = us.stack.get(f"{TRAIL}?limit=2", admin, accept="application/x-ndjson")
    assert [json.loads(line)["number"] for line in first.text.splitlines()] == [3, 2]
    link = first.headers["Link"]
    assert link == '<?limit=2&cursor=2>; rel="next"'
    rest = us.stack.get(f"{TRAIL}{link[1 : link.index('>')]}", admin, accept="text/csv")
    assert [row["number"] for row in csv.DictReader(io.StringIO(rest.text))] == ["1"]
    assert "Link" not in rest.headers
    nothing = us.stack.get(f"{TRAIL}?action=key.made", admin, accept="text/csv")
    assert nothing.text.startswith("number,at,action,actor.kind,actor.key_id,actor.user,key_id")


def test_a_trail_is_of_one_organization(us: People, admin: str, stack: Stack) -> None:
    new_key(us, admin)
    them = People(stack, OTHER)
    assert entries(them, them.key("admin")) == []
    new_key(them, them.key("admin"))
    assert [each["number"] for each in entries(them, them.key("admin"))] == [1]
    assert len(entries(us, admin)) == 1


def test_only_admins_with_a_key_for_the_directory_read_it(us: People) -> None:
    for who, status in (("admin", 200), ("manager", 403), ("lead", 403), ("member", 403)):
        assert us.stack.get(TRAIL, us.key(who)).status == status
    assert us.stack.get(TRAIL, us.key("admin", Scope.READ_USAGE)).status == 403
    assert us.stack.get(TRAIL, us.token()).status == 401


def test_an_entry_is_kept_as_long_as_the_organization_said_when_it_was_written(
    us: People, admin: str
) -> None:
    new_key(us, admin)
    us.stack.put(admin, {"organization": {"trail_days": 30}})
    new_key(us, admin)
    us.stack.put(admin, {"organization": {"trail_days": None}})
    new_key(us, admin)
    days = [
        (int(each["ttl"]["N"]) - START.timestamp()) / 86_400
        for each in items_of("activity")
        if "told" in each
    ]
    assert days == [400, 400, 30, 30, 400]
    us.stack.now = START + timedelta(days=30)
    assert numbers(us, admin, "order=asc") == [1, 2, 5]  # before the table removes them, too
    assert numbers(us, admin, "order=asc&limit=1") == [1, 2, 5]
    new_key(us, admin)
    assert numbers(us, admin, "order=asc&cursor=5") == [6]


@pytest.mark.parametrize("days", [29, 3651])
def test_how_long_it_is_kept_has_bounds(us: People, admin: str, days: int) -> None:
    result = us.stack.put(admin, {"organization": {"trail_days": days}}).json["results"][0]
    assert result["message"] == "trail_days: expected an integer from 30 to 3650"


def test_tokens_are_told_once_for_each_hour_key_and_kind_of_subject(us: People, admin: str) -> None:
    other = us.key("manager")
    for key in (admin, other):
        for _ in range(3):
            new_token(us, key)
            new_token(us, key, user=us.id("member"))
            process.cache_clear()  # another process knows nothing of it
    us.stack.now = START + timedelta(hours=1)
    new_token(us, admin)
    found = [(each["actor"]["key_id"], each["details"]["for"]) for each in entries(us, admin)]
    assert found == [
        (id_of(admin), "organization"),
        (id_of(admin), "user"),
        (id_of(other), "organization"),
        (id_of(other), "user"),
        (id_of(admin), "organization"),
    ]


def test_a_token_that_is_told_of_costs_no_call_more(us: People, admin: str) -> None:
    new_token(us, admin)
    calls_made = record_calls()
    new_token(us, admin)
    calls_made.calls.clear()
    new_token(us, admin)
    assert [each.verb for each in calls_made.calls] == ["BatchGetItem"]


def test_an_export_has_one_entry_however_many_pages(
    us: People, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer.api.v1.export.LARGEST_PAGE", 500)
    link, pages = "?", 0
    while link:
        reply = us.stack.get(f"/v1/directory/export{link}", admin, accept="application/x-ndjson")
        following = reply.headers.get("Link", "<>")
        link, pages = following[1 : following.index(">")], pages + 1
        assert pages < 20
    assert pages > 3
    assert [each["action"] for each in entries(us, admin)] == ["directory.exported"]


def test_a_change_of_many_rows_is_one_small_entry(us: People, admin: str) -> None:
    rows = [{"username": f"user {number}"} for number in range(2_000)]
    us.stack.put(admin, {"users": rows})
    (found,) = entries(us, admin)
    assert found["details"]["created"] == {"user": 2_000}
    assert len(found["users"]) == 100
    (item,) = [each for each in items_of("activity") if "told" in each]
    assert len(repr(item)) < 5_000


def test_acts_that_overtake_each_other_are_numbered_without_gaps(
    us: People, admin: str, calls_made: StorageCalls
) -> None:
    """Somebody acts each time after another one has asked for the last number."""
    asked: list[str] = []

    def interrupt(call: Call) -> None:
        if call == Call("GetItem", "activity") and len(asked) < 3:
            asked.append("")
            new_key(us, admin)

    calls_made.fail = interrupt
    new_key(us, admin)
    calls_made.fail = lambda _: None
    assert numbers(us, admin, "order=asc") == [1, 2, 3, 4]


@pytest.fixture
def calls_made(us: People) -> StorageCalls:
    return record_calls()


def test_numbers_go_on_where_all_entries_are_gone(us: People, admin: str) -> None:
    """Also for one who has read the last number a long time ago."""
    some_acts(us, admin, 3)
    for item in items_of("activity"):
        if "told" in item:
            process().table("activity").delete(item["pk"]["S"], item["sk"]["S"])
    ago = Future[int]()
    ago.set_result(1)
    trail = Trail(process().trails(Meter()), ACME, Actor(START), ago)
    assert trail.commit(Act(Action.PAUSED))
    assert numbers(us, admin, "order=asc") == [4]
