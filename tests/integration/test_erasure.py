"""Erasure: the person is gone from every row, export and directory at once, and totals stay."""

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.directory.columns import Block
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.people import Role
from odometer.services import erasure
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Item
from tests.support.apps import (
    APP,
    CLIENT,
    COMPARED,
    FEBRUARY,
    JAMES,
    SALES,
    SARAH,
    USERS,
    Client,
    daily,
    days_from,
    example_client,
    use,
)
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, Stack
from tests.support.storage_calls import Call, StorageCalls, record_calls, throttled
from tests.support.usage_sender import used

TRACES = (JAMES, "james.wilson")
"""What tells of the person: the username is the beginning of key and address."""
DAY = datetime(2026, 2, 27, 8, tzinfo=UTC)
REPORT = "/insights/api/v3/public/usage-report"
SPAN = "type=account-user&from=2026-02-01%2000:00:00&to=2026-02-28%2023:59:59"
OVER_TIME = f"organizationId={ACME}&from=2026-02-01&to=2026-03-01&granularity=weekly"
EXPLAINED = f"product={APP}&measure=sessions&from=2026-02-01T00:00:00Z&to=2026-03-02T09:00:00Z"
ACCEPTED = ("application/json", "text/csv", "application/x-ndjson")
NAMELESS_LINES = {("explain", accept) for accept in ACCEPTED[1:]}


@pytest.fixture
def us(stack: Stack) -> Client:
    """James and Sarah as the examples have them, in a team, with other products and a key each."""
    client = example_client(stack)
    client.put("team", id="core", name="Core")
    for user, name in ((JAMES, "james.wilson"), (SARAH, "sarah.chen")):
        client.put("user", id=user, team="core", email=f"{name}@example.com", verified=True)
        stack.key(ACME, user, now=client.now)
        client.used(
            *(used(user, "automation", DAY + timedelta(days=n), 3, 900) for n in range(2)),
            used(user, "code-completions", DAY, 2, 60, 40, 5),
        )
    return client


def erased(us: Client, user: str = JAMES, key: str | None = None) -> Reply:
    return us.stack.call("DELETE", f"/v1/users/{user}", key or us.admin)


def erase(us: Client, user: str = JAMES) -> None:
    answer = erased(us, user)
    assert (answer.status, answer.text) == (204, "")


def stored() -> str:
    """All that the directory's table holds, from_dynamodb."""
    items = process().dynamodb.scan(TableName="directory")["Items"]
    mine = [item for item in items if item["pk"]["S"] == ACME]
    contents = [
        zlib.decompress(item["columns"]["B"]).decode() for item in mine if "columns" in item
    ]
    return "\n".join([*contents, *(item["name"]["S"] for item in mine if "name" in item)])


def traces(text: str) -> list[str]:
    return [trace for trace in TRACES if trace in text]


# gone

NAMING = {
    "drilldown": f"{REPORT}/drilldown?{SPAN}&product=automation&limit=100",
    "organization users": "/api/v1/organization/users?offset=0&limit=0&teamMember=true",
    "team users": "/api/v1/team/core/users?offset=0&limit=0",
    "permissions": "/api/v1/instance/permissions?role=Member",
    "app users": f"{USERS}?{COMPARED}&page_size=200",
    "app users of a department": f"{USERS}?{FEBRUARY}&department_ids={SALES}",
    "users": f"{CLIENT}/users",
    "users found": f"{CLIENT}/users?q=wilson",
    "users by activity": f"{CLIENT}/users?sort_by=last_activity",
    "seats": "/v1/seats?inactive_days=366&q=james",
    "export": "/v1/directory/export",
    "keys": "/v1/keys",
    "explain": f"/v1/explain?{EXPLAINED}",
    "explained users": f"/v1/explain?{EXPLAINED.replace('sessions', 'users')}",
}


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_no_answer_tells_of_somebody_who_was_erased(us: Client, *, warm: bool) -> None:
    us.used(use(JAMES, us.now - timedelta(minutes=5), 1000))
    before = {case for case, reply in answers(us) if traces(reply.text)}
    assert before >= {(name, accept) for name in NAMING for accept in ACCEPTED} - NAMELESS_LINES
    erase(us)
    if not warm:
        process.cache_clear()
    after = dict(answers(us))
    assert {reply.status for reply in after.values()} == {200}
    assert [case for case, reply in after.items() if traces(reply.text)] == []


