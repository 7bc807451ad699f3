"""Ranges of whole local days, as clients ask for them, both ends included."""

from dataclasses import dataclass
from datetime import date, tzinfo

from odometer.domain.time import DAY, Period


@dataclass(frozen=True, slots=True)
class Days:
    """The days from the first to the last."""

    first: date
    last: date

    @property
    def count(self) -> int:
        """How many days these are; 0 or less when the last is before the first."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Days":
        """As many days just before these."""
        return Days(self.first - self.count * DAY, self.first - DAY)

    def period(self, zone: tzinfo) -> Period:
        return Period.of_days(self.first, self.last, zone)
