"""Two organizations on one deployment: each is to the other as if it were not there."""

import json

import pytest

from tests.support.live_deployment import Deployment


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/team/{}TEAM_ID",
        "/api/v1/team/{}TEAM_ID/users?offset=0&limit=10",
        "/api/v1/user/{}USER_ID",
    ],
)
def test_the_others_ids_are_answered_like_ids_of_nobody(deployment: Deployment, path: str) -> None:
    def answer(word: str) -> tuple[int, object]:
        name = path.format(word).split("/")[4].split("?")[0]
        url = path.format(word).replace(name, deployment.names.get(name, name))
        reply = deployment.get(url, "ADMIN_TOKEN", headers={"X-Request-Id": "same"})
        return reply.status_code, reply.json()

    assert answer("")[0] == 200
    assert answer("OTHER_") == answer("NOBODYS_")
    assert answer("OTHER_")[0] == 404


def test_an_export_holds_nothing_of_the_other(deployment: Deployment) -> None:
    ours = ids(deployment, "ADMIN_TOKEN")
    theirs = ids(deployment, "OTHER_ADMIN_TOKEN")
    assert {deployment["TEAM_ID"], deployment["USER_ID"], deployment["APP_ID"]} <= ours
    shared = {name for name in ours & theirs if "-" not in name or len(name) != 36}
    assert ours & theirs == shared, "only the default products are called alike"


def ids(deployment: Deployment, key: str) -> set[str]:
    lines = deployment.get("/v1/directory/export", key).text.splitlines()
    return {row["id"] for row in map(json.loads, lines) if "id" in row}


def test_the_others_keys_cannot_be_seen_rotated_or_revoked(deployment: Deployment) -> None:
    key_ids = {row["key_id"] for row in keys(deployment, "OTHER_ADMIN_TOKEN")}
    assert not key_ids & {row["key_id"] for row in keys(deployment, "ADMIN_TOKEN")}
    for key_id in key_ids:
        path = f"/v1/keys/{key_id}"
        assert deployment.send("DELETE", path, "ADMIN_TOKEN").status_code == 404
        rotate = deployment.send("POST", f"{path}/rotate", "ADMIN_TOKEN", json={})
        assert rotate.status_code == 404
    assert deployment.get("/api/v1/organization", "OTHER_ADMIN_TOKEN").status_code == 200


def keys(deployment: Deployment, key: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = deployment.get("/v1/keys", key).json()["keys"]
    return rows


def test_no_key_is_made_for_the_others_user(deployment: Deployment) -> None:
    wanted = {"name": "n", "user": deployment["OTHER_USER_ID"], "scopes": ["usage:read"]}
    answer = deployment.send("POST", "/v1/keys", "ADMIN_TOKEN", json=wanted)
    nobody = deployment.send("POST", "/v1/keys", "ADMIN_TOKEN", json=wanted | {"user": "nobody"})
    assert (answer.status_code, nobody.status_code) == (400, 400)
    assert answer.json()["error"]["message"] == nobody.json()["error"]["message"]
