"""Tokens with which pages of others show usage: what they are made of, open and end with."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import Field

from odometer.access.keys import AccessKey
from odometer.access.policy import READ_SUBJECT, Caller, Scope
from odometer.access.secret import Secret
from odometer.access.tokens import LONGEST_TOKEN
from odometer.api.v1.family import v1
from odometer.bootstrap import REFUSED_FOR, process
from odometer.web.cursors import Chain
from odometer.web.endpoint import Subjects
from odometer.web.models import Answer, Strict
from tests.support.memory_directory import ACME
from tests.support.people import People, basic, bearer, people_of
from tests.support.stack import CONTEXT, OTHER, Reply, endpoints, proxy_event, stack_on_moto
from tests.support.storage_calls import record_calls
from tests.support.usage_sender import UsageSender, used

APP, PAGE = "https://app.example.com", "http://localhost:3000"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)
UNAUTHORIZED = {
    "error": {"code": "unauthorized", "message": "Authentication required", "details": {}}
}
FORBIDDEN = {"error": {"code": "forbidden", "message": "Insufficient permissions", "details": {}}}


class Asked(Strict):
    """A query like those that tokens may send."""

    product: str | None = Field(None)
    team: str | None = Field(None)
    user: str | None = Field(None)
    cursor: str | None = Field(None)


class Shown(Answer):
    """Whom an answer is about, of which products, and the cursor of a page that follows."""

    team: str | None
    user: str | None
    products: list[str]
    next_cursor: str


@v1("/shown", may=READ_SUBJECT)
def shown(query: Asked, caller: Caller, subjects: Subjects, chain: Chain) -> Shown:
    team, user = subjects
    named = query.product.split(",") if query.product else []
    products = caller.products_among(named or ["automation", "chat", "smartui"], named=bool(named))
    ids = {"team": team and team.id, "user": user and user.id}
    return Shown(**ids, products=products, next_cursor=chain.cursor(chain.row + 1, 1, {}))


@pytest.fixture(scope="module")
def casts() -> Iterator[tuple[People, People]]:
    with stack_on_moto() as stack:
        yield people_of(stack, ACME), people_of(stack, OTHER)


@pytest.fixture
def us(casts: tuple[People, People]) -> People:
    return casts[0]


def wish(about: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    return {"for": about, "expires_in": 3600, "origins": [APP, PAGE], **values}


def ask_for(us: People, key: str, *, about: str = "", **wishes: Any) -> Reply:
    """Ask for a token; `about` is a kind and the name of a person or team, or empty."""
    kind, _, who = about.partition(" ")
    subject = {kind: us.id(who)} if about else {"organization": True}
    return us.stack.call("POST", "/v1/embed-tokens", key, body=wish(subject, **wishes))


def token_of(us: People, who: str = "admin", **wishes: Any) -> str:
    """A token made with a new key of somebody."""
    return made_with(us, us.key(who), **wishes)


def made_with(us: People, key: str, **wishes: Any) -> str:
    reply = ask_for(us, key, **wishes)
    assert reply.status == 201, reply.text
    return str(reply.json["token"])


def show(token: str, words: str = "", at: datetime = NOW, **headers: str) -> Reply:
    event = proxy_event("GET", f"/v1/shown?{words}", {**bearer(token), **headers})
    answer = replace(shown, clock=lambda: at)(event, CONTEXT)
    return Reply(answer["statusCode"], answer["headers"], answer["body"])


def test_a_token_is_made_and_says_when_it_ends(us: People) -> None:
    reply = ask_for(us, us.key("admin"), about="team core", expires_in=60)
    assert (reply.status, reply.headers["Cache-Control"]) == (201, "no-store")
    assert reply.json.keys() == {"token", "expires_at"}
    ends = datetime.fromisoformat(reply.json["expires_at"])
    assert timedelta(0) <= ends - NOW - timedelta(seconds=60) < HOUR
    assert show(reply.json["token"], at=ends - SECOND).status == 200
    assert (show(reply.json["token"], at=ends).status) == 401


ORIGIN_FAULT = (
    "expected an origin like https://app.example.com: in lower case, without a path, "
    "https unless it is localhost, and a port only if it is not the default"
)
ONE_SUBJECT = "expected one of organization (true), team, user"
LONG_ORIGINS = [f"https://{place}.{'.'.join(['x' * 60] * 4)}" for place in range(10)]
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"for": {}}, f"for: {ONE_SUBJECT}"),
    ({"for": {"organization": False}}, f"for: {ONE_SUBJECT}"),
    ({"for": {"organization": True, "team": "acme-core"}}, f"for: {ONE_SUBJECT}"),
    ({"for": {"team": "acme-core", "user": "acme-member"}}, f"for: {ONE_SUBJECT}"),
    ({"for": {"team": None}}, f"for: {ONE_SUBJECT}"),
    ({"for": {"team": "acme-core", "user": None}}, f"for: {ONE_SUBJECT}"),
    ({"for": "acme-core"}, "for: expected an object"),
    ({"for": {"department": "x"}}, "for.department: unknown parameter"),
    ({"for": {"team": 5}}, "for.team: expected a string"),
    ({"for": {"team": "acme-nowhere"}}, "for.team: expected the id of a team"),
    ({"for": {"team": "globex-core"}}, "for.team: expected the id of a team"),
    ({"for": {"user": "acme-nobody"}}, "for.user: expected the id of a user"),
    ({"products": []}, "products: expected an array of at least 1"),
    ({"products": ["chat"] * 51}, "products: expected an array of at most 50"),
    ({"products": ["chat", "chess"]}, "products.1: expected the id of a product"),
    ({"products": "chat"}, "products: expected an array"),
    ({"expires_in": 0}, "expires_in: expected an integer from 1 to 86400"),
    ({"expires_in": 86_401}, "expires_in: expected an integer from 1 to 86400"),
    ({"expires_in": 60.0}, "expires_in: expected an integer from 1 to 86400"),
    ({"expires_in": True}, "expires_in: expected an integer from 1 to 86400"),
    ({"origins": []}, "origins: expected an array of at least 1"),
    ({"origins": [APP] * 11}, "origins: expected an array of at most 10"),
    ({"origins": [APP, "*"]}, f"origins.1: {ORIGIN_FAULT}"),
    ({"origins": [None]}, f"origins.0: {ORIGIN_FAULT}"),
    ({"role": "Admin"}, "role: unknown parameter"),
]


@pytest.mark.parametrize(("values", "message"), FAULTS, ids=lambda value: str(value)[:60])
def test_a_bad_wish_is_answered_with_its_faults(
    us: People, values: dict[str, Any], message: str
) -> None:
    body = {**wish({"organization": True}), **values}
    reply = us.stack.call("POST", "/v1/embed-tokens", us.key("admin"), body=body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_parameter")
    assert reply.json["error"]["message"] == message


def test_a_token_of_the_longest_origins_fits(us: People) -> None:
    token = token_of(us, origins=LONG_ORIGINS)
    assert LONGEST_TOKEN * 0.8 < len(token) <= LONGEST_TOKEN
    assert show(token, origin=LONG_ORIGINS[-1]).status == 200


def test_what_is_missing_is_named(us: People) -> None:
    reply = us.stack.call("POST", "/v1/embed-tokens", us.key("admin"), body={})
    message = "for: required; expires_in: required; origins: required"
    assert (reply.status, reply.json["error"]["message"]) == (400, message)


def test_a_token_that_no_header_would_hold_is_not_made(us: People) -> None:
    names = [f"{place:02}{'x' * 100}" for place in range(30)]
    for name in names:
        us.stack.apply(ACME, "product", {"id": name, "name": name, "kind": "chat"})
    reply = ask_for(us, us.key("admin"), products=names)
    words = "products: the token is too long: name fewer, or fewer origins"
    assert (reply.status, reply.json["error"]["message"]) == (400, words)


def test_a_key_without_the_scope_makes_no_token(us: People) -> None:
    key = us.key("admin", *set(Scope) - {Scope.WRITE_EMBEDS})
    assert ask_for(us, key).status == 403
    alone = us.key("admin", Scope.WRITE_EMBEDS)
    assert show(made_with(us, alone)).status == 200
    assert show(alone).status == 403  # the key itself reads nothing


SEEN: dict[str, dict[str, tuple[int, str | None, str | None]]] = {
    "": {
        "": (200, None, None),
        "team=edge": (200, "edge", None),
        "user=stranger": (200, None, "stranger"),
        "team=nowhere": (404, None, None),
    },
    "team core": {
        "": (200, "core", None),
        "team=core": (200, "core", None),
        "team=edge": (403, None, None),
        "team=nowhere": (403, None, None),
        "user=member": (200, None, "member"),
        "team=core&user=member": (200, "core", "member"),
        "team=edge&user=member": (403, None, None),
        "user=stranger": (403, None, None),
        "user=nobody": (403, None, None),
    },
    "user member": {
        "": (200, None, "member"),
        "user=member": (200, None, "member"),
        "user=lead": (403, None, None),
        "user=admin": (403, None, None),
        "user=nobody": (403, None, None),
        "team=core": (403, None, None),
        "team=edge&user=member": (403, None, None),
    },
}


@pytest.mark.parametrize("about", SEEN)
def test_a_token_opens_its_subject_and_nobody_elses(us: People, about: str) -> None:
    token = token_of(us, about=about)
    for words, (status, team, user) in SEEN[about].items():
        named = [each.partition("=") for each in words.split("&") if each]
        reply = show(token, "&".join(f"{name}={us.id(value)}" for name, _, value in named))
        assert reply.status == status, words
        if status == 200:
            ids = [team and us.id(team), user and us.id(user)]
            assert [reply.json["team"], reply.json["user"]] == ids
        if status == 403:
            assert reply.json == FORBIDDEN


def test_a_token_of_some_products_opens_no_others(us: People) -> None:
    token = token_of(us, about="team core", products=["chat", "automation", "chat"])
    found = {
        words: show(token, words).json.get("products", 403)
        for words in ("", "product=chat", "product=smartui", "product=chat,smartui", "product=x")
    }
    both = ["automation", "chat"]
    assert [*found.values()] == [both, ["chat"], 403, 403, 403]


# whose end ends a token


def of_key(us: People, key: str) -> str:
    read = AccessKey.parse(key)
    assert read
    return read.key_id


def without_scope(us: People, key: str) -> None:
    stored = us.stack.directories.credential(ACME, of_key(us, key))
    assert stored
    fewer = replace(stored, scopes=stored.scopes - {Scope.WRITE_EMBEDS})
    us.stack.directories.change_credential(fewer, "scopes")


def rotate(us: People, key: str, grace: int) -> None:
    path = f"/v1/keys/{of_key(us, key)}/rotate"
    assert us.stack.call("POST", path, key, body={"grace_seconds": grace}).status == 200


def revoke(us: People, key: str) -> None:
    assert us.stack.call("DELETE", f"/v1/keys/{of_key(us, key)}", key).status == 204


def erase(us: People, who: str) -> None:
    assert us.stack.call("DELETE", f"/v1/users/{us.id(who)}", us.key("admin")).status == 204


def change(us: People, who: str, **values: Any) -> None:
    us.stack.user(ACME, id=us.id(who), **values)


OWNER, SUBJECT = "owner", "subject"
"""A team lead, who has the key, and somebody of their team; whoever was erased is made anew."""
ENDS: dict[str, Callable[[People, str], None]] = {
    "its key is revoked": revoke,
    "its key is rotated": lambda us, key: rotate(us, key, 0),
    "its key may make none any more": without_scope,
    "the owner of its key is deactivated": lambda us, _: change(us, OWNER, state="deactivated"),
    "the owner of its key is in another team": lambda us, _: change(us, OWNER, team=us.id("edge")),
    "the owner of its key leads nobody": lambda us, _: change(us, OWNER, role="Member"),
    "the owner of its key is erased": lambda us, _: erase(us, OWNER),
    "its subject is in another team": lambda us, _: change(us, SUBJECT, team=us.id("edge")),
    "its subject is erased": lambda us, _: erase(us, SUBJECT),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_token_ends_when(us: People, end: str) -> None:
    for who, role in ((OWNER, "TeamLead"), (SUBJECT, "Member")):
        values = {"username": f"{who}@acme.example", "role": role, "team": us.id("core")}
        change(us, who, state="registered", **values)
    key = us.key(OWNER)
    token = made_with(us, key, about=f"user {SUBJECT}")
    assert show(token, origin=APP).status == 200
    ENDS[end](us, key)
    reply = show(token, origin=APP)
    assert (reply.status, reply.json) == (401, UNAUTHORIZED)
    assert not cors(reply)


def test_a_token_is_never_of_somebody_who_has_got_its_subjects_name(us: People) -> None:
    """A username names who is to be shown, and the token keeps their id."""
    change(us, "leaver", username="leaver@acme.example")
    wanted = wish({"user": "leaver@acme.example"})
    made = us.stack.call("POST", "/v1/embed-tokens", us.key("admin"), body=wanted)
    token = made.json["token"]
    assert show(token).json["user"] == us.id("leaver")
    erase(us, "leaver")
    change(us, "joiner", username=us.id("leaver"))
    assert (show(token).status, show(token).json) == (401, UNAUTHORIZED)


def test_a_token_ends_with_the_grace_of_a_rotation_and_with_its_key(us: People) -> None:
    key = us.key("admin", expires_at=NOW + 8 * HOUR)
    token = made_with(us, key, expires_in=86_400)
    assert [show(token, at=NOW + 8 * HOUR - after).status for after in (SECOND, 0 * SECOND)] == [
        200,
        401,
    ]
    rotate(us, key, 7200)
    late = made_with(us, key, expires_in=86_400)  # with the former secret
    for each in (token, late):
        assert show(each, at=NOW + HOUR).status == 200
        assert show(each, at=NOW + 3 * HOUR).status == 401


def test_a_token_of_another_deployment_opens_nothing(us: People) -> None:
    token = token_of(us)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process(), "secret", Secret.of("the secret of another deployment"))
        assert show(token).status == 401
    assert show(token, at=NOW + REFUSED_FOR).status == 200


def test_a_forged_token_closes_nothing_to_the_true_one(us: People) -> None:
    token = token_of(us)
    forged = f"{token[:-1]}{'Q' if token[-1] != 'Q' else 'g'}"
    assert show(forged).status == 401
    assert show(token).status == 200


# what else a token opens


def test_no_other_route_knows_tokens(us: People) -> None:
    """They are refused like no key at all, before anything is read."""
    token = token_of(us)
    calls = record_calls()
    for name, each in endpoints().items():
        if each.may and not each.may.embeds:
            path = each.path.format(
                **dict.fromkeys(("teamId", "user_id", "app_id", "key_id"), "x"), client_id=ACME
            )
            replies = [us.stack.call(each.method, path, headers=way(token)) for way in WAYS]
            assert {reply.status for reply in replies} == {401}, name
    assert calls.calls == []


WAYS: list[Callable[[str], dict[str, str]]] = [
    bearer,
    lambda token: basic("admin@acme.example", token),
    lambda token: {**bearer(token), "origin": APP},
]


def test_a_token_is_no_password(us: People) -> None:
    token = token_of(us)
    for headers in (basic("admin@acme.example", token), basic("", token), {"authorization": token}):
        answer = shown(proxy_event("GET", "/v1/shown", headers), CONTEXT)
        assert answer["statusCode"] == 401


def test_a_cursor_is_worth_nothing_with_another_token(us: People) -> None:
    """With a new token of the same subject a chain goes on."""
    first, again = token_of(us, about="team core"), token_of(us, about="team core")
    cursor = f"cursor={show(first).json['next_cursor']}"
    others = [
        token_of(us),
        token_of(us, about="team edge"),
        token_of(us, about="team core", products=["chat"]),
    ]
    assert show(again, cursor).status == 200
    for each in (*others, us.key("admin")):
        reply = show(each, cursor)
        assert (reply.status, reply.json["error"]["message"]) == (400, "cursor: Invalid cursor")


def test_a_token_takes_as_many_calls_as_a_key(us: People) -> None:
    """Whom it is about is found as whom a query names."""
    token, key = token_of(us, about="team core"), us.key("admin")
    words = f"team={us.id('core')}"
    calls = []
    for credential in (token, key):
        recorded = record_calls()
        assert show(credential, words).status == 200
        in_new_process = len(recorded.calls)
        assert show(credential, words).status == 200
        calls.append((in_new_process, len(recorded.calls)))
    assert calls[0] == calls[1] > (0, 0)


def test_the_log_says_that_it_was_a_token_and_nothing_of_it(
    us: People, capsys: pytest.CaptureFixture[str]
) -> None:
    key = us.key("admin")
    token = made_with(us, key, about="user member")
    show(token, origin=APP)
    show(token[:-1] + "~")
    logged = capsys.readouterr().out
    assert not [part for part in token.split(".")[1:] if part in logged]
    (line,) = [
        each for each in map(json.loads, logged.splitlines()) if each["route"] == "GET /v1/shown"
    ][:1]
    assert (line["key_id"], line["embed"], line["organization"]) == (of_key(us, key), True, ACME)
    assert us.id("member") not in logged


# which pages may read


def cors(reply: Reply) -> dict[str, str]:
    return {name: each for name, each in reply.headers.items() if name.startswith("Access-Control")}


@pytest.mark.parametrize("origin", [APP, PAGE])
def test_a_page_of_the_tokens_origins_may_read_the_answer(us: People, origin: str) -> None:
    reply = show(token_of(us), origin=origin)
    assert reply.status == 200
    assert cors(reply) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "ETag, Link, Retry-After, X-Data-Through, X-Query-Range, "
        "X-Read-Units, X-Request-Id",
    }
    assert reply.headers["Vary"].endswith("Origin")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "*",
        f"{APP}, {APP}",
        f"{APP}/",
        f"{APP}:443",
        APP.upper(),
        APP.replace("https", "http"),
        "https://sub.app.example.com",
        "https://app.example.com.evil.example",
        "http://localhost",
    ],
)
def test_a_page_from_elsewhere_gets_nothing(us: People, origin: str) -> None:
    reply = show(token_of(us), origin=origin)
    assert (reply.status, reply.json) == (403, FORBIDDEN)
    assert not cors(reply)


def test_a_page_may_read_what_was_wrong_with_its_request(us: People) -> None:
    token = token_of(us, about="team core")
    for words, status in (("nope=1", 400), (f"team={us.id('edge')}", 403)):
        reply = show(token, words, origin=APP)
        assert (reply.status, cors(reply)["Access-Control-Allow-Origin"]) == (status, APP)


def test_a_server_asks_without_an_origin_and_a_key_is_for_no_page(us: People) -> None:
    assert not cors(show(token_of(us)))
    reply = show(us.key("admin"), origin=APP)
    assert (reply.status, cors(reply)) == (200, {})


# the routes that tokens open


def test_seats_are_those_of_the_subject(us: People) -> None:
    """As in a table, and without the license, which is the organization's."""
    token = token_of(us, about="team core")
    reply = us.stack.get("/v1/seats", token, origin=APP)
    assert reply.status == 200
    assert {row["user"]["team"]["id"] for row in reply.json["data"]} == {us.id("core")}
    assert reply.json["seats"]["licensed"] is None
    assert cors(reply)["Access-Control-Allow-Origin"] == APP
    assert reply.headers["Vary"] == "Accept, Accept-Encoding, Origin"
    again = {"origin": APP, "if-none-match": reply.headers["ETag"]}
    unchanged = us.stack.get("/v1/seats", token, **again)
    assert (unchanged.status, cors(unchanged)) == (304, cors(reply))
    table = us.stack.get("/v1/seats", token, accept="text/csv", origin=APP)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {row["user.team.id"] for row in rows} == {us.id("core")}
    assert cors(table) == cors(reply)


