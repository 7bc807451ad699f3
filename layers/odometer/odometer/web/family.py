"""An API family: how one published API speaks of errors. The mechanism is the same for all."""

from collections.abc import Mapping
from typing import Any, ClassVar

from odometer.access.policy import Caller
from odometer.domain.errors import NotAllowed, OdometerError, Throttled, Unavailable
from odometer.web.messages import Request

STATUS: Mapping[str, int] = {
    "invalid_parameter": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "too_many_requests": 429,
    "internal_error": 500,
    "unavailable": 503,
    "timeout": 504,
}
RETRY_AFTER_SECONDS = 2


class Family:
    """What a family adds: its name, its challenge, the shape of its errors, its own admission."""

    name: ClassVar[str]
    challenge: ClassVar[str] = 'Bearer realm="odometer"'

    unfit: ClassVar[str | None] = None
    """The media type for a client who takes none of those offered; without one it is a 406."""

    def admit(self, request: Request, caller: Caller) -> None:
        """Refuse a caller who names an organization that is not theirs."""

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The body of an error."""
        raise NotImplementedError

    def status(self, error: OdometerError) -> int:
        """The status of an error."""
        return STATUS[error.code]

    def headers(self, error: OdometerError) -> dict[str, str]:
        """The headers that tell a client what to do about an error."""
        match error:
            case NotAllowed():
                return {"Allow": ", ".join(error.allowed)}
            case Throttled() | Unavailable():
                return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return {"WWW-Authenticate": self.challenge} if error.code == "unauthorized" else {}
