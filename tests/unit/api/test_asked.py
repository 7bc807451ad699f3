"""The names of products and kinds in one parameter, with commas between them."""

import pytest

from odometer.api.v1.asked import names_sent
from odometer.api.v1.explain import names_asked

KNOWN = ("a", "b", "a,b", "c", "[x],.*", "b,")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("a,b", ["a,b"]),
        ("c,a,b", ["c", "a,b"]),
        ("b,a", ["b", "a"]),
        ("a,b,a,[x],.*,c,a,b", ["a,b", "a", "[x],.*", "c"]),
        ("b,,c", ["b,", "c"]),
    ],
)
def test_a_name_with_a_comma_is_found_among_others(given: str, names: list[str]) -> None:
    """What an answer of `/v1/usage` sends to `/v1/explain` for all products of a kind."""
    assert names_sent(given, KNOWN) == names
    assert names_asked(given, KNOWN) == names


@pytest.mark.parametrize("given", ["", ",", "a,,b", ",a", "a,", "zz,a"])
def test_what_is_between_commas_is_a_name_even_if_it_is_empty(given: str) -> None:
    assert names_sent(given, ("a", "b")) == list(dict.fromkeys(given.split(",")))
