"""Keys over the API: made, listed, rotated, revoked, and each of it effective at once."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odometer.access.keys import AccessKey, Credential, base62, issue
from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.directory.upsert import DirectoryEdit
from odometer.storage.directory import DirectoryStore, new_credential_item
from odometer.storage.dynamo import Item
from odometer.storage.key_activity import activity_key
from tests.support.memory_directory import ACME, NOON
from tests.support.people import People, basic, people_of
from tests.support.stack import OTHER, Reply, Stack
from tests.support.storage_calls import StorageCalls, record_calls

ORGANIZATION = "/api/v1/organization"
NOBODY = "user: expected the id, username or user_key of a user"
INSTANT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"
LATER = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@pytest.fixture
def us(stack: Stack) -> People:
    people_of(stack, OTHER)
    return people_of(stack, ACME)


@pytest.fixture
def calls_made(us: People) -> StorageCalls:
    return record_calls()


def make(us: People, by: str, **values: Any) -> Reply:
    body = {"name": "new", "user": us.id(by), "scopes": ["usage:read"], **values}
    return us.stack.call("POST", "/v1/keys", us.key(by), body=body)


def rotate(us: People, key_id: str, body: Any = None) -> Reply:
    return us.stack.call("POST", f"/v1/keys/{key_id}/rotate", us.key("admin"), body=body)


def opens(us: People, key: str) -> bool:
    status = us.stack.get(ORGANIZATION, key).status
    assert status in (200, 401)
    return status == 200


def listed(us: People, key_id: str) -> dict[str, Any]:
    keys = us.stack.get("/v1/keys", us.key("admin")).json["keys"]
    return next(key for key in keys if key["key_id"] == key_id)


def test_a_key_is_shown_once_and_works_at_once(us: People) -> None:
    reply = make(us, "admin", expires_at=LATER.isoformat(), scopes=["usage:read", "usage:read"])
    made = reply.json
    key = AccessKey.parse(made["access_key"])
    assert key
    assert re.fullmatch(INSTANT, made["created_at"])
    assert (reply.status, made) == (
        201,
        {
            "key_id": key.key_id,
            "access_key": str(key),
            "name": "new",
            "user": us.id("admin"),
            "scopes": ["usage:read"],
            "created_at": made["created_at"],
            "expires_at": f"{LATER:%Y-%m-%dT%H:%M:%SZ}",
        },
    )
    assert opens(us, str(key))
    assert us.stack.get(ORGANIZATION, **basic(us.username("admin"), str(key))).status == 200
    row = listed(us, key.key_id)
    assert row == {
        "key_id": key.key_id,
        "prefix": AccessKey.prefix(ACME, key.key_id),
        "name": "new",
        "user": us.id("admin"),
        "scopes": ["usage:read"],
        "created_at": made["created_at"],
        "expires_at": f"{LATER:%Y-%m-%dT%H:%M:%SZ}",
        "revoked_at": None,
        "last_used_at": made["created_at"],  # told to the hour, and not before it was made
    }


def test_the_owner_of_a_key_is_named_by_id_username_or_user_key(us: People) -> None:
    lead = us.id("lead")
    us.stack.put(us.key("admin"), {"users": [{"id": lead, "user_key": "lead-1"}]})
    for name in (lead, us.username("lead"), "lead-1"):
        reply = make(us, "admin", user=name)
        assert (reply.status, reply.json["user"]) == (201, lead)
        assert us.stack.get("/v1/keys", reply.json["access_key"]).status == 403  # usage:read alone
    assert make(us, "lead", user=us.username("lead")).json["user"] == lead
    assert make(us, "lead", user=us.username("member")).status == 403
    assert make(us, "lead", user="nobody").status == 403


def test_an_owner_whom_several_may_be_is_a_fault(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        DirectoryEdit, "faults", lambda *_: []
    )  # a directory from before that was refused
    rows = [{"username": "twin", "user_key": "a"}, {"username": "b", "user_key": "twin"}]
    ids = [us.stack.apply(ACME, "user", {"id": f"twin-{row['user_key']}", **row}) for row in rows]
    reply = make(us, "admin", user="twin")
    message = "user: several users are called so; give the id of one"
    assert (reply.status, reply.json["error"]["message"]) == (400, message)
    assert make(us, "manager", user="twin").status == 403
    assert make(us, "admin", user=ids[0]).json["user"] == ids[0]


def test_what_was_made_is_what_is_listed_to_the_second(us: People) -> None:
    expiry = LATER + timedelta(milliseconds=250)
    made = make(us, "admin", expires_at=expiry.isoformat()).json
    row = listed(us, made["key_id"])
    assert {name: row[name] for name in ("created_at", "expires_at")} == {
        name: made[name] for name in ("created_at", "expires_at")
    }


def test_an_admin_sees_all_keys_and_everybody_else_their_own(us: People) -> None:
    for who in ("manager", "lead", "member"):
        reply = us.stack.get("/v1/keys", us.key(who))
        assert {key["user"] for key in reply.json["keys"]} == {us.id(who)}
    everybody = us.stack.get("/v1/keys", us.key("admin")).json["keys"]
    assert {key["user"] for key in everybody} == {
        us.id(who) for who in ("admin", "manager", "lead", "member")
    }


QUOTES = '"' * 256
"""The name that takes most of an answer: each quote is escaped twice on its way."""


def add_keys(us: People, who: str, count: int) -> dict[str, datetime]:
    """Keys that were used, by their ids, as whoever has keys:write may make them."""
    directories, used_at = us.stack.directories, NOON + timedelta(hours=1)
    user = directories.open(ACME).user_by_id(us.id(who))
    assert user
    _, one = issue(ACME, QUOTES, user.ordinal, frozenset(Scope), process().secret, NOON)
    ids = [base62(at * 7919 % 2503 * 62**10, 12) for at in range(count)]
    keys = (
        replace(one, key_id=each, created_at=NOON + timedelta(seconds=at))
        for at, each in enumerate(ids)
    )
    directories.table.put_all(map(new_credential_item, keys))
    activity = replace(directories.table, name="activity")
    hour = int(used_at.timestamp())
    uses: Iterator[Item] = ({"pk": ACME, "sk": activity_key(each), "used_at": hour} for each in ids)
    activity.put_all(uses)
    return dict.fromkeys(ids, used_at)


def test_any_number_of_keys_is_listed_in_pages_that_cost_no_more_each(
    us: People, calls_made: StorageCalls
) -> None:
    admin, made = us.key("admin"), add_keys(us, "member", 2500)
    url = "/v1/keys"
    found: list[dict[str, Any]] = []
    sizes: list[int] = []
    us.stack.get("/v1/keys?limit=1", admin)
    while url:
        assert len(sizes) < 3
        calls_made.requests.clear()
        reply = us.stack.get(url, admin)
        assert len(json.dumps(reply.text)) < 6_000_000 / 2
        assert float(reply.headers["X-Read-Units"]) <= 300
        queries = Counter(
            each.call.resource for each in calls_made.requests if each.call.verb == "Query"
        )
        assert queries["directory"] <= 2
        assert queries["activity"] == 1
        rows = reply.json["keys"]
        assert rows == sorted(rows, key=lambda row: (row["created_at"], row["key_id"]))
        found, sizes = found + rows, [*sizes, len(rows)]
        link = reply.headers.get("Link", "<")
        following = reply.json["next_cursor"]
        assert link == (f'<?cursor={following}>; rel="next"' if following else "<")
        url = following and f"/v1/keys?cursor={following}"
    assert sizes == [1000, 1000, 501]
    assert len({row["key_id"] for row in found}) == 2501
    uses = {row["key_id"]: row["last_used_at"] for row in found if row["key_id"] in made}
    assert uses == {each: f"{at:%Y-%m-%dT%H:%M:%SZ}" for each, at in made.items()}


def test_uses_of_keys_that_are_gone_hide_none_of_the_others(us: People) -> None:
    admin, gone = us.key("admin"), add_keys(us, "member", 30)
    kept = sorted(gone)[20]
    for each in gone.keys() - {kept}:
        us.stack.directories.table.delete(ACME, f"KEY#{each}")
    assert us.stack.get("/v1/keys?limit=1", admin).json["keys"][0]["last_used_at"]


def test_a_page_of_keys_is_a_table_or_lines_too(us: People) -> None:
    us.key("member")
    admin = us.key("admin")
    lines = us.stack.get("/v1/keys?limit=1", admin, accept="application/x-ndjson")
    table = us.stack.get("/v1/keys?limit=1", admin, accept="text/csv")
    page = us.stack.get("/v1/keys?limit=1", admin)
    assert [json.loads(line) for line in lines.text.splitlines()] == page.json["keys"]
    assert len(table.text.splitlines()) == 2
    assert table.headers["Link"] == lines.headers["Link"] == page.headers["Link"]
    tag = page.headers["ETag"]
    assert us.stack.get("/v1/keys?limit=1", admin, **{"if-none-match": tag}).status == 304


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: expected an integer from 1 to 1000"),
        ("limit=1001", "limit: expected an integer from 1 to 1000"),
        ("cursor=~", "cursor: expected the next_cursor of a page"),
        ("cursor=%D9%A1", "cursor: expected the next_cursor of a page"),
        ("cursor=0000000000000", "cursor: expected 1 to 12 bytes"),
        ("user=ada", "user: unknown parameter"),
    ],
)
def test_a_page_of_keys_that_cannot_be_is_refused(us: People, query: str, message: str) -> None:
    reply = us.stack.get(f"/v1/keys?{query}", us.key("admin"))
    assert (reply.status, reply.json["error"]["message"]) == (400, message)


def test_a_list_of_keys_holds_no_secret(us: People) -> None:
    made = make(us, "admin").json["access_key"]
    key = AccessKey.parse(made)
    assert key
    text = us.stack.get("/v1/keys", us.key("admin")).text
    assert key.secret not in text
    assert "digest" not in text


def test_nobody_makes_a_key_that_can_more_than_their_own(us: People) -> None:
    body = {"name": "new", "user": us.id("manager"), "scopes": ["keys:write", "usage:read"]}
    modest = us.key("manager", Scope.WRITE_KEYS)
    assert us.stack.call("POST", "/v1/keys", modest, body=body).status == 403


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": None}, "name: expected a string"),
        ({"name": ""}, "name: expected 1 to 256 bytes"),
        ({"name": "a\x00"}, "name: expected text without control characters"),
        ({"name": "a\u200b"}, "name: expected text without invisible characters"),
        ({"name": " a"}, "name: expected text without blanks around it"),
        ({"user": "x" * 8192}, "user: expected 1 to 128 bytes"),
        ({"user": None}, "user: expected a string"),
        ({"user": "acme-nobody"}, NOBODY),
        ({"user": "globex-member"}, NOBODY),
        ({"user": "member@globex.example"}, NOBODY),
        ({"user": "Member@acme.example"}, NOBODY),
        ({"scopes": []}, "scopes: expected an array of at least 1"),
        ({"scopes": ["usage:read"] * 7}, "scopes: expected an array of at most 6"),
        ({"scopes": "usage:read"}, "scopes: expected an array"),
        ({"scopes": None}, "scopes: expected an array"),
        (
            {"scopes": ["usage:read", "everything"]},
            f"scopes.1: expected one of {', '.join(Scope)}",
        ),
        ({"expires_at": "tomorrow"}, "expires_at: expected an instant like 2026-02-28T17:42:00Z"),
        (
            {"expires_at": 1_900_000_000},
            "expires_at: expected an instant like 2026-02-28T17:42:00Z",
        ),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at: expected an instant in the future"),
        ({"role": "Admin"}, "role: unknown parameter"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_request_for_a_key_lists_its_faults(
    us: People, values: dict[str, Any], message: str
) -> None:
    reply = make(us, "admin", **values)
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_parameter")
    assert reply.json["error"]["message"] == message


def test_all_faults_of_a_body_are_listed_in_the_order_of_the_contract(us: People) -> None:
    reply = us.stack.call("POST", "/v1/keys", us.key("admin"), body={"zzz": 1, "scopes": [5]})
    assert reply.json == {
        "error": {
            "code": "invalid_parameter",
            "message": "name: required; user: required; "
            f"scopes.0: expected one of {', '.join(Scope)}; zzz: unknown parameter",
            "details": {"name": None, "user": None, "scopes.0": 5, "zzz": 1},
        }
    }


@pytest.mark.parametrize("null", [{"expires_at": None}, {}])
def test_a_key_without_an_expiry_does_not_expire(us: People, null: dict[str, Any]) -> None:
    assert make(us, "admin", **null).json["expires_at"] is None


def test_a_revoked_key_opens_nothing_from_now_on(us: People) -> None:
    made = make(us, "admin").json
    url = f"/v1/keys/{made['key_id']}"
    first = us.stack.call("DELETE", url, us.key("admin"))
    assert (first.status, first.text) == (204, "")
    assert not opens(us, made["access_key"])
    revoked_at = listed(us, made["key_id"])["revoked_at"]
    assert re.fullmatch(INSTANT, revoked_at)
    assert us.stack.call("DELETE", url, us.key("admin")).status == 204
    assert listed(us, made["key_id"])["revoked_at"] == revoked_at
    assert rotate(us, made["key_id"]).status == 404


def test_a_rotated_key_has_two_secrets_until_the_grace_is_over(us: People) -> None:
    made = make(us, "admin").json
    rotated = rotate(us, made["key_id"])
    assert rotated.status == 200
    answer = rotated.json
    until = datetime.fromisoformat(answer.pop("former_until")) - datetime.now(UTC)
    assert timedelta(hours=23) < until <= timedelta(days=1)
    assert {**answer, "access_key": made["access_key"]} == made
    assert opens(us, made["access_key"])
    assert opens(us, answer["access_key"])


def test_without_grace_the_former_secret_ends_at_once(us: People) -> None:
    made = make(us, "admin").json
    rotated = rotate(us, made["key_id"], {"grace_seconds": 0}).json
    assert [opens(us, key) for key in (made["access_key"], rotated["access_key"])] == [False, True]
    assert rotated["former_until"] is None


def test_a_key_may_not_rotate_one_that_opens_more_than_itself(us: People) -> None:
    more = make(us, "admin", scopes=["usage:read", "keys:write"]).json
    less = make(us, "admin", scopes=["keys:write"]).json
    answer = us.stack.call("POST", f"/v1/keys/{more['key_id']}/rotate", less["access_key"])
    assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden")
    assert opens(us, more["access_key"])
    own = us.stack.call("POST", f"/v1/keys/{less['key_id']}/rotate", less["access_key"])
    assert own.status == 200


def test_revocation_ends_both_secrets(us: People) -> None:
    made = make(us, "admin").json
    rotated = rotate(us, made["key_id"]).json
    us.stack.call("DELETE", f"/v1/keys/{made['key_id']}", us.key("admin"))
    assert not opens(us, made["access_key"])
    assert not opens(us, rotated["access_key"])


@pytest.mark.parametrize(
    "body",
    [{"grace_seconds": -1}, {"grace_seconds": 604_801}, {"grace_seconds": "5"}, {"grace": 5}],
)
def test_a_bad_grace_changes_nothing(us: People, body: dict[str, Any]) -> None:
    made = make(us, "admin").json
    assert rotate(us, made["key_id"], body).status == 400
    assert opens(us, made["access_key"])


def test_a_rotation_does_not_undo_a_revocation_that_came_in_between(us: People) -> None:
    made = make(us, "admin").json
    directories = us.stack.directories
    before = directories.credential(ACME, made["key_id"])
    assert before
    us.stack.call("DELETE", f"/v1/keys/{made['key_id']}", us.key("admin"))
    directories.change_credential(before, "digest", "former_digest", "former_until")
    assert not opens(us, made["access_key"])


def test_of_two_rotations_at_once_one_is_refused_and_the_other_opens(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(us, "admin").json
    found = DirectoryStore.credential
    meanwhile: list[Reply] = []

    def read(self: DirectoryStore, organization: str, key_id: str) -> Credential | None:
        credential = found(self, organization, key_id)
        if not meanwhile:
            meanwhile.append(Reply(0, {}, ""))
            meanwhile[0] = rotate(us, made["key_id"])
        return credential

    monkeypatch.setattr(DirectoryStore, "credential", read)
    late = rotate(us, made["key_id"])
    assert (meanwhile[0].status, late.status, late.json["error"]["code"]) == (200, 409, "conflict")
    assert opens(us, meanwhile[0].json["access_key"])
    assert opens(us, made["access_key"])


def test_a_key_whose_answer_from_the_table_was_lost_is_made(
    us: People, calls_made: StorageCalls
) -> None:
    lost = iter([True])
    calls_made.lose = lambda call: call.verb == "TransactWriteItems" and next(lost, False)
    made = make(us, "admin")
    assert (made.status, next(lost, None)) == (201, None)
    assert opens(us, made.json["access_key"])


def test_a_rotation_whose_answer_from_the_table_was_lost_is_done(
    us: People, calls_made: StorageCalls
) -> None:
    made = make(us, "admin").json
    lost = iter([True])
    calls_made.lose = lambda call: call.verb == "TransactWriteItems" and next(lost, False)
    rotated = rotate(us, made["key_id"], {"grace_seconds": 0})
    assert (rotated.status, next(lost, None)) == (200, None)
    assert opens(us, rotated.json["access_key"])


@pytest.mark.parametrize(
    "key_id",
    [
        "nobody",
        "a" * 12,
        "%00" * 12,
        "%C3%A9" * 12,
        "%D9%A1" * 12,
        "x" * 8192,
        "%0D%0A",
        "HEAD",
        "%23",
    ],
)
@pytest.mark.parametrize(("method", "suffix"), [("DELETE", ""), ("POST", "/rotate")])
def test_an_unknown_key_is_not_found_however_it_is_spelled(
    us: People, method: str, suffix: str, key_id: str
) -> None:
    for who, status in (("admin", 404), ("member", 403)):
        reply = us.stack.call(method, f"/v1/keys/{key_id}{suffix}", us.key(who))
        assert reply.status == status


def test_a_deactivated_owner_takes_all_their_keys_with_them(us: People) -> None:
    key = us.key("manager")
    assert opens(us, key)
    us.stack.put(us.key("admin"), {"users": [{"id": us.id("manager"), "state": "deactivated"}]})
    assert not opens(us, key)
    us.stack.put(us.key("admin"), {"users": [{"id": us.id("manager"), "state": "registered"}]})
    assert opens(us, key)


def test_a_change_of_role_is_effective_with_the_next_request(us: People) -> None:
    key = us.key("member")
    assert us.stack.get(ORGANIZATION, key).status == 403
    us.stack.put(us.key("admin"), {"users": [{"id": us.id("member"), "role": "Manager"}]})
    assert us.stack.get(ORGANIZATION, key).status == 200
