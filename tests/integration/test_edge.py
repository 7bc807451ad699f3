"""What no function answers, in the shape of the family whose prefix was called."""

from typing import Any

import pytest

from tests.support.stack import Reply, Stack, answer_to, proxy_event

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def usage_metrics(status: int, word: str, message: str) -> dict[str, Any]:
    return {
        "error": word,
        "message": message,
        "status": status,
        "requestId": "request-1",
        "details": {"errors": []},
    }


def envelope(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": {}}}


NOT_FOUND = {
    "/api/v1/": usage_metrics(404, "NOT_FOUND", "Not Found – Resource not found."),
    "/insights/": {"status": "error", "message": "not found"},
    "/": envelope("not_found", "Not found"),
}
NOT_ALLOWED = {
    "/api/v1/": usage_metrics(
        405, "METHOD_NOT_ALLOWED", "Method Not Allowed – Resource has other methods."
    ),
    "/insights/": {"status": "error", "message": "method not allowed"},
    "/": envelope("method_not_allowed", "Method not allowed"),
}
UNKNOWN = [
    ("/nope", "/"),
    ("/api", "/"),
    ("/api/v1", "/api/v1/"),
    ("/api/v10", "/"),
    ("/api/v2/organization", "/"),
    ("/v1", "/"),
    ("/v1/keys/", "/"),
    ("/v1/keys/a/b", "/"),
    ("/v1/directory/export/x", "/"),
    ("/V1/keys", "/"),
    ("//v1/keys", "/"),
    ("/v1/keys/a%2Fb", "/"),
    ("/%00", "/"),
    ("/" + "x" * 8192, "/"),
    ("/insights", "/insights/"),
    ("/insightsful", "/"),
    ("/insights/", "/insights/"),
    ("/insights/api/v3/public/usage-report", "/insights/"),
    ("/api/v1/", "/api/v1/"),
    ("/api/v1/organization/", "/api/v1/"),
    ("/api/v1/organization/nope", "/api/v1/"),
    ("/api/v1/team/", "/api/v1/"),
    ("/api/v1/team/a/users/b", "/api/v1/"),
    ("/api/v1/team/a%2Fb/users", "/api/v1/"),
    ("/api/v1/user/%E2%98%83/x", "/api/v1/"),
    ("/api/v1/..%2F..%2Fv1/keys", "/api/v1/"),
]
ALLOWED = [
    ("/api/v1/organization", "GET", "/api/v1/"),
    ("/api/v1/license", "GET", "/api/v1/"),
    ("/api/v1/team/some-team", "GET", "/api/v1/"),
    ("/api/v1/user/%E2%98%83", "GET", "/api/v1/"),
    ("/insights/api/v3/public/usage-report/summary", "GET", "/insights/"),
    ("/v1/directory", "PUT", "/"),
    ("/v1/directory/export", "GET", "/"),
    ("/v1/keys", "GET, POST", "/"),
    ("/v1/keys/some-key", "DELETE", "/"),
    ("/v1/keys/some-key/rotate", "POST", "/"),
    ("/", "GET", "/"),
    ("/docs", "GET", "/"),
    ("/page/views/seats.js", "GET", "/"),
]


def ask(stack: Stack, method: str, path: str) -> Reply:
    return stack.call(method, path, headers={"authorization": "Bearer nobody"})


@pytest.mark.parametrize("method", VERBS)
@pytest.mark.parametrize(("path", "family"), UNKNOWN, ids=lambda value: value[:40])
def test_an_unknown_path_is_not_found(stack: Stack, method: str, path: str, family: str) -> None:
    reply = ask(stack, method, path)
    assert (reply.status, reply.json) == (404, NOT_FOUND[family])


@pytest.mark.parametrize(("path", "allowed", "family"), ALLOWED)
def test_a_verb_that_a_path_does_not_have_is_refused_with_those_that_it_has(
    stack: Stack, path: str, allowed: str, family: str
) -> None:
    for method in set(VERBS) - set(allowed.split(", ")):
        reply = ask(stack, method, path)
        assert (reply.status, reply.json) == (405, NOT_ALLOWED[family])
        assert reply.headers["Allow"] == allowed


def test_every_answer_echoes_a_valid_request_id(stack: Stack) -> None:
    for path in ("/nope", "/api/v1/organization", "/v1/keys", "/insights/x"):
        for sent, shown in (("mine-1.2_3", "mine-1.2_3"), ("no good", "request-1")):
            reply = stack.get(path, None, **{"x-request-id": sent})
            assert reply.headers["X-Request-Id"] == shown
            assert f'"requestId":"{shown}"' in reply.text or "/api/v1/" not in path


def test_a_401_says_how_to_come_in(stack: Stack) -> None:
    challenges = {
        "/api/v1/organization": 'Bearer realm="odometer"',
        "/v1/keys": 'Bearer realm="odometer", Basic realm="odometer"',
        "/insights/api/v3/public/usage-report/summary": 'Basic realm="odometer", charset="UTF-8"',
    }
    for path, challenge in challenges.items():
        reply = stack.get(path)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, challenge)


def test_the_catch_all_needs_nothing_but_a_path() -> None:
    event = proxy_event("GET", "/nope", {})
    bare = {name: event[name] for name in ("httpMethod", "path")}
    reply = answer_to(bare)
    assert (reply.status, reply.json) == (404, NOT_FOUND["/"])