def test_seats_are_used_by_the_products_of_the_token(us: People) -> None:
    token = token_of(us, products=["chat", "smartui"])
    words = ("", "product=chat", "kind=visual", "product=automation", "kind=test", "kind=none")
    found = [us.stack.get(f"/v1/seats?{each}", token).status for each in words]
    assert found == [200, 200, 200, 403, 403, 403]


FEBRUARY = "from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z"


@pytest.fixture(scope="module")
def used_by_all(casts: tuple[People, People]) -> People:
    """Three people of two teams have used two products, one of a kind with a breakdown."""
    us, _ = casts
    measures = [{"name": "pages"}]
    kind = {"name": "document", "days": "utc", "measures": measures, "breakdowns": ["format"]}
    product = {"id": "writer", "name": "Writer", "product_kind": "document"}
    lines = [{"kind": "kind", **kind}, {"kind": "product", **product}]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    sent = {**bearer(us.key("admin")), "content-type": "application/x-ndjson"}
    reply = us.stack.call("PUT", "/v1/directory", headers=sent, body=text)
    assert [each["status"] for each in reply.json["results"]] == ["created", "created"], reply.text
    day, people = datetime(2026, 2, 3, tzinfo=UTC), ("lead", "member", "stranger")
    events = [used(us.id(who), "chat", day, 1, 2, 3, 4) for who in people]
    UsageSender(ACME).send(events, day + timedelta(days=1))
    return us