def answers(us: Client) -> Iterator[tuple[tuple[str, str], Reply]]:
    """Every answer that names people, in every form."""
    for name, url in NAMING.items():
        for accept in ACCEPTED:
            yield (name, accept), us.stack.get(url, us.admin, accept=accept)


def test_an_explanation_adds_up_to_what_it_did_with_one_who_has_no_name(us: Client) -> None:
    us.used(use(JAMES, us.now - timedelta(minutes=5), 1000))
    urls = (NAMING["explain"], NAMING["explained users"])
    before = [us.stack.get(url, us.admin).json for url in urls]
    erase(us)
    events, users = (us.stack.get(url, us.admin).json for url in urls)
    assert [events["value"], users["value"]] == [each["value"] for each in before]
    assert {event["user"] for event in events["events"]} == {None, SARAH}
    assert sorted(term["key"] for term in users["terms"]) == ["", SARAH]


@pytest.mark.parametrize(
    "url",
    [
        f"/api/v1/user/{JAMES}",
        f"/api/v1/user/usage?{OVER_TIME}&userId={JAMES}",
        f"/v1/explain?{EXPLAINED}&user={JAMES}",
        f"{CLIENT}/users/{JAMES}",
        f"{CLIENT}/users/{JAMES}/usage?start_date=2026-02-01&end_date=2026-02-28",
    ],
)
def test_whoever_asks_for_them_is_told_that_there_is_nobody(us: Client, url: str) -> None:
    assert us.stack.get(url, us.admin).status == 200
    erase(us)
    assert us.stack.get(url, us.admin).status == 404


def test_no_name_at_all_is_not_theirs(us: Client) -> None:
    erase(us)
    assert us.stack.get(f"/api/v1/user/usage?{OVER_TIME}&userId=", us.admin).status == 404


def test_nothing_in_the_table_tells_of_them_in_whatever_version(us: Client) -> None:
    for number in range(3):
        us.put("user", id=SARAH, verified=bool(number % 2), email=f"sarah{number}@example.com")
    us.put("user", id=JAMES, email="james.wilson@elsewhere.example")
    assert traces(stored()) == [*TRACES]
    versions = [each for each in keys_of_blocks() if "#users#profile#00000#" in each]
    assert len(versions) > 4
    erase(us)
    assert traces(stored()) == []
    assert SARAH in stored()
    assert set(versions) < set(keys_of_blocks())


def keys_of_blocks() -> list[str]:
    items = process().dynamodb.scan(TableName="directory")["Items"]
    return [item["sk"]["S"] for item in items if item["sk"]["S"].startswith("BLOCK#")]


def test_the_neighbour_who_is_called_the_same_stays(us: Client) -> None:
    theirs = us.stack.key(OTHER, JAMES, now=us.now)
    erase(us)
    answer = us.stack.get(f"{CLIENT.replace(ACME, OTHER)}/users/{JAMES}", theirs)
    assert (answer.status, answer.json["username"]) == (200, "james.wilson")


# totals

TOTALS = {
    "summary": f"{REPORT}/summary?{SPAN}",
    "organization usage": f"/api/v1/organization/usage?{OVER_TIME}",
    "team usage": f"/api/v1/team/usage?{OVER_TIME}&teamId=core",
    "app": f"{CLIENT}/analytics/apps/{APP}/utilization?{COMPARED}",
    "app of a department": f"{CLIENT}/analytics/apps/{APP}/utilization?{FEBRUARY}"
    f"&department_ids={SALES}",
    "app over time": f"{CLIENT}/analytics/apps/{APP}/activity?{FEBRUARY}&metric=user-count",
    "apps": f"{CLIENT}/analytics/apps/utilization?start_date=2026-02-01&end_date=2026-02-28",
    "months before": "/api/v1/organization/account-utilizations?startDate=2025-01",
    "coverage": "/v1/coverage",
}


def test_every_total_stays(us: Client) -> None:
    us.settle()
    before = {name: us.stack.get(url, us.admin).json for name, url in TOTALS.items()}
    erase(us)
    after = {name: us.stack.get(url, us.admin).json for name, url in TOTALS.items()}
    for found in (before, after):
        found["months before"].pop()  # the present one knows that an account has ended
    assert after == before
    assert before["app"]["unique_users"]["value"] == 2
    assert before["app of a department"]["unique_users"]["value"] == 1


