"""The states that a user was in before the present one, as many as reports can ask for."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from odometer.directory.columns import Row
from odometer.domain.time import instant_of_ms

KEPT_MONTHS: Final = 120
KEPT_OF_THIS_MONTH: Final = 8
MONTHS_OF_A_YEAR: Final = 12

History = list[list[Any]]
"""States, each with the millisecond in which it began."""


def history_with(history: History, values: Row, now_ms: int) -> History:
    """The history after a row: a new state is added, the start of the present one is corrected."""
    state, since = history[-1]
    new_state, new_since = values.get("state", state), values.get("state_since")
    if new_state == state and new_since in (None, since):
        return history
    earlier = history[:-1] if new_state == state else history
    return [*earlier, [new_state, values.get("state_since", now_ms)]]


def history_of(user: Row) -> History:
    """Every known state of a user, the present one last."""
    return [*user["former"], [user["state"], user["state_since"]]]


def as_values(history: History, now_ms: int) -> dict[str, Any]:
    """What a row of the users' register says of a history."""
    former, (state, since) = history[:-1], history[-1]
    return {"state": state, "state_since": since, "former": shortened(former, now_ms)}


def shortened(former: Sequence[list[Any]], now_ms: int) -> History:
    """Former states without those that no report asks for.

    Of a month that is over, the state at its end is kept, for 120 months; of this month, the last
    eight. Of all that is older, the last one tells the state with which those months began.
    """
    this_month = month_number(now_ms)
    over = {month_number(since): [state, since] for state, since in former}
    months = [month for month in over if month < this_month]
    kept = [month for month in months if month >= this_month - KEPT_MONTHS]
    older = [month for month in months if month < this_month - KEPT_MONTHS][-1:]
    recent = [list(each) for each in former if month_number(each[1]) >= this_month]
    return [*(over[month] for month in [*older, *kept]), *recent[-KEPT_OF_THIS_MONTH:]]


def month_number(milliseconds: int) -> int:
    """The UTC month of an instant, counted from the year 0."""
    day: date = instant_of_ms(milliseconds).date()
    return day.year * MONTHS_OF_A_YEAR + day.month
