"""PUT /v1/directory and its export: rows in, rows out, all at once or not at all."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odometer.api.v1.directory import LARGEST_BODY, MOST_ROWS, ORDER, rows_sent
from odometer.bootstrap import process
from odometer.directory.columns import BLOCK_ROWS
from odometer.directory.upsert import LONGEST_REASON, DirectoryEdit
from odometer.storage import directory
from odometer.storage.directory import BlockCache, DirectoryStore
from odometer.storage.dynamo import Meter, Table, Write
from odometer.web.messages import COMPRESSED, Request
from tests.support.memory_directory import ACME, NOON
from tests.support.people import People, people_of
from tests.support.stack import CONTEXT, OTHER, Reply, Stack, endpoints, proxy_event

APP = "f1a2b3c4-d5e6-7890-abcd-ef1234567890"
OFFICE = "d2b3c4d5-e6f7-8901-bcde-f12345678901"
BLANKS = "expected text without blanks around it"
INVISIBLE = "expected text without invisible characters"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def us(stack: Stack) -> People:
    people_of(stack, OTHER)
    return people_of(stack, ACME)


def put(us: People, document: Any) -> Reply:
    return us.stack.put(us.key("admin"), document)


def put_lines(us: People, *lines: Any) -> Reply:
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return us.stack.call("PUT", "/v1/directory", us.key("admin"), headers=NDJSON, body=body)


def refused(reply: Reply) -> tuple[int, Any]:
    return reply.status, reply.json["error"]


def results(reply: Reply) -> list[Any]:
    assert reply.status == 200
    return list(reply.json["results"])


def test_every_row_is_answered_in_its_place(us: People) -> None:
    document = {
        "users": [
            {"username": "kim", "team": "New", "departments": ["Research"]},
            {"id": us.id("member"), "username": us.username("lead")},
            {"username": "x:y"},
        ],
        "organization": {"time_zone": "Europe/Berlin"},
        "license": {"seats": 50},
        "departments": [{"id": OFFICE, "name": "Research"}],
        "products": [{"id": APP, "name": "Mail", "kind": "app"}],
        "teams": [{"id": "t1", "name": "New"}],
    }
    answered = results(put(us, document))
    kim = answered[0].pop("id")
    assert answered == [
        {"index": 0, "kind": "user", "status": "created"},
        {
            "index": 1,
            "kind": "user",
            "id": us.id("member"),
            "status": "rejected",
            "code": "conflict",
            "message": "username: belongs to user acme-lead",
        },
        {
            "index": 2,
            "kind": "user",
            "id": None,
            "status": "rejected",
            "code": "invalid_parameter",
            "message": "username: a colon would end it in a Basic header",
        },
        {"index": 0, "kind": "organization", "id": ACME, "status": "updated"},
        {"index": 0, "kind": "license", "id": None, "status": "unchanged"},
        {"index": 0, "kind": "department", "id": OFFICE, "status": "created"},
        {"index": 0, "kind": "product", "id": APP, "status": "created"},
        {"index": 0, "kind": "team", "id": "t1", "status": "created"},
    ]
    info = us.stack.get(f"/api/v1/user/{kim}", us.key("admin")).json
    assert info["teams"] == {"team_id": "t1", "team_name": "New"}


def test_lines_are_answered_by_their_numbers(us: People) -> None:
    reply = put_lines(
        us,
        {"kind": "team", "id": "t1", "name": "New"},
        "",
        "{",
        "[]",
        {"kind": "nobody"},
        {"kind": []},
        {"kind": None},
        {},
        '{"kind": "team", "name": "a", "name": "b"}',
        {"kind": "product", "id": APP, "name": "Mail", "product_kind": "app"},
        {"kind": "team", "id": "t1", "name": "New"},
    )
    expected = f"kind: expected one of {', '.join(ORDER)}"
    unknown = {"kind": "unknown", "id": None, "status": "rejected", "code": "invalid_parameter"}
    assert results(reply) == [
        {"index": 0, "kind": "team", "id": "t1", "status": "created"},
        {"index": 2, **unknown, "message": "body: not valid JSON"},
        {"index": 3, **unknown, "message": expected},
        {"index": 4, **unknown, "message": expected},
        {"index": 5, **unknown, "message": expected},
        {"index": 6, **unknown, "message": expected},
        {"index": 7, **unknown, "message": expected},
        {"index": 8, **unknown, "message": "body: a name stands twice in one object"},
        {"index": 9, "kind": "product", "id": APP, "status": "created"},
        {"index": 10, "kind": "team", "id": "t1", "status": "unchanged"},
    ]


def test_nothing_at_all_changes_nothing(us: People) -> None:
    version = us.stack.directories.open(ACME).head.version
    assert results(put(us, {})) == []
    assert results(put_lines(us)) == []
    assert us.stack.directories.open(ACME).head.version == version


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        ("{", "application/json", 400, "body: not valid JSON"),
        ("[]", "application/json", 400, "body: expected a JSON object"),
        ("null", "application/json", 400, "body: expected a JSON object"),
        ('{"users": {}}', "application/json", 400, "users: expected an array"),
        ('{"license": []}', "application/json", 400, "license: expected an object"),
        (
            '{"people": [], "teams": null}',
            "application/json",
            400,
            "people: unknown parameter; teams: expected an array",
        ),
        (b'{"teams": [{"name": "\xff"}]}', "application/json", 400, "body: not valid JSON"),
        (b"\xef\xbb\xbf{}", "application/json", 400, "body: not valid JSON"),
        ("{}", "text/plain", 415, "Content type not supported"),
        ("{}", "", 415, "Content type not supported"),
        ("{}", "application/json, text/plain", 415, "Content type not supported"),
        (
            "{}" + " " * 5 * 1024 * 1024,
            "application/json",
            413,
            "Larger than can be handled at once: at most 5242880 bytes of application/json",
        ),
        (
            "\n" * (4 * 1024 * 1024 + 1),
            "application/x-ndjson",
            413,
            "Larger than can be handled at once: at most 4194304 bytes of application/x-ndjson",
        ),
        (
            '{"users": [' + "{}," * 10_000 + "{}]}",
            "application/json",
            413,
            "Larger than can be handled at once: at most 10000 rows",
        ),
        (
            "{}\n" * 10_001,
            "application/x-ndjson",
            413,
            "Larger than can be handled at once: at most 10000 rows",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_is_none_is_refused_as_a_whole(
    us: People, body: str | bytes, content_type: str, status: int, message: str
) -> None:
    headers = {"content-type": content_type}
    reply = us.stack.call("PUT", "/v1/directory", us.key("admin"), headers=headers, body=body)
    assert (reply.status, reply.json["error"]["message"]) == (status, message)


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("teams", {"name": "a\x00"}, "name: expected text without control characters"),
        ("teams", {"name": "a\r\nb"}, "name: expected text without control characters"),
        ("teams", {"name": "x" * 8192}, "name: expected 1 to 256 bytes"),
        ("teams", {"name": ""}, "name: expected 1 to 256 bytes"),
        ("teams", {"id": "usage", "name": "x"}, "id: usage is a word of the routes"),
        (
            "teams",
            {"id": "account-utilizations", "name": "x"},
            "id: account-utilizations is a word of the routes",
        ),
        ("teams", {"id": "..", "name": "x"}, "id: .. is a word of the routes"),
        (
            "teams",
            {"id": "a/b", "name": "x"},
            r"id: expected text without control characters and without any of /\?#%",
        ),
        ("teams", {"name": " "}, f"name: {BLANKS}"),
        ("teams", {"id": "t1 ", "name": "x"}, f"id: {BLANKS}"),
        ("users", {"username": " "}, f"username: {BLANKS}"),
        ("users", {"username": " p01"}, f"username: {BLANKS}"),
        ("users", {"username": "p", "user_key": "p01\u00a0"}, f"user_key: {BLANKS}"),
        ("users", {"id": " u1", "username": "p"}, f"id: {BLANKS}"),
        ("organization", {"name": "Ac\u200bme"}, f"name: {INVISIBLE}"),
        ("organization", {"plan_type": "\ufeffpro"}, f"plan_type: {INVISIBLE}"),
        ("organization", {"domains": ["a\u200d.com"]}, f"domains.0: {INVISIBLE}"),
        ("license", {"features": ["a\u00ad"]}, f"features.0: {INVISIBLE}"),
        ("teams", {"name": "Co\u200bre"}, f"name: {INVISIBLE}"),
        ("teams", {"id": "t\u2060"}, f"id: {INVISIBLE}"),
        ("departments", {"name": "\u3164"}, f"name: {INVISIBLE}"),
        ("products", {"name": "Mail\ufe0f", "kind": "app"}, f"name: {INVISIBLE}"),
        ("users", {"username": "j\u202eo"}, f"username: {INVISIBLE}"),
        ("users", {"username": "jo", "user_key": "\ufeffjo"}, f"user_key: {INVISIBLE}"),
        ("users", {"id": "u\u200b1", "username": "jo"}, f"id: {INVISIBLE}"),
        ("users", {"username": "jo", "email": "j\u200co@x"}, f"email: {INVISIBLE}"),
        ("teams", {"name": "x", "is_default": "true"}, "is_default: expected true or false"),
        ("teams", {"name": 5}, "name: expected a string"),
        ("teams", [], "row: expected an object"),
        (
            "teams",
            {"nmae": "x", "name": ["x"]},
            "name: expected a string; nmae: unknown parameter",
        ),
        (
            "users",
            {"username": "a:b"},
            "username: a colon would end it in a Basic header",
        ),
        (
            "users",
            {"username": "x", "role": "Owner"},
            "role: expected one of Admin, Manager, TeamLead, Member",
        ),
        (
            "users",
            {"username": "x", "state": "gone"},
            "state: expected one of invited, registered, deactivated",
        ),
        (
            "users",
            {"username": "x", "state_since": 5},
            "state_since: expected an instant like 2026-02-28T17:42:00Z",
        ),
        ("users", {"username": "x", "departments": "d1"}, "departments: expected an array"),
        ("users", {"username": "x", "departments": [1]}, "departments.0: expected a string"),
        (
            "users",
            {"username": "x", "departments": ["d"] * 51},
            "departments: expected an array of at most 50",
        ),
        (
            "products",
            {"name": "x", "kind": "tset"},
            "kind: expected one of test, visual, completion, chat, app",
        ),
        (
            "organization",
            {"time_zone": "Mars/Base"},
            "time_zone: expected an IANA time zone like Europe/Berlin",
        ),
        (
            "organization",
            {"retention_years": 0},
            "retention_years: expected an integer from 1 to 10",
        ),
        ("organization", {"domains": "x"}, "domains: expected an array"),
        ("license", {"seats": -1}, "seats: expected an integer from 0 to 9007199254740991"),
        ("license", {"seats": 2**53}, "seats: expected an integer from 0 to 9007199254740991"),
        ("license", {"seats": 5.0}, "seats: expected an integer from 0 to 9007199254740991"),
        ("license", {"settings": []}, "settings: expected an object"),
        (
            "license",
            {"settings": {"x": "y" * 16_384}},
            "settings: expected an object of at most 16384 bytes, nested 16 deep",
        ),
        (
            "license",
            {"settings": json.loads('{"a":' * 17 + "1" + "}" * 17)},
            "settings: expected an object of at most 16384 bytes, nested 16 deep",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_row_is_answered_with_its_faults(
    us: People, kind: str, row: Any, message: str
) -> None:
    before = us.stack.directories.open(ACME).head
    document = {kind: [row] if kind.endswith("s") else row}
    (answered,) = results(put(us, document))
    assert (answered["status"], answered["code"], answered["message"]) == (
        "rejected",
        "invalid_parameter",
        message,
    )
    assert us.stack.directories.open(ACME).head == before


def test_a_row_is_rejected_whole_and_all_its_faults_are_named(us: People) -> None:
    us.stack.put(us.key("admin"), {"organization": {"public_key": "before"}})
    before = us.stack.get("/v1/directory/export", us.key("admin")).text
    organization = {
        "name": None,
        "time_zone": "Mars/Base",
        "public_key": "-----BEGIN\tPUBLIC KEY-----",
        "domains": ["a.com", 5],
        "plan_type": "enterprise",
        "plan": "enterprise",
    }
    user = {"username": "a:b", "role": "Owner", "team": "None", "departments": [" d"], "mail": "x"}
    product = {"name": "Mail", "kind": "app", "id": "mail", "owner": 5}
    rows = {"organization": organization, "users": [user], "products": [product]}
    assert [row["message"] for row in results(put(us, rows))] == [
        (
            "time_zone: expected an IANA time zone like Europe/Berlin; "
            "domains.1: expected a string; "
            "public_key: expected text without control characters but line breaks; "
            "plan: unknown parameter; "
            "name: cannot be cleared"
        ),
        (
            "role: expected one of Admin, Manager, TeamLead, Member; "
            f"departments.0: {BLANKS}; "
            "mail: unknown parameter; "
            "username: a colon would end it in a Basic header; "
            "team: nothing is called None"
        ),
        "owner: unknown parameter; id: expected a UUID; one is made if it is left out",
    ]
    assert us.stack.get("/v1/directory/export", us.key("admin")).text == before


def test_what_depends_on_a_name_that_cannot_be_read_is_no_fault_of_the_row(us: People) -> None:
    lead = {"id": us.id("lead"), "username": " x", "role": "Owner", "state_since": "soon"}
    rows = [{"id": 5, "role": "Member"}, {"user_key": " k", "team": "None"}, lead]
    assert [row["message"] for row in results(put(us, {"users": rows}))] == [
        "id: expected a string",
        f"user_key: {BLANKS}; team: nothing is called None",
        (
            f"username: {BLANKS}; "
            "role: expected one of Admin, Manager, TeamLead, Member; "
            "state_since: expected an instant like 2026-02-28T17:42:00Z"
        ),
    ]


PEM = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\nGb9ECWmEzf6FQbrBZ9w7\n-----END PUBLIC KEY-----\n"
)


@pytest.mark.parametrize("line_break", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_public_key_is_given_back_as_it_was_sent(us: People, line_break: str) -> None:
    pem = PEM.replace("\n", line_break)
    (answered,) = results(put(us, {"organization": {"public_key": pem}}))
    assert answered["status"] == "updated"
    assert us.stack.get("/api/v1/organization", us.key("admin")).json["publicKey"] == pem
    exported = us.stack.get("/v1/directory/export", us.key("admin")).text
    assert json.loads(exported.splitlines()[0])["public_key"] == pem
    assert {row["status"] for row in results(put_lines(us, *exported.splitlines()))} == {
        "unchanged"
    }


@pytest.mark.parametrize("public_key", ["a\rb", "a\tb", "a\r\r\nb", "a\u2028b", "a\x00", 5])
def test_a_public_key_holds_lines_and_nothing_else(us: People, public_key: Any) -> None:
    (answered,) = results(put(us, {"organization": {"public_key": public_key}}))
    assert (answered["status"], answered["message"][:20]) == ("rejected", "public_key: expected")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("usage", "usage"),
        ("a/b", "a/b"),
        ("x" * 8192, "x" * 64),
        ("a\x00", "a\N{REPLACEMENT CHARACTER}"),
        (5, None),
        (["a"], None),
    ],
    ids=lambda value: str(value)[:10],
)
def test_a_rejected_row_is_answered_with_the_id_that_was_sent(
    us: People, sent: Any, shown: str | None
) -> None:
    row = {"id": sent, "name": "x"}
    (answered,) = results(put(us, {"teams": [row]}))
    assert (answered["status"], answered["id"]) == ("rejected", shown)
    assert results(put_lines(us, {"kind": "team", **row}))[0]["id"] == shown


def test_the_reason_of_a_rejection_is_not_repeated_without_end(us: People) -> None:
    row = {f"unknown {number}": 1 for number in range(10_000)}
    (answered,) = results(put(us, {"teams": [row]}))
    assert len(answered["message"]) == LONGEST_REASON


# ids that are UUIDs


@pytest.mark.parametrize(
    ("kind", "row"), [("teams", {}), ("departments", {}), ("products", {"kind": "app"})]
)
def test_an_id_that_is_a_uuid_is_one_id_in_either_case(
    us: People, kind: str, row: dict[str, str]
) -> None:
    ids = (APP.upper(), APP, APP.upper())
    found = results(put(us, {kind: [{"id": each, "name": "One", **row} for each in ids]}))
    assert [(each["id"], each["status"]) for each in found] == [
        (APP, "created"),
        (APP, "unchanged"),
        (APP, "unchanged"),
    ]


def test_a_uuid_is_referred_to_and_looked_up_in_either_case(us: People) -> None:
    place = {"team": APP, "departments": [APP]}
    put(us, {"teams": [{"id": APP, "name": "T"}], "departments": [{"id": APP, "name": "D"}]})
    put(us, {"users": [{"id": "kim", "username": "kim", **place}]})
    shouted = {"team": APP.upper(), "departments": [APP.upper()]}
    (again,) = results(put(us, {"users": [{"id": "kim", **shouted}]}))
    assert again["status"] == "unchanged"
    team = us.stack.get(f"/api/v1/team/{APP.upper()}", us.key("admin"))
    assert (team.status, team.json["id"]) == (200, APP)


def test_the_names_of_people_are_told_apart_letter_by_letter(us: People) -> None:
    people = [{"id": each, "username": f"{each}@x"} for each in (APP.upper(), APP)]
    found = results(put(us, {"users": people}))
    assert [(each["id"], each["status"]) for each in found] == [
        (APP.upper(), "created"),
        (APP, "created"),
    ]


# the export


def test_what_is_exported_can_be_put_back_and_changes_nothing(us: People) -> None:
    put(
        us,
        {"products": [{"id": APP, "name": "Mail", "kind": "app"}], "departments": [{"name": "D"}]},
    )
    since = "2026-01-01T00:00:00.250+05:30"
    put(
        us,
        {
            "users": [
                {"id": us.id("gone"), "state": "registered", "state_since": "2026-03-01T00:00:00Z"},
                {"username": "old", "state_since": "1970-01-02T00:00:00Z"},
                {"username": "née", "state_since": since, "departments": ["D"]},
            ]
        },
    )
    exported = us.stack.get("/v1/directory/export", us.key("admin"))
    assert exported.headers["Content-Type"] == "application/x-ndjson"
    again = us.stack.call(
        "PUT", "/v1/directory", us.key("admin"), headers=NDJSON, body=exported.text
    )
    assert {row["status"] for row in results(again)} == {"unchanged"}
    assert us.stack.get("/v1/directory/export", us.key("admin")).text == exported.text


def test_an_export_makes_the_same_directory_in_another_organization(us: People) -> None:
    them = People(us.stack, OTHER)
    exported = us.stack.get("/v1/directory/export", us.key("admin")).text
    mine = them.key("admin")
    answered = us.stack.call("PUT", "/v1/directory", mine, headers=NDJSON, body=exported)
    by_kind = {(row["kind"] == "kind", row["status"]) for row in results(answered)}
    assert by_kind == {(True, "unchanged"), (False, "created"), (False, "updated")}
    found = us.stack.get("/v1/directory/export", mine).text.splitlines()
    assert set(exported.splitlines()) <= set(found)


def test_an_export_that_is_too_large_says_what_helps(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer.web.messages.ANSWER_LIMIT", 1000)
    monkeypatch.setattr("odometer.web.messages.COMPRESSED_FROM", 500)
    too_large = "the answer is too large without gzip"
    accept = f"Accept: {too_large}, which needs application/x-ndjson to come first"
    found = {
        (): f"{accept}; Accept-Encoding: {too_large}",
        ("accept-encoding",): accept,
        ("accept",): f"Accept-Encoding: {too_large}",
    }
    good = {"accept": "application/x-ndjson", "accept-encoding": "gzip"}
    for names, words in found.items():
        headers = {name: good[name] for name in names}
        reply = us.stack.get("/v1/directory/export", us.key("admin"), **headers)
        assert (reply.status, reply.json["error"]["message"]) == (400, words)


# the largest bodies that are taken


def event_at_the_limit(content_type: str, row: bytes, between: bytes, around: bytes) -> Any:
    """What the gateway passes on for the largest body of rows, with all the headers that it takes.

    Lines are what the template calls binary, so they are passed on in base64.
    """
    first, last = around.split(b"...")
    whole = first + between.join([row] * MOST_ROWS) + last
    body = whole.ljust(LARGEST_BODY[content_type])
    assert len(body) == LARGEST_BODY[content_type]
    headers = {"content-type": content_type, "x-more": '"' * GATEWAYS_HEADERS}
    binary = content_type in COMPRESSED
    return proxy_event("PUT", "/v1/directory", headers, body if binary else body.decode())


GATEWAYS_HEADERS = 10_240
LAMBDAS_REQUEST = 6 * 1024 * 1024
FULL: dict[str, Any] = {
    "id": "11111111-2222-3333-4444-555555555555",
    "username": "first.last@example.com",
    "user_key": "first.last",
    "email": "first.last@example.com",
    "type": "account-user",
    "role": "Member",
    "team": "11111111-2222-3333-4444-555555555555",
    "departments": ["one", "two", "three"],
    "verified": True,
    "state": "registered",
    "state_since": "2026-01-01T00:00:00Z",
}


def test_the_largest_document_is_what_a_function_takes() -> None:
    row = json.dumps(FULL).encode()
    event = event_at_the_limit("application/json", row, b",\n", b'{"users": [...]}')
    assert len(json.dumps(event)) <= LAMBDAS_REQUEST
    assert len(rows_sent(Request.of(event))) == MOST_ROWS


def test_the_most_lines_are_what_a_function_takes() -> None:
    row = json.dumps({"kind": "user", **FULL}).encode()
    event = event_at_the_limit("application/x-ndjson", row, b"\n", b"...\n")
    assert event["isBase64Encoded"]
    assert len(json.dumps(event)) <= LAMBDAS_REQUEST
    assert len(rows_sent(Request.of(event))) == MOST_ROWS


# many rows, little time, many writers


def test_ten_thousand_users_are_taken_at_once(
    us: People, capsys: pytest.CaptureFixture[str]
) -> None:
    began = datetime.now(UTC)
    document = {"users": [{"id": f"u{n}", "username": f"user {n}"} for n in range(10_000)]}
    answered = results(put(us, document))
    took = datetime.now(UTC) - began
    assert [row["status"] for row in answered] == ["created"] * 10_000
    again = results(put(us, document))
    assert {row["status"] for row in again} == {"unchanged"}
    page = us.stack.get(
        "/api/v1/organization/users?offset=9990&limit=0&teamMember=false", us.key("admin")
    )
    assert page.json["meta"] == {"count": 12, "total": 10_002, "next": None}
    with capsys.disabled():
        seconds = took / timedelta(seconds=1)
        sys.stdout.write(f"\n10,000 users were created in {seconds:.1f} s, engine included\n")


def test_what_the_deadline_does_not_reach_says_so_and_can_be_sent_again(us: People) -> None:
    body = json.dumps({"teams": [{"name": "A"}, {"name": 5}], "users": [{"username": "kim"}]})
    headers = {"authorization": f"Bearer {us.key('admin')}", "content-type": "application/json"}
    event = proxy_event("PUT", "/v1/directory", headers, body)
    hurried: Any = type(CONTEXT)(get_remaining_time_in_millis=lambda: 1)
    answer = endpoints()["v1/put_directory"](event, hurried)
    left = {
        "id": None,
        "status": "not_attempted",
        "code": "timeout",
        "message": "send this row again",
    }
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["results"] == [
        {"index": 0, "kind": "team", **left},
        {"index": 1, "kind": "team", **left},
        {"index": 0, "kind": "user", **left},
    ]
    again = us.stack.call("PUT", "/v1/directory", headers=headers, body=body)
    assert [row["status"] for row in results(again)] == ["created", "rejected", "created"]


def stored(prefix: str) -> dict[str, Any]:
    items = process().dynamodb.scan(TableName="directory")["Items"]
    mine = {item["sk"]["S"]: item for item in items if item["pk"]["S"] == ACME}
    return {key: item for key, item in mine.items() if key.startswith(prefix)}


def named(stack: Stack) -> set[str]:
    blocks = stack.directories.open(ACME).head.blocks
    return {directory.block_key(block, commit) for block, commit in blocks.items()}


def meanwhile(stack: Stack, *names: str) -> Callable[[DirectoryEdit], None]:
    """Apply a team; the first times, others get in between."""
    waiting = list(names)

    def apply(edit: DirectoryEdit) -> None:
        edit.apply("team", {"id": "mine", "name": "Mine"})
        if waiting:
            stack.apply(ACME, "team", {"id": waiting[0], "name": waiting.pop(0)})

    return apply


def test_the_loser_of_a_race_starts_again_and_nothing_is_lost(us: People) -> None:
    us.stack.directories.change(ACME, NOON, meanwhile(us.stack, "first", "second"))
    teams = [team.id for team in us.stack.directories.open(ACME).teams]
    assert teams == ["acme-core", "acme-edge", "first", "second", "mine"]
    blocks = stored("BLOCK#")
    assert named(us.stack) <= blocks.keys()
    assert not [key for key in named(us.stack) if "ttl" in blocks[key]]
    assert all("ttl" in blocks[key] for key in blocks.keys() - named(us.stack))


def test_a_writer_who_dies_before_the_flip_leaves_the_old_version(us: People) -> None:
    class Dying(Table):
        def write_if(self, *_: Any) -> Write:
            raise KeyboardInterrupt

    before = us.stack.get("/v1/directory/export", us.key("admin")).text
    broken = DirectoryStore(Dying("directory", Meter(), process().dynamodb), BlockCache())
    with pytest.raises(KeyboardInterrupt):
        broken.change(ACME, NOON, lambda edit: edit.apply("team", {"name": "Lost"}))
    process.cache_clear()
    assert us.stack.get("/v1/directory/export", us.key("admin")).text == before
    assert [row["status"] for row in results(put(us, {"teams": [{"name": "Lost"}]}))] == ["created"]


def test_a_version_that_is_held_stays_whole_while_others_are_made(us: People) -> None:
    held = us.stack.directories.open(ACME)
    for number in range(3):
        put(us, {"teams": [{"id": us.id("core"), "name": f"Core {number}"}]})
    process.cache_clear()
    assert [team.name for team in held.teams] == ["Core", "Edge"]


def test_a_block_that_is_gone_is_an_error_and_never_an_empty_answer(us: People) -> None:
    admin = us.key("admin")
    for key in named(us.stack):
        if "#profile#" in key:
            us.stack.directories.table.delete(ACME, key)
    process.cache_clear()
    reply = us.stack.get("/v1/directory/export", admin)
    assert refused(reply) == (
        500,
        {"code": "internal_error", "message": "Internal server error", "details": {}},
    )


def test_rows_stand_in_blocks_of_bounded_size(us: People) -> None:
    put(us, {"users": [{"username": f"user {n}"} for n in range(BLOCK_ROWS)]})
    families = sorted(key.split("#")[2:4] for key in named(us.stack) if "#users#" in key)
    assert families == [
        [family, number]
        for family in ("names", "profile", "roster")
        for number in ("00000", "00001")
    ]


def test_the_neighbour_never_notices(us: People) -> None:
    them = People(us.stack, OTHER)
    before = us.stack.get("/v1/directory/export", them.key("admin")).text
    put(us, {"teams": [{"name": "Core"}, {"name": "New"}], "organization": {"name": "Renamed"}})
    assert us.stack.get("/v1/directory/export", them.key("admin")).text == before