def test_a_ranking_has_a_row_less_and_its_totals_stay(us: Client) -> None:
    url = NAMING["drilldown"]
    before = us.stack.get(url, us.admin).json["data"]
    erase(us)
    after = us.stack.get(url, us.admin).json["data"]
    assert [row["id"] for row in before["users"]] == [JAMES, SARAH]
    assert after["users"] == before["users"][1:]
    assert before["metadata"].pop("pagination")["total"] == 2
    assert after["metadata"].pop("pagination")["total"] == 1
    assert after["metadata"] == before["metadata"]
    assert after["metadata"]["totalUsers"] == 2


def test_a_list_counts_the_rows_that_it_has(us: Client) -> None:
    users, teams = f"{CLIENT}/users", "/api/v1/organization/teams"
    before = us.get(users).json["total_count"]
    erase(us)
    assert us.get(users).json["total_count"] == before - 1
    assert us.users(FEBRUARY).json["total_count"] == 1
    assert [team["usersCount"] for team in us.get(teams).json["data"]] == [1]
    assert us.get("/api/v1/team/core/users", "offset=0&limit=0").json["meta"]["total"] == 1


def test_the_account_has_ended_and_the_months_before_do_not_know(us: Client) -> None:
    url, team = TOTALS["months before"], "/api/v1/team/account-utilizations?teamId=core"
    before = us.stack.get(url, us.admin).json
    assert us.stack.get(team, us.admin).json == {"registered": 2, "deactivated": 0, "invited": 0}
    us.later(timedelta(days=1))
    erase(us)
    assert us.stack.get(team, us.admin).json == {"registered": 1, "deactivated": 1, "invited": 0}
    *past, now = us.stack.get(url, us.admin).json
    assert past == before[:-1]
    assert (now["registered"], now["deactivated"]) == (before[-1]["registered"] - 1, 1)


# no way back


def test_events_of_the_same_name_are_somebody_elses(us: Client) -> None:
    former = ordinal(us, JAMES)
    erase(us)
    us.used(use("james.wilson", us.now - timedelta(hours=1), 5000))
    (row,) = us.get(f"{CLIENT}/users", "q=james").json["data"]
    assert (row["id"] == JAMES, row["username"]) == (False, "james.wilson")
    assert ordinal(us, row["id"]) > former
    (used_now,) = us.get(
        f"{CLIENT}/users/{row['id']}/usage", "start_date=2026-01-01&end_date=2026-03-02"
    ).json["products"]
    assert used_now["measures"] == {"active_ms": 5000, "sessions": 1}


def test_the_same_names_put_again_are_a_new_user_who_has_used_nothing(us: Client) -> None:
    former = ordinal(us, JAMES)
    erase(us)
    row = {"id": JAMES, "username": "james.wilson", "user_key": "james.wilson@example.com"}
    (result,) = us.stack.put(us.admin, {"users": [row]}).json["results"]
    assert (result["id"], result["status"]) == (JAMES, "created")
    assert ordinal(us, JAMES) > former
    user = us.get(f"{CLIENT}/users/{JAMES}").json
    assert (user["last_activity"]["at"], user["departments"]) == (None, [])
    assert us.users(FEBRUARY).json["total_count"] == 1
    erase(us)
    assert traces(stored()) == []


def ordinal(us: Client, user: str) -> int:
    found = us.stack.directories.open(us.organization).user_by_id(user)
    assert found
    return found.ordinal


def test_what_was_accepted_before_counts_for_nobody_known(us: Client) -> None:
    us.used(use(JAMES, us.now - timedelta(hours=1), 7000))
    erase(us)
    us.settle()
    detail = f"{CLIENT}/analytics/apps/{APP}/utilization"
    day = us.get(detail, "granularity=daily&start_date=2026-03-02&end_date=2026-03-02").json
    assert day["active_time_ms"]["value"] == 7000


# keys


def test_their_keys_open_nothing_at_once(us: Client) -> None:
    key = us.stack.key(ACME, JAMES, now=us.now)
    assert us.get(f"{CLIENT}/users/{JAMES}", key=key).status == 200
    number = ordinal(us, JAMES)
    erase(us)
    assert us.get(f"{CLIENT}/users/{JAMES}", key=key).status == 401
    assert number not in {each.user for each in us.stack.directories.credentials(ACME)}
    assert {row["user"] for row in us.get("/v1/keys").json["keys"]}.isdisjoint([JAMES, ""])


