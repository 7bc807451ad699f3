"""The parts that several answers of the app utilization API share."""

from datetime import date

from odometer.domain.time import format_millis, instant_at
from odometer.engine.read.latest import LastActive
from odometer.reports.app_totals import Days
from odometer.reports.figures import Metric
from odometer.web.models import Answer, Timestamp


class ComparedDays(Answer):
    """The days that were asked about."""

    start_date: date
    end_date: date
    compare_start_date: date | None
    compare_end_date: date | None

    @classmethod
    def of(cls, days: Days, comparison: Days | None = None) -> "ComparedDays":
        return cls(
            start_date=days.first,
            end_date=days.last,
            compare_start_date=comparison.first if comparison else None,
            compare_end_date=comparison.last if comparison else None,
        )


class MetricWithDelta(Answer):
    """A figure, and how it has changed."""

    value: int
    change_pct: float | None
    compare_value: int | None

    @classmethod
    def of(cls, metric: Metric) -> "MetricWithDelta":
        """A metric as it is published: tenths of a percent with a decimal point."""
        tenths = metric.change_tenths
        change = None if tenths is None else tenths / 10
        return cls(value=metric.value, change_pct=change, compare_value=metric.compare_value)


class LastActivity(Answer):
    """When a user was last active."""

    at: Timestamp | None
    desktop_at: Timestamp | None
    web_at: Timestamp | None

    @classmethod
    def of(cls, presence: LastActive) -> "LastActivity":
        seconds = (presence.last, presence.desktop, presence.web)
        at, desktop_at, web_at = (
            format_millis(instant_at(second)) if second else None for second in seconds
        )
        return cls(at=at, desktop_at=desktop_at, web_at=web_at)


class UserRef(Answer):
    """Who a user is."""

    id: str
    username: str
    user_key: str
    last_activity: LastActivity
