"""The trail of the demo, from its making on, and that of an Admin over HTTP."""

from collections import Counter
from typing import Any

from tests.e2e.conftest import Fresh
from tests.support.live_deployment import Deployment

MADE_BY_THE_DEMO = {"organization.made", "directory.changed", "key.made", "key.revoked"}


def trail_of(deployment: Deployment, key: str, query: str = "order=asc&limit=1000") -> Any:
    reply = deployment.get(f"/v1/audit?{query}", key)
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def test_the_trail_of_the_demo_names_what_made_it(deployment: Deployment) -> None:
    """Printed with `pytest -s`, as docs/audit.md shows it."""
    whole = trail_of(deployment, deployment["ADMIN_TOKEN"])
    for each in whole[:20]:
        actor = each["actor"]
        print(each["number"], each["at"], each["action"], actor["kind"], each["details"])  # noqa: T201
    assert [each["number"] for each in whole] == [*range(1, len(whole) + 1)]
    first = [(each["action"], each["actor"]["kind"]) for each in whole[:3]]
    assert first == [
        ("organization.made", "operator"),
        ("directory.changed", "operator"),
        ("key.made", "operator"),
    ]
    assert {each["action"] for each in whole} >= MADE_BY_THE_DEMO
    secrets = [value for name, value in deployment.names.items() if name.endswith("_TOKEN")]
    assert not [each for each in secrets if each in str(whole)]


def test_what_an_admin_does_over_http_is_told_in_its_order(
    deployment: Deployment, fresh: Fresh
) -> None:
    known = len(trail_of(deployment, fresh.key))
    owner = deployment.get("/v1/me", fresh.key).json()["caller"]["user"]["id"]
    wish = {"name": "e2e", "user": owner, "scopes": ["usage:read"]}
    made = deployment.send("POST", "/v1/keys", fresh.key, json=wish).json()["key_id"]
    deployment.send("POST", f"/v1/keys/{made}/rotate", fresh.key, json={"grace_seconds": 0})
    deployment.send("DELETE", f"/v1/keys/{made}", fresh.key)
    deployment.get("/v1/directory/export", fresh.key)
    user = {"users": [{"id": "gone", "username": "gone"}]}
    deployment.send("PUT", "/v1/directory", fresh.key, json=user)
    deployment.send("DELETE", "/v1/users/gone", fresh.key)
    found = trail_of(deployment, fresh.key)[known:]
    assert [(each["action"], each["key_id"]) for each in found] == [
        ("key.made", made),
        ("key.rotated", made),
        ("key.revoked", made),
        ("directory.exported", None),
        ("directory.changed", None),
        ("user.erased", None),
    ]
    assert {each["actor"]["user"] for each in found} == {owner}
    assert "gone" not in str(found)
    assert Counter(each["number"] for each in found).most_common(1)[0][1] == 1
