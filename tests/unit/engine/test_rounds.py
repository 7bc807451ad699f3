"""Joined reads give the same items in fewer requests."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.engine.rounds import answers, joined_key_ranges
from odometer.engine.store import KeyRange
from tests.support.memory_store import MemoryStore

LETTERS = "abcdefgh"
ENDS = st.tuples(st.sampled_from(LETTERS), st.sampled_from(LETTERS)).map(sorted)
KEY_RANGES = st.builds(
    lambda pk, ends, strong: KeyRange(pk, ends[0], ends[1], strong),
    st.sampled_from("PQ"),
    ENDS,
    st.booleans(),
)


def store_of_letters() -> MemoryStore:
    store = MemoryStore(lambda: 10**6)
    for pk in "PQ":
        for sk in LETTERS:
            store.put({"pk": pk, "sk": sk})
    return store


@settings(max_examples=200)
@given(st.lists(KEY_RANGES, max_size=8))
def test_every_key_range_gets_what_it_would_get_alone(key_ranges: list[KeyRange]) -> None:
    store = store_of_letters()
    alone = store.read([key_range._replace(strong=True) for key_range in key_ranges])
    strong = [key_range._replace(strong=True) for key_range in key_ranges]
    assert answers(store, strong) == alone


@settings(max_examples=200)
@given(st.lists(KEY_RANGES, max_size=8))
def test_no_two_requests_meet_and_none_is_weaker_than_asked(key_ranges: list[KeyRange]) -> None:
    joined = joined_key_ranges(key_ranges)
    for one, other in pairwise(joined):
        assert one.pk != other.pk or one.last < other.first
    for key_range in key_ranges:
        (whole,) = [
            e for e in joined if e.pk == key_range.pk and e.first <= key_range.first <= e.last
        ]
        assert key_range.last <= whole.last
        assert whole.strong >= key_range.strong


def test_neighbours_share_the_reading_between_them() -> None:
    key_ranges = [
        KeyRange("P", "a", "b"),
        KeyRange("P", "d", "e"),
        KeyRange("P", "d", "e"),
        KeyRange("P", "g", "h"),
    ]
    assert joined_key_ranges(key_ranges) == [key_ranges[0], key_ranges[1], key_ranges[3]]
