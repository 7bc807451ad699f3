"""What reading together promises: the same items, in fewer requests."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.readings.shelf import Span
from odometer.readings.together import joined_spans, read_together
from tests.support.shelf import MemoryShelf

LETTERS = "abcdefgh"
ENDS = st.tuples(st.sampled_from(LETTERS), st.sampled_from(LETTERS)).map(sorted)
SPANS = st.builds(
    lambda pk, ends, strong: Span(pk, ends[0], ends[1], strong),
    st.sampled_from("PQ"),
    ENDS,
    st.booleans(),
)


def shelf_of_letters() -> MemoryShelf:
    shelf = MemoryShelf(lambda: 10**6)
    for pk in "PQ":
        for sk in LETTERS:
            shelf.put({"pk": pk, "sk": sk})
    return shelf


@settings(max_examples=200)
@given(st.lists(SPANS, max_size=8))
def test_every_span_gets_what_it_would_get_alone(spans: list[Span]) -> None:
    shelf = shelf_of_letters()
    alone = shelf.read([span._replace(strong=True) for span in spans])
    strong = [span._replace(strong=True) for span in spans]
    assert read_together(shelf, strong) == alone


@settings(max_examples=200)
@given(st.lists(SPANS, max_size=8))
def test_no_two_requests_meet_and_none_is_weaker_than_asked(spans: list[Span]) -> None:
    joined = joined_spans(spans)
    for one, other in pairwise(joined):
        assert one.pk != other.pk or one.last < other.first
    for span in spans:
        (whole,) = [e for e in joined if e.pk == span.pk and e.first <= span.first <= e.last]
        assert span.last <= whole.last
        assert whole.strong >= span.strong


def test_neighbours_share_the_reading_between_them() -> None:
    spans = [Span("P", "a", "b"), Span("P", "d", "e"), Span("P", "d", "e"), Span("P", "g", "h")]
    assert joined_spans(spans) == [spans[0], spans[1], spans[3]]
