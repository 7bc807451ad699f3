"""How a command fails: one sentence of what is wrong, one of what to do, and an exit code.

0  done
1  refused: the answer was no, or some rows were rejected
2  misused: an option, a setting or a file is wrong; nothing was sent
3  unreachable: nothing is wrong with the command, try it again
130  interrupted by Ctrl-C
"""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from odometer.domain.errors import (
    Conflict,
    Invalid,
    NotConfigured,
    NotFound,
    OdometerError,
    Unavailable,
)

INTERRUPTED = 130


class Failure(Exception):
    """A command failed; `remedy` says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class Refused(Failure):
    """The deployment said no."""


class BadRequest(Refused):
    """The deployment could not answer what was asked; asked otherwise, it may."""


class Misused(Failure):
    """The command was given something that cannot work."""

    exit_code = 2


class Unreachable(Failure):
    """The deployment did not answer, or not now."""

    exit_code = 3


REMEDIES: Mapping[int, str] = {
    400: "Correct what it names and run this again; `--help` says what is expected.",
    401: "The key is unknown, expired or revoked. Give a live one by ODOMETER_KEY.",
    403: "The key lacks the scope, or its owner the role. Ask an Admin for another one.",
    409: "It was decided otherwise before. Look at what stands there: list or export it.",
    404: "Check the id, and that the base URL ends where the paths of the API begin.",
    413: "Send less at once.",
    429: "Wait a moment and try again.",
}
BAD_REQUEST, SERVER_ERROR = 400, 500


def refusal(status: int, message: str, request_id: str) -> Failure:
    """The failure of a command whose request was refused."""
    what = f"{status}: {message}"
    if status >= SERVER_ERROR:
        return Unreachable(what, f"Try again; if it stays so, look for {request_id} in the logs.")
    kind = BadRequest if status == BAD_REQUEST else Refused
    return kind(what, REMEDIES.get(status, "Check the base URL and the version of odometer."))


def unexpected(error: Exception) -> Refused:
    """The failure of a command that was answered something which it cannot read."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(at.filename).name}:{at.lineno}"
    what = f"This was answered otherwise than expected: {type(error).__name__} at {place}."
    return Refused(what, "Check the base URL and the version of odometer on both sides.")


def failure_of(error: OdometerError) -> Failure:
    """The failure of a command that met an error of the package."""
    match error:
        case Invalid():
            return Misused(str(error), "See `--help` for what is expected.")
        case Conflict():
            return Refused(str(error), "To let an Admin of it in again: odometer organization key")
        case NotFound():
            return Refused(f"not found: {error}", "Check the id and the deployment.")
        case NotConfigured():
            words = "Sign in to AWS, and set AWS_PROFILE and AWS_DEFAULT_REGION."
            return Misused(str(error), words)
        case Unavailable():
            return Unreachable(f"storage is unavailable: {error}", "Try again in a moment.")
    return Refused(f"AWS refused: {error}", "Check credentials, region and the deployment.")
