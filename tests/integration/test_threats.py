"""Attacks on every route: each was tried, and none works."""

import ast
import gzip
import json
import re
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import pytest

from odometer.access.keys import checksum_of
from odometer.access.policy import Scope
from odometer.api.v1 import directory as wire
from odometer.api.v1.directory import MOST_ROWS, ROWS
from odometer.bootstrap import process
from odometer.directory.columns import DirectoryHead
from odometer.directory.people import Organization
from odometer.domain.errors import MOST_TOLD
from odometer.engine.format import log_entries
from odometer.web.models import Query, parameter_names
from tests.integration.test_secrets import hostile_requests
from tests.support.memory_directory import ACME
from tests.support.people import YESTERDAY, People, bearer, people_of
from tests.support.stack import OTHER, Reply, endpoints, items_of, stack_on_moto
from tests.support.storage_calls import record_calls
from tests.support.usage_sender import EVENTS, log_of, message, send, usage_event, work

APPS = {ACME: "aa000000-0000-4000-8000-000000000001", OTHER: "bb000000-0000-4000-8000-000000000001"}
OFFICES = {
    ACME: "aa000000-0000-4000-8000-000000000002",
    OTHER: "bb000000-0000-4000-8000-000000000002",
}
NOBODYS = "cc000000-0000-4000-8000-000000000009"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[People, People]]:
    """Two organizations with the same people, an app and a department each."""
    with stack_on_moto() as stack:
        for organization in (ACME, OTHER):
            people_of(stack, organization)
            stack.apply(
                organization, "product", {"id": APPS[organization], "name": "Mail", "kind": "app"}
            )
            stack.apply(organization, "department", {"id": OFFICES[organization], "name": "Office"})
        yield People(stack, ACME), People(stack, OTHER)


@pytest.fixture
def us(both: tuple[People, People]) -> People:
    return both[0]


@pytest.fixture
def them(both: tuple[People, People]) -> People:
    return both[1]


# whose objects: API1


DAYS = "start_date=2026-02-01&end_date=2026-02-02"
SECONDS = "from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z"
BLOCKS = f"organizationId={ACME}&{SECONDS}&granularity=daily"
REPORT = "/insights/api/v3/public/usage-report"
REPORTED = "type=account-user&from=2026-02-01%2000:00:00&to=2026-02-02%2000:00:00"
CLIENT = f"/v2/clients/{ACME}"
ORIGINS = ["https://app.example.com"]
TOKEN = {"expires_in": 60, "origins": ORIGINS}
Place = tuple[str, str, Any]
PLACES: tuple[Place, ...] = (
    *(
        ("GET", path, None)
        for path in (
            "/api/v1/team/<team>",
            "/api/v1/team/<team>/users?offset=0&limit=9",
            "/api/v1/user/<user>",
            "/api/v1/team/account-utilizations?teamId=<team>",
            f"/api/v1/team/usage?{BLOCKS}&teamId=<team>",
            f"/api/v1/user/usage?{BLOCKS}&userId=<user>",
            f"/api/v1/team/usage?{SECONDS}&granularity=daily&teamId=x&organizationId=<organization>",
            f"/api/v1/user/usage?{SECONDS}&granularity=daily&userId=x&organizationId=<organization>",
            f"/api/v1/organization/usage?{SECONDS}&granularity=daily&organizationId=<organization>",
            "/v2/clients/<organization>/users",
            f"{CLIENT}/users/<user>",
            f"{CLIENT}/users/<user>/usage?{DAYS}",
            f"{CLIENT}/users?department_ids=<department>",
            f"{CLIENT}/users?department_id=<department>",
            f"{CLIENT}/analytics/apps/utilization?{DAYS}&department_ids=<department>",
            f"{CLIENT}/analytics/apps/<app>/utilization?{DAYS}&granularity=daily",
            f"{CLIENT}/analytics/apps/<app>/utilization/users?{DAYS}&granularity=daily",
            f"{CLIENT}/analytics/apps/<app>/activity?{DAYS}&granularity=daily&metric=user-count",
            f"/v2/clients/<organization>/analytics/apps/utilization?{DAYS}",
            f"{REPORT}/drilldown?{REPORTED}&product=<app>",
            *(
                f"{CLIENT}/analytics/apps/{APPS[ACME]}/{path}&{name}=<department>"
                for name in ("department_id", "department_ids")
                for path in (
                    f"utilization?{DAYS}&granularity=daily",
                    f"utilization/users?{DAYS}&granularity=daily",
                    f"activity?{DAYS}&granularity=daily&metric=user-count",
                )
            ),
            "/v1/usage?kind=test&period=7d&team=<team>",
            "/v1/usage?kind=test&period=7d&user=<user>",
            "/v1/usage?kind=test&period=7d&department=<department>",
            "/v1/usage?product=<app>&period=7d",
            "/v1/seats?team=<team>",
            "/v1/seats?user=<user>",
            "/v1/seats?department=<department>",
            "/v1/seats?product=<app>",
            f"/v1/explain?measure=tests&{SECONDS}&user=<user>",
            f"/v1/explain?measure=tests&{SECONDS}&team=<team>",
            f"/v1/explain?measure=tests&{SECONDS}&department_ids=<department>",
            f"/v1/explain?measure=active_ms&{SECONDS}&product=<app>",
            "/v1/audit?key=<key>",
            "/v1/audit?actor=<user>",
            "/v1/coverage?product=<app>&from=2026-02-01&to=2026-02-02",
        )
    ),
    ("DELETE", "/v1/users/<user>", None),
    ("DELETE", "/v1/keys/<key>", None),
    ("POST", "/v1/keys/<key>/rotate", {}),
    ("POST", "/v1/keys", {"name": "x", "user": "<user>", "scopes": ["usage:read"]}),
    ("POST", "/v1/embed-tokens", {"for": {"team": "<team>"}, **TOKEN}),
    ("POST", "/v1/embed-tokens", {"for": {"user": "<user>"}, **TOKEN}),
    ("POST", "/v1/embed-tokens", {"for": {"organization": True}, "products": ["<app>"], **TOKEN}),
)
"""Every place of a request that takes an id: the verb, the path and the body."""
IDS = re.compile(r"(?:team|user|department|product|app|client|organization|key)(?:_?ids?|Id)?")


