"""An Admin's day: an organization is made, filled, looked at; keys are made, rotated, revoked."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odometer_cli.client import Client
from tests.e2e.conftest import Fresh
from tests.support.live_deployment import Deployment

USERS = "/api/v1/organization/users?offset=0&limit=1000&teamMember={}&active={}"


def test_a_directory_that_was_put_shows_in_every_list(
    deployment: Deployment, fresh: Fresh, tmp_path: Path
) -> None:
    file = tmp_path / "directory.json"
    states = ("registered", "registered", "deactivated", "invited")
    document = {
        "organization": {"domains": ["example.com"]},
        "license": {"exp": 2, "iat": 1, "seats": 10, "seats_cap": 12},
        "teams": [{"name": "E2E Team"}],
        "users": [
            {"username": f"e2e-{number}@example.com", "state": state, "team": "E2E Team"}
            for number, state in enumerate(states)
        ],
    }
    file.write_text(json.dumps(document))
    put = deployment.odometer("directory", "put", str(file), key=fresh.key)
    assert put.returncode == 0, put.stderr
    team = deployment.get("/api/v1/organization/teams", fresh.key).json()["data"]
    assert [(row["name"], row["usersCount"]) for row in team] == [("E2E Team", 4)]
    assert usernames(deployment, fresh, "true", "true") == [
        "e2e-0@example.com",
        "e2e-1@example.com",
    ]
    assert usernames(deployment, fresh, "true", "false") == ["e2e-2@example.com"]
    assert usernames(deployment, fresh, "false", "true") == [fresh.admin_username]
    license_now = deployment.get("/api/v1/license", fresh.key).json()["license"]
    assert (license_now["seats"], license_now["seatsCap"]) == (10, 12)
    again = deployment.odometer("directory", "put", str(file), "--json", key=fresh.key)
    assert {row["status"] for row in json.loads(again.stdout)} == {"unchanged"}


def usernames(deployment: Deployment, fresh: Fresh, member: str, active: str) -> list[str]:
    rows = deployment.get(USERS.format(member, active), fresh.key).json()["data"]
    return [row["username"] for row in rows]


def test_a_key_is_made_used_rotated_with_grace_and_without_and_revoked(
    deployment: Deployment, fresh: Fresh
) -> None:
    owner = user_id(deployment, fresh, fresh.admin_username)
    wanted = {"name": "e2e", "user": owner, "scopes": ["usage:read"]}
    made = deployment.send("POST", "/v1/keys", fresh.key, json=wanted)
    assert made.status_code == 201
    key_id, first = made.json()["key_id"], made.json()["access_key"]
    assert statuses(deployment, first) == [200]
    second = rotated(deployment, fresh, key_id, 3600)
    assert statuses(deployment, first, second) == [200, 200]
    third = rotated(deployment, fresh, key_id, 0)
    assert statuses(deployment, first, second, third) == [401, 401, 200]
    assert deployment.send("DELETE", f"/v1/keys/{key_id}", fresh.key).status_code == 204
    assert statuses(deployment, third) == [401]
    rows = deployment.get("/v1/keys", fresh.key).json()["keys"]
    shown = next(row for row in rows if row["key_id"] == key_id)
    assert shown["revoked_at"]
    assert shown["last_used_at"]


def user_id(deployment: Deployment, fresh: Fresh, username: str) -> str:
    lines = deployment.get("/v1/directory/export", fresh.key).text.splitlines()
    rows = [json.loads(line) for line in lines]
    return next(str(row["id"]) for row in rows if row.get("username") == username)


def rotated(deployment: Deployment, fresh: Fresh, key_id: str, grace_seconds: int) -> str:
    path, body = f"/v1/keys/{key_id}/rotate", {"grace_seconds": grace_seconds}
    return str(deployment.send("POST", path, fresh.key, json=body).json()["access_key"])


def statuses(deployment: Deployment, *keys: str) -> list[int]:
    return [deployment.get("/api/v1/organization", key).status_code for key in keys]


def test_somebody_who_is_erased_is_gone_and_what_they_used_stays(
    deployment: Deployment, fresh: Fresh
) -> None:
    username = "leaving@example.com"
    body = {"users": [{"username": username}]}
    put = deployment.send("PUT", "/v1/directory", fresh.key, json=body)
    leaving = put.json()["results"][0]["id"]
    wanted = {"name": "leaving", "user": leaving, "scopes": ["usage:read"]}
    key = deployment.send("POST", "/v1/keys", fresh.key, json=wanted).json()["access_key"]
    now = datetime.now(UTC)
    event = {
        "specversion": "1.0",
        "type": "usage",
        "id": "1",
        "source": "e2e",
        "subject": leaving,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "data": {"product": "automation", "tests": 7},
    }
    assert deployment.send("POST", "/v1/events", fresh.key, json=event).status_code == 202
    day = f"from={now:%Y-%m-%d}%2000:00:00&to={now:%Y-%m-%d}%2023:59:59&type=account-user"
    report = f"/insights/api/v3/public/usage-report/drilldown?{day}&product=automation"
    before = until_it_shows(deployment, fresh, report)
    assert [row["id"] for row in before["users"]] == [leaving]
    assert deployment.get(f"/api/v1/user/{leaving}", key).status_code == 200

    erased = deployment.send("DELETE", f"/v1/users/{leaving}", fresh.key)
    assert (erased.status_code, erased.content) == (204, b"")
    assert deployment.get(f"/api/v1/user/{leaving}", key).status_code == 401
    assert deployment.get(f"/api/v1/user/{leaving}", fresh.key).status_code == 404
    assert username not in deployment.get("/v1/directory/export", fresh.key).text
    assert "leaving" not in deployment.get("/v1/keys", fresh.key).text
    after = deployment.get(report, fresh.key).json()["data"]
    assert after["users"] == []
    assert after["metadata"]["totalTests"] == before["metadata"]["totalTests"] == 7
    again = deployment.odometer("directory", "erase", leaving, "--yes", key=fresh.key)
    assert (again.returncode, again.stderr[:15]) == (1, "404: Not found\n")


def until_it_shows(deployment: Deployment, fresh: Fresh, report: str) -> dict[str, Any]:
    """The first report that has a row."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        data: dict[str, Any] = deployment.get(report, fresh.key).json()["data"]
        if data["users"]:
            return data
        time.sleep(0.5)
    raise AssertionError(report)


