"""Everything that can go wrong, as the domain sees it.

Codes are stable: clients script against them. Each API family maps them to its own shape.
"""

from typing import ClassVar, Final

from odometer.domain.frozen import frozen

MOST_TOLD: Final = 100
"""So many faults of one request are told; who mends them learns of the others."""


class OdometerError(Exception):
    """The root; a plain one is a fault of ours."""

    code: ClassVar[str] = "internal_error"


class Unauthenticated(OdometerError):
    """Nobody known is calling."""

    code = "unauthorized"


class ForeignOrganization(Unauthenticated):
    """The caller names an organization that is not theirs, or that does not exist."""


class Forbidden(OdometerError):
    """The caller may not do this."""

    code = "forbidden"


class NotFound(OdometerError):
    """There is no such thing for this caller; maybe a parameter of the query named it."""

    code = "not_found"

    def __init__(self, name: str = "", parameter: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.parameter = parameter


class NotAllowed(OdometerError):
    """The path exists, the verb does not."""

    code = "method_not_allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


@frozen
class Fault:
    """One broken rule of a request: which parameter, which rule, what was sent."""

    name: str
    rule: str
    message: str
    value: object = None
    expected: str = ""
    """What was expected, where a family may word that itself."""


class Invalid(OdometerError):
    """The request breaks its contract; every fault is carried, in the order of the contract."""

    code = "invalid_parameter"

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.name}: {fault.message}" for fault in faults))
        self.faults = faults

    @property
    def told(self) -> tuple[Fault, ...]:
        """The first faults: a body of megabytes may have more than an answer has room for."""
        return self.faults[:MOST_TOLD]

    @classmethod
    def parameter(cls, name: str, message: str, value: object = None) -> "Invalid":
        """One fault of one parameter, found outside its model."""
        return cls(Fault(name, "value", message, value))


class Unacceptable(OdometerError):
    """No representation that the caller accepts."""

    code = "not_acceptable"


class Unsupported(OdometerError):
    """A body of a kind that is not understood."""

    code = "unsupported_media_type"


class TooLarge(OdometerError):
    """A body or an answer over its limit; what is at most taken, where that helps."""

    code = "payload_too_large"

    def __init__(self, reason: str = "", *, limit: str = "") -> None:
        super().__init__(reason)
        self.limit = limit


class Conflict(OdometerError):
    """The same thing was decided otherwise before."""

    code = "conflict"


class Throttled(OdometerError):
    """Too many requests; in so many seconds there may be more."""

    code = "too_many_requests"

    def __init__(self, seconds: int = 1) -> None:
        super().__init__(f"for {seconds} s")
        self.seconds = seconds


class Unavailable(OdometerError):
    """Storage throttled or timed out; the same request may succeed in a moment."""

    code = "unavailable"


class Incomplete(Unavailable):
    """A part of the answer could not be read, and its form has no room to say so."""


class NotConfigured(OdometerError):
    """Nobody to be, or nowhere to go: credentials or a region are missing; never so on Lambda."""


class TimedOut(OdometerError):
    """The deadline passed before there was an answer."""

    code = "timeout"


class Corrupt(OdometerError):
    """Stored data contradicts itself: never answered with a guess."""