def foreign_names(them: People) -> dict[str, str]:
    key = them.key("admin")
    return {
        "team": them.id("core"),
        "user": them.id("member"),
        "app": APPS[OTHER],
        "department": OFFICES[OTHER],
        "organization": OTHER,
        "key": key[26:38],
    }


NOBODYS_NAMES = {
    "team": "nobody-core",
    "user": "nobody-member",
    "app": NOBODYS,
    "department": NOBODYS,
    "organization": NOBODYS,
    "key": "0" * 12,
}


def placed(place: Place, names: Mapping[str, str]) -> tuple[str, str, str | None, str]:
    """A request with a name in its place, and the name."""
    method, path, body = place
    text = json.dumps(body)
    (about,) = re.findall(r"<(\w+)>", path + text)
    name = names[about]
    sent = None if body is None else text.replace(f"<{about}>", name)
    return method, path.replace(f"<{about}>", name), sent, name


@pytest.mark.parametrize(
    "place",
    PLACES,
    ids=lambda each: f"{each[0]} {each[1].partition(ACME)[2] or each[1]} {each[2] or ''}",
)
def test_an_id_of_another_organization_is_an_id_of_nobody_wherever_it_is_sent(
    us: People, them: People, place: Place
) -> None:
    headers = {**bearer(us.key("admin")), "content-type": "application/json"}
    answers = []
    for names in (foreign_names(them), NOBODYS_NAMES):
        method, url, body, name = placed(place, names)
        reply = us.stack.call(method, url, headers=headers, body=body)
        answers.append((reply.status, reply.text.replace(name, "")))
    foreign, nobodys = answers
    assert foreign == nobodys
    assert foreign[0] in (200, 400, 401, 403, 404)
    assert them.name not in foreign[1]


