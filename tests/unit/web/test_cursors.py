"""What cursors promise: they lead on from where they were made, and nowhere else."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.api.app_utilization.apps import AppUsersQuery
from odometer.api.app_utilization.users import UsersQuery
from odometer.domain.errors import Invalid
from odometer.domain.time import CURSOR_LIFE
from odometer.web.cursors import LONGEST_CURSOR, Chain, Mark
from odometer.web.messages import Request
from odometer.web.models import Query, read_query
from tests.support.apps import APP, SALES
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import OTHER

KEY = b"a key of the deployment"
DATES = {"granularity": "daily", "start_date": "2026-02-01", "end_date": "2026-02-28"}
PATH = {"client_id": ACME, "app_id": APP}
PIN = {"plan": 7, "zone": "Europe/Berlin", "fresh": "{}"}


def chain(
    model: type[Query] = AppUsersQuery,
    organization: str = ACME,
    path: Mapping[str, str] = PATH,
    key: bytes = KEY,
    after: timedelta = timedelta(0),
    **sent: str,
) -> Chain:
    """The chain of a request that was sent some time after the first."""
    parameters = {**DATES, **sent} if model is AppUsersQuery else sent
    query = {name: [value] for name, value in parameters.items()}
    request = Request("GET", "/", path, query, {}, b"", "1")
    return Chain.of([key], NOON + after, organization, request, read_query(model, path, query))


CURSOR = chain().cursor(50, 3, PIN)


def refused(**other: Any) -> str:
    """What is said of the cursor when it comes with something else."""
    with pytest.raises(Invalid) as caught:
        chain(**{"cursor": CURSOR, **other})
    (fault,) = caught.value.faults
    assert fault.name == "cursor"
    return fault.message


def test_a_request_without_a_cursor_begins_a_chain() -> None:
    assert (chain().row, chain().mark) == (0, None)


def test_a_cursor_leads_on_from_where_it_was_made() -> None:
    expires = int((NOON + CURSOR_LIFE).timestamp())
    assert chain(cursor=CURSOR).mark == Mark(50, expires, 3, PIN, [])


USERS = [9, 4, 7, 2, 8, 3]
AHEAD = chain().cursor(3, 3, PIN, USERS[3:5], 1)
"""Three of the users were shown; 2 and 8 come next, and one had been erased before."""


@pytest.mark.parametrize(
    ("gone", "next_user"),
    [([], 2), ([9], 2), ([7], 2), ([3], 2), ([2], 8), ([2, 9, 4], 8), ([2, 8], 3)],
    ids=str,
)
def test_a_chain_of_users_goes_on_with_the_next_who_is_there(
    gone: list[int], next_user: int
) -> None:
    left = [user for user in USERS if user not in gone]
    found = chain(cursor=AHEAD).after_erasures(left, 1 + len(gone))
    assert next_user in left[found.row :]
    assert left[found.row] == next_user or len(gone) > 1


def test_a_chain_rather_repeats_a_row_than_skips_one() -> None:
    found = chain(cursor=AHEAD).after_erasures([9, 4, 7, 3], 3)
    assert found.row == 1


def test_the_page_size_may_change_and_ids_be_written_otherwise() -> None:
    upper = {name: value.upper() for name, value in PATH.items()}
    assert chain(cursor=CURSOR, page_size="7", path=upper).row == 50


def test_all_pages_of_a_chain_end_when_the_first_does() -> None:
    later = chain(cursor=CURSOR, after=timedelta(hours=23)).cursor(100, 3, PIN)
    assert chain(cursor=later, after=CURSOR_LIFE - timedelta(seconds=1)).row == 100
    assert refused(cursor=later, after=CURSOR_LIFE) == "Cursor expired"


def test_an_expired_cursor_says_so() -> None:
    assert refused(after=CURSOR_LIFE) == "Cursor expired"


@pytest.mark.parametrize(
    "other",
    [
        {"organization": OTHER},
        {"path": {**PATH, "app_id": SALES}},
        {"model": UsersQuery},
        {"key": b"another key"},
        {"start_date": "2026-02-02"},
        {"end_date": "2026-02-27"},
        {"granularity": "monthly"},
        {"compare": "previous_period"},
        {"sort_by": "username"},
        {"sort_order": "asc"},
        {"department_ids": SALES},
        {"department_id": SALES},
    ],
    ids=str,
)
def test_a_cursor_is_worth_nothing_anywhere_else(other: dict[str, Any]) -> None:
    assert refused(**other) == "Invalid cursor"
    assert refused(**other, after=CURSOR_LIFE) == "Invalid cursor"


@pytest.mark.parametrize("bit", range(0, 8 * len(CURSOR), 5))
def test_no_bit_of_a_cursor_may_flip(bit: int) -> None:
    letters = bytearray(CURSOR.encode())
    letters[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Invalid):
        chain(cursor=letters.decode("latin-1"))


@pytest.mark.parametrize("length", range(1, len(CURSOR), 7))
def test_no_part_of_a_cursor_is_one(length: int) -> None:
    assert refused(cursor=CURSOR[:length]) == "Invalid cursor"
    assert refused(cursor=CURSOR[length:]) == "Invalid cursor"


@pytest.mark.parametrize(
    "other",
    [
        "A" * LONGEST_CURSOR,
        f"{CURSOR}=",
        f"{CURSOR}A",
        "=" * 8,
        "\u0665" * 8,
        "eyJhIjoxfQ",
        "A" * 22,
    ],
)
def test_what_was_not_made_here_is_no_cursor(other: str) -> None:
    assert refused(cursor=other) == "Invalid cursor"


def test_what_is_longer_than_any_cursor_is_not_even_looked_at() -> None:
    with pytest.raises(Invalid):
        chain(cursor="A" * (LONGEST_CURSOR + 1))


@settings(max_examples=300)
@given(st.one_of(st.text(min_size=1, max_size=400), st.binary(max_size=300).map(bytes.hex)))
def test_anything_else_is_a_fault_of_the_request(cursor: str) -> None:
    with pytest.raises(Invalid):
        chain(cursor=cursor)


def test_a_cursor_fits_a_request_however_much_it_pins() -> None:
    moments = [[1_770_000_000 + at, "2026-02-28"] for at in range(4)]
    pin = {**PIN, "fresh": {str(product): moments for product in range(40)}}
    assert len(chain().cursor(10**6, 10**6, pin)) < 2_000


def test_the_next_page_is_linked_relative_to_this_one() -> None:
    begun = chain(sort_by="username")
    assert begun.link("next") == (
        "<?granularity=daily&start_date=2026-02-01&end_date=2026-02-28"
        '&sort_by=username&cursor=next>; rel="next"'
    )
    going = replace(begun, query={**begun.query, "cursor": ["this"]})
    assert going.link("next") == begun.link("next")
