"""A noisy tenant beside a quiet one, over HTTP: the noisy one is told to wait."""

import json
from uuid import uuid4

from tests.e2e.conftest import Fresh
from tests.support.live_deployment import Deployment

REPORT = "/v1/me"
LIMITS = ("--requests", "1", "--key-percent", "10")
"""One request of a key in ten seconds, and one more of each process that serves it."""
ASKED = 20


def test_a_noisy_key_is_refused_and_a_quiet_one_is_served(
    deployment: Deployment, fresh: Fresh
) -> None:
    limited = deployment.odometer("organization", "limits", fresh.id, *LIMITS, "--json")
    assert json.loads(limited.stdout)["limits"]["requests"] == 1, limited.stderr
    answers = [deployment.get(REPORT, fresh.key) for _ in range(ASKED)]
    refused = [each for each in answers if each.status_code == 429]
    assert {each.status_code for each in answers} == {200, 429}
    assert {int(each.headers["retry-after"]) for each in refused} <= set(range(1, 15))
    assert {each.json()["error"]["code"] for each in refused} == {"too_many_requests"}
    assert deployment.get(REPORT, "ADMIN_TOKEN").status_code == 200
    event = {"specversion": "1.0", "id": uuid4().hex, "source": "e2e", "type": "usage"}
    sent = deployment.send("POST", "/v1/events", fresh.key, json=event)
    assert sent.status_code == 202, "reports that are refused stop no events"
