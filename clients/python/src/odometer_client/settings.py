"""Where the API is and with which key it is asked, from arguments or from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import httpx

from odometer_client.version import VERSION

TIMEOUT_SECONDS = 35.0
"""The gateway gives up before."""
KEY = re.compile(r"[!-~]{1,8192}")
USER_AGENT = f"odometer-client-python/{VERSION}"


class Bearer(httpx.Auth):
    """The key in the header of each request, and shown nowhere else."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request

    def __repr__(self) -> str:
        return "Bearer(***)"


def address(url: str | None) -> str:
    """The base URL, without a slash at its end."""
    found = (url or os.environ.get("ODOMETER_URL", "")).strip().rstrip("/")
    try:
        good = httpx.URL(found).host and found.startswith(("https://", "http://"))
    except httpx.InvalidURL:
        good = False
    if not good:
        raise ValueError("Give the base URL of the deployment as url= or in ODOMETER_URL.")
    return found


def bearer(key: str | None) -> Bearer:
    """The key, without line breaks that a file may have around it."""
    found = (key or os.environ.get("ODOMETER_KEY", "")).strip()
    if not KEY.fullmatch(found):
        raise ValueError("Give an access key as key= or in ODOMETER_KEY.")
    return Bearer(found)
