"""What cursors promise: they lead on from where they were made, and nowhere else."""

import json
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.api.app_utilization.apps import AppUsersQuery
from odometer.api.app_utilization.users import UsersQuery
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Fault, Invalid, NotFound
from odometer.domain.time import CURSOR_LIFE
from odometer.engine.format.decisions import Gap
from odometer.services.usage import Usage
from odometer.web.cursors import (
    LONGEST_CURSOR,
    USERS_NAMED,
    Chain,
    Mark,
    bytes_of,
    content_without_expiry,
    link_headers,
    next_cursor,
    next_link,
    restore_view,
)
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
    assert fault == Fault("cursor", "cursor", fault.message, other.get("cursor", CURSOR))
    return fault.message


def test_a_request_without_a_cursor_begins_a_chain() -> None:
    assert (chain().row, chain().mark) == (0, None)


def test_a_cursor_leads_on_from_where_it_was_made() -> None:
    expires = int((NOON + CURSOR_LIFE).timestamp())
    assert chain(cursor=CURSOR).mark == Mark(50, expires, 3, PIN, [])


USERS = [9, 4, 7, 2, 8, 30, 31, 32, 33, 34, 35, 3]
AHEAD = chain().cursor(3, 3, PIN, USERS[3:11], 1)
"""Three of the users were shown; 2 and seven more come next, and one had been erased before."""


@pytest.mark.parametrize(
    ("gone", "next_user"),
    [([], 2), ([9], 2), ([7], 2), ([3], 2), ([2], 8), ([2, 9, 4], 8), (USERS[3:11], 3)],
    ids=str,
)
def test_a_chain_of_users_goes_on_with_the_next_who_is_there(
    gone: list[int], next_user: int
) -> None:
    left = [user for user in USERS if user not in gone]
    found = chain(cursor=AHEAD).after_erasures(left, 1 + len(gone))
    assert left[found.row] == next_user


def test_a_chain_rather_repeats_a_row_than_skips_one() -> None:
    """Whether the two others stood before the next row or after it, nobody knows any more."""
    found = chain(cursor=AHEAD).after_erasures([9, 4, 7, 3], 1 + 8 + 2)
    assert found.row == 1


def test_a_chain_of_which_all_who_were_left_are_erased_ends_without_a_row_twice() -> None:
    last = chain().cursor(10, 3, PIN, USERS[10:], 1)
    for erased in (3, 4):
        assert chain(cursor=last).after_erasures(USERS[:10], erased).row == 10


def test_a_chain_that_begins_or_of_which_nobody_was_erased_stays_where_it_is() -> None:
    assert chain().after_erasures(USERS, 5) == chain()
    going = chain(cursor=AHEAD)
    assert going.after_erasures([], 1) == going


def test_a_chain_never_goes_back_before_its_first_row() -> None:
    cursor = chain().cursor(1, 3, PIN, USERS[1:9], 0)
    assert chain(cursor=cursor).after_erasures([9, 3], 9).row == 0
    assert chain(cursor=cursor).after_erasures([9, 3], 12).row == 0


def test_a_chain_began_with_its_first_page() -> None:
    first = chain()
    cursor = first.cursor(50, 3, PIN)
    assert first.began == int(NOON.timestamp())
    assert chain(cursor=cursor, after=timedelta(hours=5)).began == first.began


@pytest.mark.parametrize(("accept", "all_rows"), [("text/csv", True), ("application/json", False)])
def test_a_page_that_is_every_row_is_followed_by_none(accept: str, *, all_rows: bool) -> None:
    query = {name: [value] for name, value in DATES.items()}
    headers = {"accept": [accept]}
    request = Request("GET", "/", PATH, query, headers, b"", "1")
    found = Chain.of([KEY], NOON, ACME, request, read_query(AppUsersQuery, PATH, query))
    assert found.all_rows is all_rows
    assert (following(found, 1, 9) is None) is all_rows


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


@pytest.mark.parametrize("mark", [{"row": 1}, {**Mark(1, 2, 3, {})._asdict(), "row": "1"}], ids=str)
def test_a_cursor_that_another_release_has_signed_is_none(mark: Mapping[str, Any]) -> None:
    body = zlib.compress(json.dumps(mark).encode())
    tag = chain()._tag(body, KEY)  # noqa: SLF001  as that release would
    other = urlsafe_b64encode(tag + body).rstrip(b"=").decode()
    assert refused(cursor=other) == "Invalid cursor"


def test_what_is_longer_than_any_cursor_is_not_even_looked_at() -> None:
    with pytest.raises(Invalid):
        chain(cursor="A" * (LONGEST_CURSOR + 1))