def test_every_parameter_that_names_something_is_tried() -> None:
    def route(path: str) -> str:
        return re.sub(r"\{\w+\}|<\w+>", "*", path.partition("?")[0].replace(ACME, "*"))

    tried = {
        (method, route(path.replace(APPS[ACME], "*")), name)
        for method, path, _ in PLACES
        for name in re.findall(r"(\w+)=<\w+>", path) or ["" if "<" in path else "body"]
    }
    wanted = set()
    for each in endpoints().values():
        models = [need for need in each.needs.values() if issubclass(need, Query)]
        names = {name for model in models for name in parameter_names(model)}
        names |= {about.parameter for about in each.named_by}
        in_path = set(re.findall(r"\{(\w+)\}", each.path))
        found = {name for name in names - in_path if IDS.fullmatch(name)}
        found |= {""} if in_path else set()
        wanted |= {(each.method, route(each.path), name) for name in found if each.may}
    assert wanted - tried == set()


ODD = ("a#b", f"x#R#{OTHER}", "~", "#", "KEY#", "\N{SNOWMAN}#", "HEAD", "a~b", " KEY")


@pytest.mark.parametrize("text", ODD)
def test_a_text_that_looks_like_a_key_of_a_table_stays_a_text(
    us: People, them: People, text: str
) -> None:
    """Wherever a text is sent that may get into a key, the partitions are those of its sender."""
    key, calls_made = us.key("admin"), record_calls()
    calls_made.requests.clear()
    headers = {**bearer(key), **JSON_TYPE, "idempotency-key": text}
    named = usage_event(f"odd {text}", source=text.strip(), subject=text.strip())
    us.stack.call("POST", EVENTS, headers=headers, body=json.dumps([named, usage_event(text)]))
    us.stack.put(key, {"products": [{"id": text, "name": text, "kind": "test"}]})
    for path in (f"/v1/usage?product={quote(text)}&period=7d", f"/v1/keys/{quote(text, safe='')}"):
        us.stack.get(path, key)
    us.stack.call("DELETE", f"/v1/keys/{quote(text, safe='')}", key)
    touched = {each for request in calls_made.requests for each in request.partitions}
    assert touched
    assert {each.partition("#")[0] for each in touched} <= {ACME, "MARKS"}
    assert not [each for each in touched if OTHER in each]


# who is calling: API2


ELSEWHERE = {
    "query": ("?access_token={key}", {}),
    "query as a key": ("?api_key={key}&key={key}&token={key}", {}),
    "cookie": ("", {"cookie": "Authorization={key}; token={key}"}),
    "another header": ("", {"x-api-key": "{key}", "x-auth-token": "{key}"}),
    "proxy header": ("", {"proxy-authorization": "Bearer {key}"}),
    "another scheme": ("", {"authorization": "Token {key}"}),
    "two at once": ("", {"authorization": "Bearer {key}, Bearer {key}"}),
    "blanks that are none": ("", {"authorization": "Bearer \x85{key}\xa0"}),
    "identity of the gateway": ("", {"x-amzn-oidc-identity": "{key}", "x-forwarded-user": "{key}"}),
}


