"""Filters that mean the same look the same in every process: cursors are bound to them."""

import pytest

from odometer.api.app_utilization.apps import AppUsersQuery
from odometer.web.models import read_query

ONE = "d1a2b3c4-e5f6-7890-abcd-ef1234567890"
TWO = "0120eba5-ddf6-5417-9c91-8ff6c269b546"


@pytest.mark.parametrize("sent", [f"{ONE},{TWO}", f"{TWO},{ONE}", f"{TWO},{ONE.upper()},{TWO}"])
def test_departments_stand_in_one_order_however_they_are_sent(sent: str) -> None:
    query = read_query(
        AppUsersQuery,
        {},
        {
            "granularity": ["daily"],
            "start_date": ["2026-02-01"],
            "end_date": ["2026-02-28"],
            "department_ids": [sent],
        },
    )
    assert query.model_dump(mode="json")["department_ids"] == [TWO, ONE]