def test_a_key_that_was_being_made_opens_nothing_and_is_not_listed(us: Client) -> None:
    number = ordinal(us, JAMES)
    erase(us)
    (mine,) = (
        one for one in us.stack.directories.credentials(ACME) if one.user == ordinal_of_admin(us)
    )
    late = us.stack.key(ACME, SARAH, now=us.now)
    moved = [
        one for one in us.stack.directories.credentials(ACME) if one.user == ordinal(us, SARAH)
    ]
    for one in moved:
        us.stack.directories.table.change(ACME, f"KEY#{one.key_id}", {"user": number})
    assert us.get(f"{CLIENT}/users", key=late).status == 401
    assert [row["key_id"] for row in us.get("/v1/keys").json["keys"]] == [mine.key_id]


def ordinal_of_admin(us: Client) -> int:
    (admin,) = (user for user in us.stack.directories.open(ACME).users if user.role == Role.ADMIN)
    return admin.ordinal


def test_an_admin_may_erase_themselves_when_somebody_else_is_one(us: Client) -> None:
    me = us.stack.directories.open(ACME).user(ordinal_of_admin(us)).id
    refused = erased(us, me)
    assert (refused.status, refused.json["error"]["details"]) == (400, {"user_id": me})
    assert "the last Admin; make somebody else one first" in refused.json["error"]["message"]
    us.put("user", id=SARAH, role=Role.ADMIN)
    erase(us, me)
    assert us.get("/v1/keys").status == 401


# asked again, and of whom


def test_nobody_is_erased_twice(us: Client) -> None:
    erase(us)
    for user in (JAMES, "nobody-at-all", "james.wilson"):
        answer = erased(us, user)
        assert answer.status == 404
        assert answer.json == {
            "error": {"code": "not_found", "message": "Not found", "details": {}}
        }


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        (Role.ADMIN, [Scope.WRITE_DIRECTORY], 204),
        (Role.ADMIN, [Scope.READ_DIRECTORY, Scope.WRITE_KEYS], 403),
        (Role.MANAGER, [*Scope], 403),
    ],
)
def test_an_admin_may_with_a_key_that_writes_the_directory(
    us: Client, role: Role, scopes: list[Scope], status: int
) -> None:
    name = f"second@{role}.example"
    caller = us.stack.key(ACME, us.put("user", username=name, role=role), *scopes)
    us.stack.now = None
    assert erased(us, key=caller).status == status
    assert (us.stack.directories.open(ACME).user_by_id(JAMES) is None) == (status == 204)


# chains of pages that were opened before

PEOPLE = [f"p{number}" for number in range(7)]
ORDERS = {
    "users": f"{CLIENT}/users?q=person&sort_by=username",
    "users by activity": f"{CLIENT}/users?q=person&sort_by=last_activity&sort_order=desc",
    "app users": f"{USERS}?{FEBRUARY}&sort_order=asc",
    "app users by name": f"{USERS}?{FEBRUARY}&sort_by=username&sort_order=asc",
}


@pytest.fixture
def many(stack: Stack) -> Client:
    """Seven people, each active longer and later than the one before."""
    client = Client(stack)
    for number, user in enumerate(PEOPLE):
        client.person(user, f"person.{number}")
    for number, user in enumerate(PEOPLE, 1):
        client.used(*daily(user, days_from(date(2026, 2, number), 1), number * 1000))
    return client


def page(us: Client, url: str, cursor: str | None) -> tuple[list[str], str | None, int]:
    following = f"&cursor={cursor}" if cursor else ""
    answer = us.stack.get(f"{url}&page_size=2{following}", us.admin)
    assert answer.status == 200, answer.text
    rows = [row.get("user", row)["id"] for row in answer.json["data"]]
    return rows, answer.json["next_cursor"], answer.json["total_count"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "gone",
    [("p0",), ("p1", "p6"), ("p2",), ("p3", "p5"), ("p1", "p2", "p4")],
    ids=" ".join,
)
def test_a_chain_goes_on_without_them_and_leaves_out_nobody_else(
    many: Client, order: str, gone: tuple[str, ...]
) -> None:
    url = ORDERS[order]
    first, cursor, total = page(many, url, None)
    whole = PEOPLE[::-1] if "desc" in url else PEOPLE
    assert (first, total) == (whole[:2], 7)
    erase(many, gone[0])
    many.put("user", username="person.new", verified=True)
    for user in gone[1:]:
        erase(many, user)
    many.used(use("p5", datetime(2026, 2, 1, 8, tzinfo=UTC), 1))
    rest: list[str] = []
    while cursor:
        rows, cursor, total = page(many, url, cursor)
        assert total == 7 - len(gone)
        rest += rows
    assert rest == [user for user in whole[2:] if user not in gone]