@pytest.mark.parametrize(("query", "headers"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_key_anywhere_but_in_its_header_opens_nothing(
    us: People, query: str, headers: Mapping[str, str]
) -> None:
    key = us.key("admin")
    sent = {name: value.format(key=key) for name, value in headers.items()}
    for path in ("/v1/me", "/v1/keys", "/api/v1/organization", f"{CLIENT}/users"):
        assert us.stack.call("GET", path + query.format(key=key), headers=sent).status == 401
    body = json.dumps({**usage_event(), "access_token": key})
    sent["content-type"] = "application/json"
    assert (
        us.stack.call("POST", EVENTS + query.format(key=key), headers=sent, body=body).status == 401
    )


def test_whatever_is_wrong_with_a_key_is_one_answer_after_the_same_calls(us: People) -> None:
    key = us.key("admin")
    secret, checksum = key[39:66], "000000"
    others = {
        "another secret": with_checksum(key[:39] + "0" * 27),
        "its last letter": with_checksum(key[:65] + ("A" if key[65] != "A" else "B")),
        "its first letter": with_checksum(key[:39] + ("A" if key[39] != "A" else "B") + secret[1:]),
        "another key": with_checksum(f"{key[:26]}{'0' * 12}_{secret}"),
        "another organization": with_checksum(f"{key[:4]}{'0' * 21}7{key[26:66]}"),
        "revoked": us.revoked("admin"),
        "expired": us.key("admin", expires_at=YESTERDAY),
    }
    assert checksum not in others.values()
    calls_made, found = record_calls(), {}
    for name, each in others.items():
        process.cache_clear()
        calls_made.calls.clear()
        reply = us.stack.get("/v1/keys", each)
        found[name] = (reply.status, reply.text, dict(reply.headers), sorted(calls_made.calls))
    assert len({str(each) for each in found.values()}) == 1, found
    assert found["revoked"][0] == 401


def with_checksum(body: str) -> str:
    return body + checksum_of(body)


# which properties: API3


NEVER_SENT = {
    **dict.fromkeys(("ordinal", "erased", "version", "blocks", "sizes", "commit", "pk", "sk"), 1),
    **dict.fromkeys(("created_at", "createdAt", "lanes"), 16),
    "limits": {"requests": 0},
    "digest": "0" * 64,
}
"""What is stored beside rows, keys and heads, and no client may set."""


def test_a_row_sets_nothing_but_what_is_published_of_it(us: People) -> None:
    stored = {each.name for each in (*fields(Organization), *fields(DirectoryHead))}
    names = sorted({*NEVER_SENT, *stored} - {"id"})
    rows = [
        {"kind": kind, name: NEVER_SENT.get(name, 1)}
        for kind, row in ROWS.items()
        for name in names
        if name not in row.model_fields
    ]
    before, headers = head_of(us), {"content-type": "application/x-ndjson"}
    body = "\n".join(map(json.dumps, rows))
    reply = us.stack.call("PUT", "/v1/directory", us.key("admin"), headers=headers, body=body)
    results = reply.json["results"]
    assert {result["status"] for result in results} == {"rejected"}
    for row, result in zip(rows, results, strict=True):
        assert f"{[*row][1]}: unknown parameter" in result["message"]
    assert head_of(us) == before


def head_of(us: People) -> Any:
    """What is stored of the directory; a new key changes nothing of it."""
    return process().table("directory").get(us.organization, "HEAD")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/keys", {"name": "x", "user": "acme-member", "scopes": ["usage:read"]}),
        ("/v1/embed-tokens", {"for": {"organization": True}, **TOKEN}),
        ("/v1/keys/{key_id}/rotate", {}),
    ],
)
def test_a_body_sets_nothing_but_what_is_published_of_it(
    us: People, path: str, body: dict[str, Any]
) -> None:
    key = us.key("admin")
    also = {
        "organization": OTHER,
        "key_id": "0" * 12,
        "role": "Admin",
        "access_key": key,
        "claims": {},
    }
    for name, value in {**NEVER_SENT, **also}.items():
        reply = us.stack.call(
            "POST", path.format(key_id=key[26:38]), key, body={**body, name: value}
        )
        assert (reply.status, reply.json["error"]["details"].keys()) == (400, {name})


# how much: API4


def test_a_body_of_a_million_rows_is_refused_before_they_are_read(us: People) -> None:
    """Each would be a kilobyte here, of which a function has a million."""
    many = 5 * MEBIBYTE // 3 - 20
    bodies = {
        "application/json": '{"users":[' + ",".join(["{}"] * many) + "]}",
        "application/x-ndjson": "1\n" * (2 * MEBIBYTE - 1),
    }
    for media_type, body in bodies.items():
        headers = {**bearer(us.key("admin")), "content-type": media_type}
        with counted(wire.SentRow, "read", "unreadable") as rows:
            reply = us.stack.call("PUT", "/v1/directory", headers=headers, body=body)
        assert (reply.status, reply.json["error"]["code"]) == (413, "payload_too_large")
        assert rows[0] <= 2 * (MOST_ROWS + 1)


@contextmanager
def counted(owner: type, *names: str) -> Iterator[list[int]]:
    """How often some methods of a class are called in this block."""
    calls = [0]

    def count(method: Any) -> Any:
        def counting(*words: Any) -> Any:
            calls[0] += 1
            return method(*words)

        return counting

    with ExitStack() as patches:
        for name in names:
            patches.enter_context(patch.object(owner, name, count(getattr(owner, name))))
        yield calls


