"""The deployment keeps to its documents: all checks of schemathesis, each family, over HTTP.

`CASES_OVER_HTTP` says how many cases each family gets: 60 by default.
"""

import os
from functools import partial
from typing import Any

from schemathesis.specs.openapi.checks import unsupported_method

from tests.e2e.conftest import Fresh
from tests.support.conformance import hold, keeps_to_its_document
from tests.support.live_deployment import Deployment

SECONDS = 60
"""A function that is called for the first time unpacks its layer first."""
CASES = int(os.environ.get("CASES_OVER_HTTP", "60"))
THERE = {
    "teamId": "TEAM_ID",
    "user_id": "USER_ID",
    "userId": "USER_ID",
    "organizationId": "ORG_ID",
    "client_id": "ORG_ID",
    "app_id": "APP_ID",
}
"""What most cases are about, by its name in the demo."""

over_http = partial(keeps_to_its_document, cases=CASES)


def ask(case: Any, deployment: Deployment, key: str = "ADMIN_TOKEN") -> None:
    """Send a case as an Admin; a verb that nothing is routed for is the gateway's."""
    there = {parameter: deployment[name] for parameter, name in THERE.items()}
    headers = {"Authorization": f"Bearer {deployment.names.get(key, key)}"}
    call = {"headers": headers, "base_url": deployment["BASE_URL"], "timeout": SECONDS}
    hold(case, there, unsupported_method, **call)


@over_http("app_utilization")
def test_app_utilization_keeps_to_its_document(case: Any, deployment: Deployment) -> None:
    ask(case, deployment)


@over_http("usage_metrics")
def test_usage_metrics_keep_to_their_document(case: Any, deployment: Deployment) -> None:
    ask(case, deployment)


@over_http("usage_report")
def test_usage_reports_keep_to_their_document(case: Any, deployment: Deployment) -> None:
    ask(case, deployment)


@over_http("v1")
def test_directory_keys_and_events_keep_to_their_document(
    case: Any, deployment: Deployment, fresh: Fresh
) -> None:
    """These cases write, so they use an organization that no other test reads."""
    ask(case, deployment, fresh.key)
