"""What the wire does to a request, and everything that no function answers."""

import csv
import io
import json
import re
from typing import Any

import httpx
import pytest

from tests.support.live_deployment import Deployment

MEBIBYTE = 1024 * 1024
LEAST_COMPRESSED = 1_400


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/", 405, "GET"),
        ("PUT", "/page/app.js", 405, "GET"),
        ("GET", "/page/nothing.js", 404, None),
        ("GET", "/page/..%2Fapp.py", 404, None),
        ("GET", "/nothing", 404, None),
        ("GET", "/v1", 404, None),
        ("GET", "/v2/clients", 404, None),
        ("GET", "/api/v1/nothing", 404, None),
        ("GET", "/insights/nothing", 404, None),
        ("GET", "/api/v1/team/a%2Fb", 404, None),
        ("POST", "/api/v1/organization", 405, "GET"),
        ("DELETE", "/api/v1/team/a", 405, "GET"),
        ("GET", "/v1/directory", 405, "PUT"),
        ("PATCH", "/v1/keys", 405, "GET, POST"),
        ("PUT", "/v1/keys/a/rotate", 405, "POST"),
        ("OPTIONS", "/v1/keys", 405, "GET, POST"),
    ],
)
def test_unknown_paths_and_wrong_verbs_are_answered_in_the_words_of_the_family(
    deployment: Deployment, method: str, path: str, status: int, allow: str | None
) -> None:
    key = None if "%2F" not in path else "ADMIN_TOKEN"
    answer = deployment.send(method, path, key, headers={"X-Request-Id": "edge-1"})
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    assert answer.headers["x-request-id"] == "edge-1"
    assert shape(answer) == expected_shape(path)


def shape(answer: httpx.Response) -> set[str]:
    return set(answer.json())


def expected_shape(path: str) -> set[str]:
    if path.startswith("/api/v1/"):
        return {"error", "message", "status", "requestId", "details"}
    return {"status", "message"} if path.startswith("/insights/") else {"error"}


def test_the_page_is_there_with_and_without_a_slash_and_so_are_its_files(
    deployment: Deployment,
) -> None:
    bare, slash = deployment.get(""), deployment.get("/")
    assert (bare.status_code, bare.text) == (200, slash.text)
    assert slash.headers["content-type"] == "text/html; charset=utf-8"
    (script,) = re.findall(r'src="(page/v-[^"]+/app.js)"', slash.text)
    answer = deployment.get(f"/{script}")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    again = deployment.get(f"/{script}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_that_never_changes_runs_its_function_once_and_a_document_each_time(
    deployment: Deployment,
) -> None:
    (script,) = re.findall(r'src="(page/v-[^"]+/app.js)"', deployment.get("/").text)
    first, second = (deployment.get(f"/{script}") for _ in range(2))
    assert first.content == second.content
    assert first.headers["x-request-id"] == second.headers["x-request-id"]
    documents = {deployment.get("/").headers["x-request-id"] for _ in range(2)}
    assert len(documents) == 2


def test_a_head_request_is_refused_without_a_body(deployment: Deployment) -> None:
    answer = deployment.send("HEAD", "/api/v1/organization", "ADMIN_TOKEN")
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize(
    "sent", ["%E2%82%AC", "a%20b", "a+b", "%00", "%0d%0aX-Evil:1", "..%2f..", "%25", "a;b", "ä"]
)
def test_odd_characters_in_a_path_name_nobody(deployment: Deployment, sent: str) -> None:
    answer = deployment.get(f"/api/v1/user/{sent}", "ADMIN_TOKEN")
    assert answer.status_code == 404
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("offset=0&limit=+5", "limit"),
        ("offset=0&limit=%2B5", "limit"),
        ("offset=0&limit=5&limit=6", "limit"),
        ("offset=%00&limit=5", "offset"),
        ("offset=0&limit=" + "9" * 8000, "limit"),
        ("offset=%D9%A1&limit=5", "offset"),
        ("offset=&limit=5", "offset"),
    ],
)
def test_a_query_is_decoded_once_and_taken_by_the_letter(
    deployment: Deployment, query: str, fault: str
) -> None:
    answer = deployment.get(f"/api/v1/organization/teams?{query}", "ADMIN_TOKEN")
    assert answer.status_code == 400
    (found,) = answer.json()["details"]["errors"]
    assert found.startswith(f"{fault}: ")