@pytest.mark.parametrize("group_by", ["none", "product", "team", "department", "user", "user_type"])
@pytest.mark.parametrize("subject", ["team core", "team edge", "user member"])
def test_usage_is_what_a_key_is_told_of_the_subject(
    used_by_all: People, subject: str, group_by: str
) -> None:
    us, (kind, _, who) = used_by_all, subject.partition(" ")
    path = f"/v1/usage?product=chat&{FEBRUARY}&granularity=week&group_by={group_by}"
    shown = us.stack.get(path, token_of(us, about=subject))
    told = us.stack.get(f"{path}&{kind}={us.id(who)}", us.key("admin"))
    assert (shown.status, shown.json) == (told.status, told.json)
    strangers = ("edge", "stranger") if subject == "team core" else ("core", "lead")
    if subject != "user member":
        assert not [each for each in strangers if us.id(each) in shown.text]
    users = 2 if subject == "team core" else 1
    assert shown.json["totals"]["active_users"]["value"] == users


def test_a_breakdown_which_is_of_everybody_is_shown_to_tokens_of_everybody(
    used_by_all: People,
) -> None:
    """Whom a token is about is a filter, also where the query names nobody."""
    us, path = used_by_all, f"/v1/usage?product=writer&{FEBRUARY}&group_by=format"
    statuses = {
        about: us.stack.get(path, token_of(us, about=about)).status
        for about in ("", "team core", "user member")
    }
    assert statuses == {"": 200, "team core": 400, "user member": 400}