def test_a_cursor_is_of_the_letters_that_its_bytes_have_and_no_others() -> None:
    for last in range(256):
        for content in (bytes([7, last]), bytes([7, 7, last]), bytes([7, 7, 7, last])):
            letters = urlsafe_b64encode(content).rstrip(b"=").decode()
            assert bytes_of(letters) == content
            assert bytes_of(f"{letters}=") == b""
    assert bytes_of("A" * LONGEST_CURSOR) == bytes(LONGEST_CURSOR // 4 * 3)
    assert [bytes_of(each) for each in ("A" * (LONGEST_CURSOR + 4), "é", "A")] == [b"", b"", b""]


def test_a_cursor_takes_as_few_letters_as_its_content_allows() -> None:
    mark = json.loads(zlib.decompress(bytes_of(CURSOR)[16:]))
    written = json.dumps(mark, separators=(",", ":"))
    assert len(bytes_of(CURSOR)) == 16 + len(zlib.compress(written.encode(), 9))
    assert mark.keys() == set(Mark._fields)


def test_a_page_that_a_client_has_kept_stays_the_same_for_hours() -> None:
    """What an ETag is made of: the half day in which a cursor expires, and all else of it."""

    def content(after: timedelta, row: int = 50) -> bytes:
        return content_without_expiry(chain(after=after).cursor(row, 3, PIN, [4], 2))

    begun = content(timedelta(0))
    assert content(timedelta(hours=11)) == begun
    assert content(timedelta(hours=13)) != begun
    assert content(timedelta(0), 51) != begun
    half_days = (NOON + CURSOR_LIFE).timestamp() // (12 * 3600)
    mark = Mark(50, int(half_days), 3, PIN, [4], 2)
    assert json.loads(begun) == mark._asdict()


class Shown:
    """Usage that is gone back to what a first page was made from."""

    def __init__(self, gone: Exception | None = None) -> None:
        self.gone = gone
        self.asked: list[tuple[object, ...]] = []

    def go_back(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.gone:
            raise self.gone

    def pin(self, products: object) -> dict[str, object]:
        return {"products": products}


def test_a_chain_shows_what_its_first_page_was_made_from() -> None:
    usage = Shown()
    restore_view(chain(), cast("Usage", usage))
    assert usage.asked == []
    restore_view(chain(cursor=CURSOR), cast("Usage", usage))
    assert usage.asked == [(3, PIN)]


@pytest.mark.parametrize("gone", [Gap(), NotFound()])
def test_a_chain_whose_first_page_cannot_be_made_any_more_has_expired(gone: Exception) -> None:
    with pytest.raises(Invalid) as caught:
        restore_view(chain(cursor=CURSOR), cast("Usage", Shown(gone)))
    assert caught.value.faults == (Fault("cursor", "cursor", "Cursor expired", CURSOR),)


def following(page: Chain, shown: int, total: int, ahead: Sequence[int] = ()) -> str | None:
    directory = SimpleNamespace(head=SimpleNamespace(version=6), erased={1, 2, 3})
    usage = cast("Usage", Shown())
    named = ["chat"]
    return next_cursor(page, usage, cast("Directory", directory), named, shown, total, ahead)


def test_the_next_page_begins_behind_the_last_row_that_was_shown() -> None:
    first = chain()
    cursor = following(first, 20, 45, list(range(20, 40)))
    assert cursor is not None
    second = chain(cursor=cursor)
    expires = int((NOON + CURSOR_LIFE).timestamp())
    named = list(range(20, 20 + USERS_NAMED))
    assert second.mark == Mark(20, expires, 6, {"products": ["chat"]}, named, 3)
    third = following(second, 20, 45)
    assert third is not None
    assert chain(cursor=third).row == 40
    assert following(chain(cursor=third), 5, 45) is None
    assert following(first, 45, 45) is None


def test_links_to_a_successor_and_to_the_next_page_share_a_header() -> None:
    old = {"Deprecation": "@1", "Link": '</new>; rel="successor-version"'}
    begun = chain()
    assert link_headers({}) == link_headers({}, begun) == {}
    assert link_headers(old) == link_headers(old, begun, None) == old
    assert link_headers({}, None, "next") == {}
    assert link_headers({}, begun, "next") == {"Link": begun.link("next")}
    both = f"{old['Link']}, {begun.link('next')}"
    assert link_headers(old, begun, "next") == {**old, "Link": both}


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


class WithoutPages(Query):
    """A query that has no cursor."""


def test_a_query_without_pages_begins_its_chain() -> None:
    request = Request("GET", "/", {}, {}, {}, b"", "1")
    found = Chain.of([KEY], NOON, ACME, request, read_query(WithoutPages, {}, {}))
    assert (found.row, found.mark) == (0, None)


def test_times_in_a_cursor_are_whole_seconds() -> None:
    begun = chain(cursor=chain().cursor(1, 3, PIN))
    assert begun.mark is not None
    assert [type(each) for each in (begun.mark.expires, begun.began)] == [int, int]


def test_a_cursor_has_all_its_letters_whichever_is_the_last() -> None:
    cursors = [chain().cursor(row, 3, PIN) for row in range(300)]
    assert {"X", "A"} <= {cursor[-1] for cursor in cursors}
    assert [chain(cursor=cursor).row for cursor in cursors] == list(range(300))


def test_rows_that_are_numbered_for_good_are_linked_by_their_number() -> None:
    assert next_link({"a": ["b c"]}, 7) == {"Link": '<?a=b+c&cursor=7>; rel="next"'}
    assert next_link({"a": ["b"]}, None) == next_link({"a": ["b"]}, 0) == {}
