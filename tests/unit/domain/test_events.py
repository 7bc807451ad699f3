"""Which events count by their time, and that an ordinary one is read without a search."""

from datetime import UTC, datetime
from unittest.mock import DEFAULT, patch

import pytest

from odometer.domain import text
from odometer.domain.events import Refused, Rules
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.time import epoch_second
from tests.support.usage_sender import usage_event

NOW = datetime(2026, 11, 21, 20, 0, 0, 700_000, tzinfo=UTC)
RULES = Rules(DEFAULT_PRODUCTS, NOW, retention_years=3)


@pytest.mark.parametrize("time", ["2026-11-21T20:05:00.999Z", "2024-01-01T00:00:00Z"])
def test_the_first_and_the_last_second_are_taken(time: str) -> None:
    event = RULES.read(usage_event(time=time))
    assert event.second == epoch_second(datetime.fromisoformat(time))


@pytest.mark.parametrize(
    ("time", "code", "message"),
    [
        ("2026-11-21T20:05:01Z", "time_ahead", "time: more than 5 minutes ahead"),
        (
            "2023-12-31T23:59:59.999999Z",
            "time_too_old",
            "time: before 2024-01-01, as far as usage is kept",
        ),
    ],
)
def test_the_second_before_and_the_one_after_are_refused(
    time: str, code: str, message: str
) -> None:
    with pytest.raises(Refused) as refused:
        RULES.read(usage_event(time=time))
    assert (refused.value.code, refused.value.message) == (code, message)


def test_in_an_ordinary_event_nobody_searches_for_odd_letters() -> None:
    patterns = dict.fromkeys(("CONTROL", "IGNORABLE", "UUID"), DEFAULT)
    with patch.multiple(text, **patterns) as searches:
        RULES.read(usage_event(time="2026-11-21T12:00:00Z"))
    assert [each.mock_calls for each in searches.values()] == [[], [], []]