def test_usage_is_of_the_products_of_the_token(used_by_all: People) -> None:
    us, token = used_by_all, token_of(used_by_all, products=["chat"])
    words = ("product=chat", "kind=chat", "product=writer", "kind=document", "kind=none")
    found = [us.stack.get(f"/v1/usage?{each}&{FEBRUARY}", token).status for each in words]
    assert found == [200, 200, 403, 403, 403]


# what browsers ask first


def ask_first(origin: str | None) -> Reply:
    headers = {"access-control-request-method": "GET", **({"origin": origin} if origin else {})}
    answer = endpoints()["edge/preflight"](proxy_event("OPTIONS", "/v1/usage", headers), CONTEXT)
    return Reply(answer["statusCode"], answer["headers"], answer["body"])


@pytest.mark.parametrize("origin", [APP, PAGE, "https://anything.example:8443"])
def test_a_browser_is_told_that_a_page_may_ask(origin: str) -> None:
    reply = ask_first(origin)
    assert (reply.status, reply.text) == (204, "")
    assert cors(reply) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": "Authorization, Accept, If-None-Match, X-Request-Id",
        "Access-Control-Max-Age": "7200",
    }
    assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", [None, "null", "*", "http://app.example.com", f"{APP}/", f"{APP}\r\nX-Evil: 1"]
)
def test_whatever_is_no_page_is_told_the_verb(origin: str | None) -> None:
    reply = ask_first(origin)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")
    assert not cors(reply)
