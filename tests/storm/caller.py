"""Requests of a storm's clients: tried again as clients should, counted, and read for leaks."""

import json
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import httpx

from tests.storm.plan import Place, Setup
from tests.storm.records import Records

TRIED_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
LONGEST_REQUEST_SECONDS: Final = 60
"""Longer than the gateway waits, so that no request is left behind in the storm."""
LONGEST_PAUSE_SECONDS: Final = 4.0
NOBODY: Final = 0


@dataclass
class Caller:
    """Sends requests, of whichever organization, and looks at every answer."""

    address: str
    setup: Setup
    records: Records
    gone: set[str] = field(default_factory=set)
    """Whom this process has erased."""
    gives_up_at: float = float("inf")

    @cached_property
    def http(self) -> httpx.Client:
        return httpx.Client(timeout=LONGEST_REQUEST_SECONDS, trust_env=False)

    @cached_property
    def foreign(self) -> list[re.Pattern[str]]:
        """What an answer of each organization must not contain: marks and ids of all others."""
        return [
            re.compile("|".join(word for one in self.setup.places if one != place for word in
                                (one.id, one.mark, one.app)) or "(?!)")
            for place in self.setup.places
        ]  # fmt: skip

    def once(
        self, place: Place, method: str, route: str, path: str, key: str, **request: Any
    ) -> httpx.Response | None:
        """One try; None where there was no answer."""
        headers = {"Authorization": f"Bearer {key}", **request.pop("headers", {})}
        answer = None
        try:
            answer = self.http.request(method, self.address + path, headers=headers, **request)
        except httpx.HTTPError:
            self.records.count("request", f"{method} {route}", "none")
        else:
            self.records.count("request", f"{method} {route}", answer.status_code)
            self.look_at(place, route, answer)
        failed = answer is None or answer.status_code in TRIED_AGAIN
        self.records.span("failed" if failed else "answered")
        self.records.note()
        return answer

    def look_at(self, place: Place, route: str, answer: httpx.Response) -> None:
        """No answer has anything of another organization, or of somebody who was erased."""
        text = answer.text
        found = self.foreign[place.number].search(text)
        self.records.check(
            "an answer has nothing of another organization",
            found is None,
            organization=place.id,
            route=route,
            found=found and found.group(),
        )
        there = self.gone & {*re.findall(rf"{place.mark}-p\d+-gone\d+@example\.com", text)}
        self.records.check(
            "nobody who was erased is in an answer",
            not there,
            organization=place.id,
            route=route,
            found=sorted(there),
        )

    def until_answered(
        self, place: Place, method: str, route: str, path: str, key: str, **request: Any
    ) -> tuple[httpx.Response | None, int]:
        """Try again until it was done or refused; the answer, and how many tries it took."""
        pause, tries = 0.2, 0
        while time.time() < self.gives_up_at:
            tries += 1
            answer = self.once(place, method, route, path, key, **dict(request))
            if answer is not None and answer.status_code not in TRIED_AGAIN:
                return answer, tries
            self.records.count("tried again", route)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        self.records.check("whatever is tried long enough is answered", holds=False, route=route)
        return None, tries

    def expect(
        self,
        answer: httpx.Response | None,
        place: Place,
        route: str,
        statuses: Collection[int] = (200,),
    ) -> Any:
        """The content of an answer that is as it should be; None of any other."""
        if answer is None or answer.status_code in TRIED_AGAIN:
            return None
        good = answer.status_code in statuses
        self.records.check(
            "a status is one that the request can have",
            good,
            organization=place.id,
            route=route,
            expected=sorted(statuses),
            found=answer.status_code,
            text=answer.text[:300],
        )
        if not good or not answer.content:
            return None
        return json_of(answer)


def json_of(answer: httpx.Response) -> Any:
    if answer.headers.get("content-type", "").startswith("application/json"):
        content: Mapping[str, Any] = json.loads(answer.text)
        return content
    return answer.text
