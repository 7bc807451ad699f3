"""Which form of an answer a client likes best."""

import pytest

from odometer.domain.errors import Unacceptable
from odometer.web.messages import preferred_type

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("Application/JSON;charset=utf-8", JSON),
        ("text/csv", CSV),
        ("text/*", CSV),
        ("application/*", JSON),
        ("application/x-ndjson", NDJSON),
        ("text/html, */*;q=0.1", JSON),
        ("text/csv, */*", CSV),
        ("*/*, text/csv", CSV),
        ("application/x-ndjson, application/*", NDJSON),
        ("text/*, application/json", JSON),
        ("text/*, */*", CSV),
        ("text/csv, application/json", JSON),
        ("text/csv;q=0.9, */*", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/json;q=0.5, text/csv", CSV),
        ("application/json;q=0.5, text/csv;q=0.4", JSON),
        ("*/*, application/json;q=0", CSV),
        ("text/csv;q=0, text/*", None),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
        ("*/*;q=nan", None),
        ("*/*;q=-1", None),
        ("*/*;q=1.1", None),
        ("image/png", None),
        (",,,", JSON),
        (";q=1", None),
    ],
)
def test_the_form_that_the_client_likes_best_is_chosen(accept: str, media_type: str | None) -> None:
    if media_type:
        assert preferred_type(accept) == media_type
    else:
        with pytest.raises(Unacceptable):
            preferred_type(accept)