def test_basic_credentials_open_what_the_bearer_token_opens(
    deployment: Deployment, fresh: Fresh
) -> None:
    def status(username: str, key: str) -> int:
        pair = base64.b64encode(f"{username}:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        return deployment.get("/api/v1/organization", headers=headers).status_code

    assert status(fresh.admin_username, fresh.key) == 200
    assert status("somebody@example.com", fresh.key) == 401
    assert status(fresh.admin_username, deployment["OTHER_ADMIN_TOKEN"]) == 401


def test_writers_at_the_same_time_lose_nothing(deployment: Deployment, fresh: Fresh) -> None:
    expected = {f"writer-{number}@example.com" for number in range(24)}
    client = Client(deployment["BASE_URL"], fresh.key)  # told to come back later, it does

    def put(username: str) -> int:
        body = json.dumps({"users": [{"username": username}]}).encode()
        return client.call("PUT", "/v1/directory", body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, sorted(expected))) == {200}
    assert expected <= set(usernames(deployment, fresh, "false", "true"))


def test_ten_thousand_rows_are_taken_by_one_command(
    deployment: Deployment, fresh: Fresh, tmp_path: Path
) -> None:
    file = tmp_path / "many.ndjson"
    rows = [{"kind": "user", "username": f"many-{number:05d}"} for number in range(10_000)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    put = deployment.odometer("directory", "put", str(file), key=fresh.key)
    assert put.returncode == 0, put.stderr
    assert put.stdout.split()[-3:] == ["user", "created", "10000"]
    page = USERS.format("false", "true").replace("limit=1000", "limit=1")
    assert deployment.get(page, fresh.key).json()["meta"]["total"] > 10_000
