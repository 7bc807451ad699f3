"""What one look at a deployment has found."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from odometer_cli.failure import Failure

OK, WARN, FAIL, SKIPPED = "ok", "warn", "fail", "skipped"
STYLES: Final = {OK: "green", WARN: "yellow", FAIL: "red", SKIPPED: "dim"}


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and what to do."""

    name: str
    status: str
    what: str
    next: str = ""
    exit_code: int = 1

    @classmethod
    def of_failure(cls, name: str, failure: Failure) -> Self:
        return cls(name, FAIL, failure.what, failure.remedy, failure.exit_code)

    def as_row(self) -> dict[str, Any]:
        row = asdict(self)
        del row["exit_code"]
        return row
