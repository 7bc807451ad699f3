"""A target: something that reads what others have written, with what it may answer to nonsense."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fuzz.choices import Choices


class Wrong(AssertionError):
    """Something was accepted that must not be, or did not come back as it was."""


@dataclass(frozen=True)
class Target:
    """Reads one case; whatever it raises but what it may refuse with is a finding."""

    name: str
    read: Callable[[Choices], str | None]
    """What came of a case, if that says more than that it was accepted."""
    refuses: tuple[type[BaseException], ...] = field(default=())
    share: int = 100
    """How many of all cases are its own, beside the shares of the others."""
    quick: int = 200
    """How many cases are run with every test run."""

    def outcome(self, case: bytes) -> str:
        try:
            return self.read(Choices(case)) or "accepted"
        except self.refuses as refusal:
            return type(refusal).__name__


def same(one: object, other: object) -> None:
    if one != other:
        raise Wrong(f"{one!r:.200} became {other!r:.200}")