@pytest.mark.parametrize("sent", ["+05:30", "%2B05:30", "05:30", "-330"])
def test_a_plus_that_arrives_as_a_space_is_an_offset_east(
    deployment: Deployment, sent: str
) -> None:
    query = (
        f"type=account-user&from={deployment['DEMO_TO']}+00:00:00"
        f"&to={deployment['DEMO_TO']}%2023:59:59&timezone={sent}"
    )
    path = f"/insights/api/v3/public/usage-report/summary?{query}"
    answer = deployment.get(path, "ADMIN_TOKEN")
    assert answer.status_code == 200
    assert answer.json()["data"]["metadata"]["timezone"] == "+05:30"


@pytest.mark.parametrize("sent", ["a", "A.b_c-9", "x" * 128])
def test_a_good_request_id_of_the_client_is_kept(deployment: Deployment, sent: str) -> None:
    assert request_ids(deployment, sent) == {sent}


@pytest.mark.parametrize("sent", ["x" * 129, "a b", "a/b", "", None])
def test_any_other_answer_has_a_request_id_of_its_own(
    deployment: Deployment, sent: str | None
) -> None:
    given = request_ids(deployment, sent)
    assert len(given) == 2
    assert not given & {sent, ""}


def request_ids(deployment: Deployment, sent: str | None) -> set[str]:
    headers = {} if sent is None else {"X-Request-Id": sent}
    answers = (
        deployment.get("/api/v1/organization", "ADMIN_TOKEN", headers=headers),
        deployment.get("/nothing", headers=headers),
    )
    return {answer.headers["x-request-id"] for answer in answers}


@pytest.mark.parametrize(
    ("media_type", "kind", "mebibytes"),
    [("application/x-ndjson", {"kind": "team"}, 4), ("application/json", {}, 5)],
)
def test_the_largest_directory_is_taken_and_one_byte_more_is_not(
    deployment: Deployment, media_type: str, kind: dict[str, str], mebibytes: int
) -> None:
    row: Any = {**kind, "id": deployment["TEAM_ID"]}
    line = json.dumps(row if kind else {"teams": [row]}).encode()
    body = line + b" " * (mebibytes * MEBIBYTE - len(line))
    headers = {"Content-Type": media_type}

    def put(content: bytes) -> httpx.Response:
        key = "ADMIN_TOKEN"
        return deployment.send("PUT", "/v1/directory", key, content=content, headers=headers)

    taken = put(body)
    assert (taken.status_code, taken.json()["results"][0]["status"]) == (200, "unchanged")
    refused = put(body + b" ")
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"users": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_cannot_be_read_is_the_clients_fault(
    deployment: Deployment, content: bytes, media_type: str, status: int
) -> None:
    headers = {"Content-Type": media_type}
    answer = deployment.send(
        "PUT", "/v1/directory", "ADMIN_TOKEN", content=content, headers=headers
    )
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "details"}


@pytest.mark.parametrize("media_type", ["application/json", "text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("path", ["/users", "/analytics/apps/utilization"])
def test_a_report_is_the_same_however_it_is_carried(
    deployment: Deployment, media_type: str, path: str
) -> None:
    """Whoever unpacks it: the function, the gateway and the client agree."""
    days = f"?start_date={deployment['DEMO_FROM']}&end_date={deployment['DEMO_TO']}"
    address = f"/v2/clients/{deployment['ORG_ID']}{path}{days if 'apps' in path else ''}"
    packed, plain = (
        deployment.get(
            address, "ADMIN_TOKEN", headers={"Accept": media_type, "Accept-Encoding": encoding}
        )
        for encoding in ("gzip", "identity")
    )
    assert (packed.status_code, plain.status_code) == (200, 200)
    assert "content-encoding" not in plain.headers
    assert rows_of(packed) == rows_of(plain)
    if media_type != "application/json" and len(plain.content) > LEAST_COMPRESSED:
        assert packed.headers["content-encoding"] == "gzip"


def rows_of(answer: httpx.Response) -> list[Any]:
    match answer.headers["content-type"]:
        case "text/csv":
            return list(csv.DictReader(io.StringIO(answer.text, newline="")))
        case "application/x-ndjson":
            return list(map(json.loads, answer.text.splitlines()))
    return list(answer.json()["data"])