MANY = ",".join(f'"a{number}":0' for number in range(200_000))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/keys", f"{{{MANY}}}"),
        ("PUT", "/v1/directory", f"{{{MANY}}}"),
        ("PUT", "/v1/directory", f'{{"{"n" * 4 * MEBIBYTE}":0}}'),
        ("PUT", "/v1/directory", f'{{"license":{{{MANY}}}}}'),
        ("POST", "/v1/keys", f'{{"name":"x","user":"x","scopes":[{",".join(["0"] * 500_000)}]}}'),
    ],
    ids=["names", "lists", "a long name", "names in a row", "elements"],
)
def test_an_answer_tells_of_as_many_faults_as_it_has_room_for(
    us: People, method: str, path: str, body: str
) -> None:
    reply = us.stack.call(method, path, us.key("admin"), headers=JSON_TYPE, body=body)
    assert reply.status in (200, 400)
    assert len(reply.text) < 200 * MOST_TOLD


JSON_TYPE = {"content-type": "application/json"}


@pytest.mark.parametrize("depth", [17, 500, 950, 100_000])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/directory", '{"license":{"settings":{"a":DEEP}}}'),
        ("PUT", "/v1/directory", '{"users":[{"id":DEEP}]}'),
        ("POST", "/v1/keys", '{"name":DEEP}'),
        ("POST", "/v1/embed-tokens", '{"for":DEEP,"origins":DEEP}'),
        ("POST", "/v1/keys/000000000000/rotate", '{"grace_seconds":DEEP}'),
        ("POST", "/v1/events", '[{"specversion":"1.0","data":DEEP}, DEEP]'),
    ],
)
def test_however_deep_json_is_it_is_the_clients_fault(
    us: People, method: str, path: str, body: str, depth: int
) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * depth + "0" + closing * depth
        sent = body.replace("DEEP", deep)
        reply = us.stack.call(method, path, us.key("admin"), headers=JSON_TYPE, body=sent)
        assert reply.status in (200, 202, 400, 413), reply.text


def test_a_packed_body_is_not_unpacked_by_a_function(us: People) -> None:
    """The gateway of AWS unpacks it, up to what it takes of any body; a function never does."""
    bomb = gzip.compress(b"[" + b" " * (64 * MEBIBYTE) + b"]", 9)
    headers = {**bearer(us.key("admin")), **JSON_TYPE, "content-encoding": "gzip"}
    tracemalloc.start()
    for method, path in (("POST", EVENTS), ("PUT", "/v1/directory"), ("POST", "/v1/keys")):
        assert us.stack.call(method, path, headers=headers, body=bomb).status == 400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MEBIBYTE


NASTY = {
    "accept": "text/*;q=" + "0." * 50_000,
    "accept-encoding": "gzip" + " " * 100_000 + ";q=0." + "0" * 100_000 + "x",
    "if-none-match": "W/" * 100_000,
    "authorization": "Basic " + "A" * 300_000,
    "content-type": "application/json" + "; " * 100_000,
    "x-request-id": "a" * 100_000,
    "idempotency-key": "k" * 100_000,
    "origin": "https://" + "a." * 100_000,
}


@pytest.mark.parametrize("name", NASTY)
def test_a_long_header_is_read_in_one_go(us: People, name: str) -> None:
    """A pattern that goes back and forth over such a text would not end today."""
    key = us.key("admin")
    for method, path, body in (
        ("GET", "/v1/usage?kind=test&period=7d", None),
        ("POST", EVENTS, "[]"),
    ):
        headers = {**bearer(key), **JSON_TYPE, name: NASTY[name]}
        assert us.stack.call(method, path, headers=headers, body=body).status < 500


# what a leaked key can do: API6


def test_a_key_that_may_only_send_learns_nothing_of_whom_it_names(us: People) -> None:
    key = us.key("member", Scope.WRITE_USAGE)
    subjects = (us.username("admin"), us.id("gone"), "nobody@else.example", OTHER)
    answers = {
        send(us.stack, key, usage_event(f"who-{number}", subject=subject)).text
        for number, subject in enumerate(subjects)
    }
    assert len(answers) == 1
    reads = [each for each in endpoints().values() if each.may and each.path != EVENTS]
    found = {us.stack.call(each.method, filled(each.path), key).status for each in reads}
    assert found <= {401, 403}


def filled(path: str) -> str:
    return path.format(client_id=ACME, app_id=APPS[ACME], teamId="x", user_id="x", key_id="x")


