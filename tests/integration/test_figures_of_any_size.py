"""Figures beyond 64 bits, in every family of reports and in explanations."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.apps import APP, CLIENT, OFFICE, Client, get_json, use
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, stack_on_moto
from tests.support.usage_sender import used

NOW = datetime(2026, 12, 31, 18, tzinfo=UTC)
WEEKS = [datetime(2026, 1, 5, 12, tzinfo=UTC) + timedelta(weeks=week) for week in range(51)]
LARGE, MORE = 2**61 + 7, 2**62 + 5
"""What one event holds here: each as much as two million of those that may be sent."""
YEAR = "from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z"
DAYS = "start_date=2026-01-01&end_date=2026-12-31"
WEEKLY = "granularity=weekly"
OF_US = f"organizationId={ACME}&{YEAR}"
FIRST_OF_90 = datetime(2026, 10, 3, tzinfo=UTC)
LAST_90 = "type=account-user&from=2026-10-03%2000:00:00&to=2026-12-31%2023:59:59"
REPORT = "/insights/api/v3/public/usage-report"
APPS = f"{CLIENT}/analytics/apps"
OF_APP = f"{APPS}/{APP}"
ANN, ANN_TOO = (len(WEEKS) * each for each in (LARGE, MORE))
BOB, BOB_TOO = 3, 4


def inhabited(client: Client) -> Client:
    for who in ("ann", "bob"):
        client.person(who, who, OFFICE)
    for product in ("automation", "chat"):
        client.used(*(used("ann", product, at, LARGE, MORE) for at in WEEKS))
        client.used(used("bob", product, WEEKS[40], BOB, BOB_TOO))
    client.used(*(use("ann", at, LARGE, MORE) for at in WEEKS), use("bob", WEEKS[40], BOB, BOB_TOO))
    return client


@pytest.fixture(scope="module", params=["folded", "settled", "rebuilt"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with stack_on_moto() as stack:
        neighbour = Client(stack, OTHER, NOW)
        neighbour.person("ann", "ann")
        neighbour.used(used("ann", "automation", WEEKS[3], 1, 2))
        client = inhabited(Client(stack, ACME, NOW))
        if request.param != "folded":
            neighbour.settle()
            client.settle()
        if request.param == "rebuilt":
            client.usage_sender.rebuild(client.now)
        yield client


def test_a_year_of_one_user_is_exact_beyond_64_bits(client: Client) -> None:
    assert ANN > 2**64
    blocks = get_json(client, "/api/v1/organization/usage", f"{OF_US}&granularity=all")["usage"]
    assert blocks["data"][0]["chat"]["interactions"] == ANN + BOB
    path, query = "/api/v1/user/usage", f"{OF_US}&userId=ann&granularity=monthly"
    months = get_json(client, path, query)["usage"]["data"]
    assert sum(month["chat"]["usefulChatInteractions"] for month in months) == ANN_TOO
    person = get_json(client, f"{CLIENT}/users/ann/usage", DAYS)["products"]
    assert [list(each["measures"].values())[:2] for each in person] == [[ANN, ANN_TOO]] * 3
    assert {each["days_active"] for each in person} == {len(WEEKS)}


def test_the_year_of_an_app_is_exact_beyond_64_bits(client: Client) -> None:
    (app,) = get_json(client, f"{APPS}/utilization", DAYS)["data"]
    assert app["active_time_ms"]["value"] == ANN + BOB
    assert app["session_count"]["value"] == ANN_TOO + BOB_TOO
    weekly = get_json(client, f"{OF_APP}/activity", f"metric=active-time&{DAYS}&{WEEKLY}")["data"]
    assert sum(point["value"] for point in weekly) == ANN + BOB
    whole = get_json(client, f"{OF_APP}/utilization", f"{DAYS}&{WEEKLY}")
    assert whole["active_time_ms"]["value"] == ANN + BOB
    users = get_json(client, f"{OF_APP}/utilization/users", f"{DAYS}&{WEEKLY}")["data"]
    averages = [(row["user"]["id"], row["avg_time_ms_per_day"]["value"]) for row in users]
    assert averages == [("ann", LARGE), ("bob", BOB)]


def test_the_longest_span_of_the_usage_report_is_exact_beyond_64_bits(client: Client) -> None:
    weeks = sum(week >= FIRST_OF_90 for week in WEEKS)
    assert weeks * LARGE > 2**64
    drilldown = get_json(client, f"{REPORT}/drilldown", f"product=automation&{LAST_90}")["data"]
    users = [(row["totalTestsRun"], row["totalDuration"]) for row in drilldown["users"]]
    assert users == [(weeks * LARGE, weeks * MORE), (BOB, BOB_TOO)]
    assert drilldown["metadata"]["totalTests"] == weeks * LARGE + BOB
    products = get_json(client, f"{REPORT}/summary", LAST_90)["data"]["products"]
    assert products["automation"]["totalDuration"] == weeks * MORE + BOB_TOO


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("product=automation&measure=tests", ANN + BOB),
        ("product=automation&measure=duration_ms&user=ann", ANN_TOO),
        (f"product={APP}&measure=active_ms&user=ann", ANN),
        ("product=automation&measure=tests&user=bob", BOB),
    ],
)
def test_terms_of_an_explanation_add_up_beyond_64_bits(
    client: Client, query: str, value: int
) -> None:
    explanation = get_json(client, "/v1/explain", f"{query}&{YEAR}")
    assert explanation["value"] == value
    assert sum(term["sign"] * term["value"] for term in explanation["terms"]) == value


def test_the_neighbour_of_a_large_organization_has_its_own_figures(client: Client) -> None:
    neighbour = Client(client.stack, OTHER, NOW)
    assert (
        get_json(neighbour, "/v1/explain", f"product=automation&measure=tests&{YEAR}")["value"] == 1
    )


def test_large_frames_are_what_their_events_add_up_to(client: Client) -> None:
    compared = list(client.usage_sender.engine.verify(ACME, NOW))
    assert [drift for each in compared for drift in each.drifts] == []