def test_a_chain_meets_erasures_between_all_its_pages(many: Client) -> None:
    url = ORDERS["app users by name"]
    seen, cursor, _ = page(many, url, None)
    for user in ("p1", "p4"):
        erase(many, user)
        rows, cursor, _ = page(many, url, cursor)
        seen += rows
    assert cursor is None or page(many, url, cursor)[0] == []
    assert seen == ["p0", "p1", "p2", "p3", "p5", "p6"]


# at once with others


def test_a_change_that_was_on_its_way_brings_nobody_back(us: Client) -> None:
    tries: Iterator[int] = iter(range(9))

    def apply(edit: DirectoryEdit) -> None:
        if next(tries) == 0:
            erase(us)
        edit.apply("user", {"id": SARAH, "username": "sarah.c"})

    us.stack.directories.change(ACME, us.now, apply)
    assert next(tries) == 2
    assert traces(stored()) == []
    process.cache_clear()
    assert traces(us.get("/v1/directory/export").text) == []
    assert us.get(f"{CLIENT}/users/{SARAH}").json["username"] == "sarah.c"


def test_an_erasure_that_is_overtaken_starts_again(
    us: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, once = DirectoryEdit.head, iter([True])

    def overtaken(edit: DirectoryEdit, *commits: Any) -> Any:
        if next(once, False):
            us.put("user", id=JAMES, username="james.wilson.renamed")
        return begun(edit, *commits)

    monkeypatch.setattr(DirectoryEdit, "head", overtaken)
    erase(us)
    assert traces(stored()) == []
    assert us.get(f"{CLIENT}/users/{JAMES}").status == 404


def test_of_two_erasures_at_once_none_brings_back_whom_the_other_has_erased(
    us: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, now_it_does = erasure.copies, iter([False, True])

    def overtaken(of: DirectoryStore, organization: str, block: Block) -> Iterator[Item]:
        found = list(read(of, organization, block))
        if block.family == "names" and next(now_it_does, False):
            erase(us, SARAH)
        return iter(found)

    monkeypatch.setattr(erasure, "copies", overtaken)
    erase(us)
    assert next(now_it_does, "both were read") == "both were read"
    assert [name for name in (*TRACES, SARAH, "sarah.chen") if name in stored()] == []


# dying on the way


def outcome(
    us: Client, send: Callable[[], Reply], calls_made: StorageCalls, place: int, *, lost: bool
) -> Reply:
    """A request, cold, whose call at a place is refused, or done and its answer lost."""
    process.cache_clear()
    calls = iter(range(10**6))
    if lost:
        calls_made.lose = lambda _: next(calls) == place
    else:
        calls_made.fail = lambda call: throttled(call) if next(calls) == place else None
    reply = send()
    calls_made.fail, calls_made.lose = lambda _: None, lambda _: False
    return reply


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "answer lost"])
def test_an_erasure_that_died_is_finished_by_the_next(
    us: Client, monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    calls_made = record_calls()
    us.stack.directories.table.client = process().dynamodb
    place, statuses, flipped = 0, [], 0
    while True:
        key = us.stack.key(ACME, JAMES, now=us.now)
        before = len(calls_made.calls)
        reply = outcome(us, lambda: erased(us), calls_made, place, lost=lost)
        statuses.append(reply.status)
        if us.stack.directories.open(ACME).user_by_id(JAMES) is None:
            flipped += reply.status == 503
            assert us.get(f"{CLIENT}/users", key=key).status == 401
            assert traces(us.get("/v1/directory/export").text) == []
        again = erased(us)
        assert again.status == (404 if reply.status == 204 else 204)
        assert traces(stored()) == []
        assert us.get(f"{CLIENT}/users", key=key).status == 401
        if place > len(calls_made.calls) - before:
            break
        us.put("user", id=JAMES, username="james.wilson", email="james.wilson@example.com")
        place += 1
    assert set(statuses) <= {204, 503}
    assert lost or (statuses.count(503) >= 9 and flipped >= 4)


def test_what_is_not_ended_is_told(us: Client) -> None:
    calls_made = record_calls()
    calls_made.fail = lambda call: (
        throttled(call) if call == Call("DeleteItem", "directory") else None
    )
    answer = erased(us)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    calls_made.fail = lambda _: None
    assert (erased(us).status, erased(us).status) == (204, 404)
