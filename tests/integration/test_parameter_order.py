"""A handler may name what it needs in any order: a request gets the same answer."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from odometer.api.app_utilization.apps import AppUsersQuery
from odometer.directory.people import Product
from odometer.web.cursors import Chain
from odometer.web.endpoint import Endpoint
from odometer.web.messages import Response
from tests.support.memory_directory import ACME
from tests.support.stack import CONTEXT, Stack, admin_of, endpoints, proxy_event

NEEDS: Mapping[str, type] = {"query": AppUsersQuery, "chain": Chain, "product": Product}
REQUESTS = {
    "page_size=none": (400, "page_size"),
    "cursor=none": (400, "cursor"),
    "page_size=none&cursor=none": (400, "page_size"),
    "page_size=1": (404,),
}
"""All of an app that there is not: what was sent is checked before it is looked up."""


def endpoint_with(order: tuple[str, ...]) -> Endpoint:
    """The endpoint of the users of an app, with its parameters in this order."""

    def handler(**given: Any) -> Response:
        raise AssertionError(given)

    handler.__annotations__ = {name: NEEDS[name] for name in order}
    return replace(endpoints()["app_utilization/app_users"], handler=handler)


@pytest.mark.parametrize("order", list(permutations(NEEDS)), ids=" ".join)
def test_an_answer_does_not_depend_on_the_order_of_parameters(
    stack: Stack, order: tuple[str, ...]
) -> None:
    key, endpoint = admin_of(stack, ACME), endpoint_with(order)
    parameters = {"client_id": ACME, "app_id": "00000000-0000-0000-0000-000000000000"}
    path = endpoint.path.format(**parameters)
    days = "start_date=2026-02-01&end_date=2026-02-28&granularity=daily"
    for query, expected in REQUESTS.items():
        event = proxy_event("GET", f"{path}?{days}&{query}", {"authorization": f"Bearer {key}"})
        answer = endpoint({**event, "pathParameters": parameters}, CONTEXT)
        details = json.loads(answer["body"])["error"]["details"]
        assert (answer["statusCode"], *details) == expected