# what is asked for: API7


URLS = ("http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "//evil.example/x")
OUTSIDE = ("socket.", "urllib.", "http.client.", "ftplib.", "smtplib.", "subprocess.", "os.exec")
NOTING: list[list[str]] = []
"""Where what is asked for is noted, while somebody looks: a hook stays for ever."""


def note(event: str, _: Any) -> None:
    if NOTING and event.startswith(OUTSIDE):
        NOTING[-1].append(event)


sys.addaudithook(note)


@contextmanager
def noted() -> Iterator[list[str]]:
    """What leaves this process meanwhile; AWS is in it."""
    NOTING.append([])
    yield NOTING[-1]
    NOTING.pop()


def test_no_address_that_is_sent_is_ever_asked_for(us: People) -> None:
    key = us.key("admin")
    us.stack.get("/v1/me", key)
    with noted() as events:
        for number, url in enumerate(URLS):
            event = usage_event(
                f"url-{number}", source=url, dataschema=url, subject=url, datacontenttype=url
            )
            assert send(us.stack, key, event).json["accepted"] == 1
            rows = {
                "organization": {"public_key": url},
                "users": [{"username": f"u{url}", "email": url}],
            }
            us.stack.put(key, rows)
            token = {"for": {"organization": True}, "expires_in": 60, "origins": [url]}
            us.stack.call("POST", "/v1/embed-tokens", key, body=token)
            query = urlencode(dict.fromkeys(("product", "cursor", "team", "callback", "url"), url))
            for path in ("/v1/usage", "/v1/seats", "/v1/explain", "/v1/coverage"):
                us.stack.get(f"{path}?{query}", key, host=url, origin=url, referer=url)
    assert events == []


CONNECTING = {"socket", "ssl", "http", "urllib", "requests", "httpx", "ftplib", "subprocess"}
MAY_CONNECT = {"connections.py", "trust.py", "aws.py", "traces.py"}
ONLY_SPELLS = {"urllib.parse"}


def test_only_storage_can_connect_to_anything() -> None:
    found = {}
    for path in Path("layers/odometer/odometer").rglob("*.py"):
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [each.name for each in node.names]
            )
        }
        reaching = {name for name in names - ONLY_SPELLS if name.partition(".")[0] in CONNECTING}
        if reaching:
            found[path.name] = path.parent.name
    assert found.keys() <= MAY_CONNECT
    assert set(found.values()) == {"storage"}


# what every answer says: API8


def every_answer(us: People) -> Iterator[tuple[str, Reply]]:
    """Good, bad and refused requests of every route."""
    for method, url, headers, body in list(hostile_requests(us))[::5]:
        yield method, us.stack.call(method, url, headers=headers, body=body)
    key = us.key("admin")
    for path in (
        "/v1/me",
        "/v1/seats",
        "/v1/usage?kind=test&period=7d",
        "/v1/directory/export",
    ):
        yield "GET", us.stack.get(path, key)
        yield "GET", us.stack.get(path, key, accept="text/csv")
    for verb in ("TRACE", "CONNECT", "OPTIONS", "HEAD", "BREW"):
        yield verb, us.stack.call(verb, "/v1/keys", key)


TELLING = re.compile(r"Traceback|File \"|/opt/|/var/task|botocore|arn:aws|amazonaws|moto|\bself\b")
ABSENT = ("Server", "X-Powered-By", "Set-Cookie", "WebHook-Allowed-Origin", "WebHook-Allowed-Rate")


def test_every_answer_has_the_headers_that_keep_it_and_none_that_tells(us: People) -> None:
    count = 0
    for method, reply in every_answer(us):
        count += 1
        headers = {name.lower(): value for name, value in reply.headers.items()}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] in ("no-store", "private, no-cache"), (method, headers)
        assert headers.get("content-type", "application/json") in TYPES
        assert not [name for name in ABSENT if name.lower() in headers]
        assert headers.get("access-control-allow-origin") != "*"
        assert not [value for value in headers.values() if "\r" in value or "\n" in value]
        assert reply.status < 500
        assert reply.status < 400 or not TELLING.search(reply.text)
    assert count > 70


TYPES = ("application/json", "text/csv", "application/x-ndjson")


# CloudEvents


BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "binary-1",
    "ce-source": "ci/eu-1",
    "ce-type": "usage",
    "ce-subject": "member@acme.example",
    "ce-time": "2026-02-28T17:42:00Z",
}


def taken(us: People) -> int:
    return len(log_of(us.stack, us.organization))


@pytest.mark.parametrize(
    "body", [{"product": "automation", "tests": 1}, usage_event("binary-2"), []]
)
def test_an_event_in_headers_is_refused_aloud_and_not_by_a_202(us: People, body: Any) -> None:
    before = taken(us)
    headers = {**bearer(us.key("admin")), **JSON_TYPE, **BINARY}
    reply = us.stack.call("POST", EVENTS, headers=headers, body=json.dumps(body))
    assert (reply.status, reply.json["error"]["code"]) == (415, "unsupported_media_type")
    assert taken(us) == before


@pytest.mark.parametrize(
    "media_type", ["application/cloudevents+json", "application/cloudevents-batch+json"]
)
def test_headers_that_say_otherwise_than_the_body_change_nothing(
    us: People, media_type: str
) -> None:
    event = usage_event(f"structured {media_type}", subject=us.username("lead"))
    body = [event] if "batch" in media_type else event
    headers = {**bearer(us.key("admin")), **BINARY, "content-type": media_type}
    reply = us.stack.call("POST", EVENTS, headers=headers, body=json.dumps(body))
    assert (reply.status, reply.json["accepted"]) == (202, 1)
    stored = log_entries.events_of(log_of(us.stack, ACME)[-1])
    assert [each.who for each in stored] == [us.username("lead")]


@pytest.mark.parametrize(
    "media_type",
    [
        *("", "text/plain", "application/cloudevents", "application/cloudevents+avro"),
        *("application/cloudevents+xml", "application/cloudevents+json, application/json"),
        *(
            "application/cloudevents-batch",
            "multipart/form-data",
            "application/x-www-form-urlencoded",
        ),
    ],
)
def test_an_event_in_another_format_is_refused(us: People, media_type: str) -> None:
    headers = {**bearer(us.key("admin")), "content-type": media_type}
    assert (
        us.stack.call("POST", EVENTS, headers=headers, body=json.dumps(usage_event())).status == 415
    )


def test_what_an_event_says_of_its_data_does_not_change_how_it_is_read(us: People) -> None:
    said = {
        "datacontenttype": "text/xml",
        "dataschema": "https://evil.example/schema",
        "dataref": "x",
    }
    assert send(us.stack, us.key("admin"), usage_event("said", **said)).json["accepted"] == 1
    both = {"data_base64": "e30=", "data": None}
    (error,) = send(us.stack, us.key("admin"), usage_event("base64", **both)).json["errors"]
    assert error["code"] == "invalid_data"


def test_extensions_of_an_event_are_kept_nowhere(us: People) -> None:
    marked = "kept-nowhere-" + "x" * 20
    extensions = {"traceparent": marked, "partitionkey": marked, "sequence": marked, marked: marked}
    assert (
        send(us.stack, us.key("admin"), usage_event("extended", **extensions)).json["accepted"] == 1
    )
    for table in ("directory", "activity", "log", "usage"):
        assert marked not in str(items_of(table))


@pytest.mark.parametrize("path", [EVENTS, "/v1/usage", "/v1/me", "/v1/keys", "/"])
def test_nobody_is_let_send_by_a_handshake(us: People, path: str) -> None:
    """A sender of web hooks that asks first is told no: it has no key, so it may not send."""
    asks = {"webhook-request-origin": "evil.example", "webhook-request-callback": URLS[0]}
    with noted() as events:
        reply = us.stack.call("OPTIONS", path, headers=asks)
    assert reply.status == 405
    assert not [
        name for name in reply.headers if name.lower().startswith(("webhook", "access-control"))
    ]
    assert events == []


# what comes from AWS: API10


def test_a_message_that_is_none_fails_alone_and_changes_nothing(us: People) -> None:
    before = items_of("usage")
    for body in (
        "",
        "{",
        "[]",
        "{}",
        '{"organization": null}',
        json.dumps({"organization": "MARKS"}),
    ):
        with suppress(Exception):
            work({**message(ACME), "body": body})
    assert items_of("usage") == before
