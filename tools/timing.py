"""Whether the time that a refusal takes tells anything about a key: `make timing`.

Two sorts of keys are checked by turns, in an order drawn at random, and Welch's t says whether
their times differ, as dudect does it (Reparaz, Balasch, Verbauwhede 2017): on all times, and on
those below the ninth tenth, because a few long ones hide a small difference. What is measured is
the check of a key that was read, from the answer of the table to the refusal. Tests hold that the
calls to storage are the same. A compare that leaks is measured too, for a statistic that finds
nothing may be blind.
"""

import argparse
import gc
import json
import math
import random
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple, cast
from unittest.mock import patch
from uuid import UUID

from odometer.access.keys import (
    KEY_ID,
    SECRET,
    AccessKey,
    Credential,
    PresentedKey,
    Proof,
    base62,
    issue,
)
from odometer.access.policy import Access, Scope
from odometer.access.secret import Secret
from odometer.access.tokens import SIGNATURE, Claims, EmbedToken, TokenMaker
from odometer.domain.errors import Unauthenticated
from odometer.storage.directory import (
    HEAD,
    BlockCache,
    DirectoryStore,
    credential_key,
    new_credential_item,
)
from odometer.storage.dynamo import Table

ORGANIZATION: Final = str(UUID(int=1))
NOBODYS: Final = str(UUID(int=2))
SUSPICIOUS: Final = 4.5
"""From such a t on dudect calls a difference found."""
CROPPED: Final = 0.9
HALF: Final = 0.5
Asked = tuple[Proof, dict[tuple[str, str], Any]]
"""A key, and what the table has answered about it."""


class Answer:
    """A table that has answered: what is there and what is not came at the same time."""

    found: dict[tuple[str, str], Any]

    def get_many(self, _: Sequence[tuple[str, str]], **__: Any) -> dict[tuple[str, str], Any]:
        return self.found


@dataclass
class Door:
    """One organization with a key, a revoked key and a token; everybody else is refused."""

    luck: random.Random = field(default_factory=lambda: random.Random(1))
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    secret: Secret = field(default_factory=lambda: Secret(("a secret of nobody",)))

    @cached_property
    def live(self) -> tuple[AccessKey, Credential]:
        return self._issued()

    @cached_property
    def revoked(self) -> tuple[AccessKey, Credential]:
        key, credential = self._issued()
        return key, replace(credential, revoked_at=self.now - timedelta(days=1))

    @cached_property
    def token(self) -> EmbedToken:
        key, credential = self.live
        maker = TokenMaker(key, None, credential.digest, self.secret)
        origins, ends = ("https://app.example.com",), int(self.now.timestamp()) + 3600
        return maker.make(Claims(access=Access.ORGANIZATION, origins=origins, expires=ends))

    @cached_property
    def items(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        issued = self.live, self.revoked
        keys = {
            (ORGANIZATION, credential_key(each.key_id)): new_credential_item(each)
            for _, each in issued
        }
        head = {"organization": {"id": ORGANIZATION}, "license": {}, "sizes": {}, "blocks": []}
        packed = zlib.compress(json.dumps(head).encode())
        return {**keys, (ORGANIZATION, HEAD): {"version": 1, "columns": packed}}

    @cached_property
    def table(self) -> Answer:
        return Answer()

    @cached_property
    def store(self) -> DirectoryStore:
        return DirectoryStore(cast("Table", self.table), BlockCache())

    def opens(self, header: str) -> bool:
        """What a request does with its header, from reading it to the proof of its caller."""
        presented = presented_by(header)
        return presented is not None and self.is_proved(*self.asked(presented.key))

    def asked(self, key: Proof) -> Asked:
        """A key and what the table has answered about it."""
        names = credential_key(key.key_id), HEAD
        return key, {(key.organization, n): self.items.get((key.organization, n)) for n in names}

    def is_proved(self, key: Proof, found: dict[tuple[str, str], Any]) -> bool:
        self.table.found = found
        entrance, _ = self.store.enter(key.organization, key.key_id)
        try:
            entrance.proved_by(key, self.secret, self.now)
        except Unauthenticated:
            return False
        return True

    def key_of(self, sort: "Sort") -> Asked:
        """A key of some sort as it was read: the time of that anybody finds out by themselves."""
        presented = presented_by(sort(self))
        if presented is None:
            raise TypeError(sort)
        return self.asked(presented.key)

    def key(self, **other: str) -> str:
        """The live key with something else in place of its parts."""
        return f"Bearer {AccessKey(**{**vars_of(self.live[0]), **other})}"

    def with_signature(self, signature: str) -> str:
        return f"Bearer {self.token.signed}.{signature}"

    def random_text(self, letters: int) -> str:
        return base62(self.luck.getrandbits(5 * letters), letters)

    def _issued(self) -> tuple[AccessKey, Credential]:
        return issue(
            ORGANIZATION, "timing", 0, frozenset({Scope.READ_USAGE}), self.secret, self.now, None
        )


def presented_by(header: str) -> PresentedKey | None:
    return PresentedKey.from_header(header) or EmbedToken.from_header(header)


def vars_of(key: AccessKey) -> dict[str, str]:
    return {"organization": key.organization, "key_id": key.key_id, "secret": key.secret}


def other_letter(text: str, place: int) -> str:
    """A text with one letter changed, to one that a secret and a signature may have."""
    place %= len(text)
    return text[:place] + ("B" if text[place] == "A" else "A") + text[place + 1 :]


Sort = Callable[[Door], str]
"""Makes the header of one sort of key."""


def wrong_secret(door: Door) -> str:
    return door.key(secret=door.random_text(SECRET))


def wrong_first_letter(door: Door) -> str:
    return door.key(secret=other_letter(door.live[0].secret, 0))


def wrong_last_letter(door: Door) -> str:
    return door.key(secret=other_letter(door.live[0].secret, -1))


def unknown_key(door: Door) -> str:
    return door.key(secret=door.random_text(SECRET), key_id=door.random_text(KEY_ID))


def unknown_organization(door: Door) -> str:
    return door.key(secret=door.random_text(SECRET), organization=NOBODYS)


def revoked_key(door: Door) -> str:
    return f"Bearer {door.revoked[0]}"


def revoked_with_wrong_secret(door: Door) -> str:
    return f"Bearer {replace(door.revoked[0], secret=door.random_text(SECRET))}"


def token_with_wrong_signature(door: Door) -> str:
    return door.with_signature(door.random_text(SIGNATURE))


def token_with_wrong_first_letter(door: Door) -> str:
    return door.with_signature(other_letter(door.token.signature, 0))


def token_with_wrong_last_letter(door: Door) -> str:
    return door.with_signature(other_letter(door.token.signature, -1))


def token_of_unknown_key(door: Door) -> str:
    named, _, claims = door.token.signed.partition(".")
    others = named[:-KEY_ID] + door.random_text(KEY_ID)
    return f"Bearer {others}.{claims}.{door.random_text(SIGNATURE)}"


def leaking(one: str, other: str) -> bool:
    """Compare letter by letter up to the first that differs, as must not be done."""
    return all(mine == theirs for mine, theirs in zip(one, other, strict=True))


class Pair(NamedTuple):
    """Two sorts of keys, and whether their times may tell them apart."""

    one: Sort
    other: Sort
    told_apart: bool = False
    compare: Callable[[], AbstractContextManager[Any]] = nullcontext


def with_a_leak() -> AbstractContextManager[Any]:
    return patch("odometer.access.tokens.equal", leaking)


ALIKE: Final[Mapping[str, Pair]] = {
    "wrong secret, the same again": Pair(wrong_secret, wrong_secret),
    "first letter wrong, last letter wrong": Pair(wrong_first_letter, wrong_last_letter),
    "all of the secret wrong, last letter wrong": Pair(wrong_secret, wrong_last_letter),
    "no such key, wrong secret": Pair(unknown_key, wrong_secret),
    "no such organization, no such key": Pair(unknown_organization, unknown_key),
    "revoked key, revoked key with a wrong secret": Pair(revoked_key, revoked_with_wrong_secret),
    "token: first letter of the signature wrong, last": Pair(
        token_with_wrong_first_letter, token_with_wrong_last_letter
    ),
    "token of no such key, wrong signature": Pair(token_of_unknown_key, token_with_wrong_signature),
}
"""What an attacker could learn from, if it took different times."""
TOLD: Final[Mapping[str, Pair]] = {
    "a compare that leaks, on tokens: first letter wrong, last": Pair(
        token_with_wrong_first_letter,
        token_with_wrong_last_letter,
        told_apart=True,
        compare=with_a_leak,
    ),
}
"""What must be found: the control."""


class Difference(NamedTuple):
    """How far the times of two sorts are apart, in nanoseconds."""

    one: float
    other: float
    effect: float
    """Cohen's d: the difference in standard deviations."""
    t: float

    @property
    def found(self) -> bool:
        return abs(self.t) >= SUSPICIOUS


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Welch's t of two samples of unequal variance, and the size of the effect."""
    means = statistics.fmean(one), statistics.fmean(other)
    variances = statistics.variance(one, means[0]), statistics.variance(other, means[1])
    error = math.sqrt(variances[0] / len(one) + variances[1] / len(other)) or math.inf
    spread = math.sqrt(sum(variances) / 2) or math.inf
    apart = means[0] - means[1]
    return Difference(*means, apart / spread, apart / error)


def cropped(one: Sequence[float], other: Sequence[float]) -> tuple[list[float], list[float]]:
    """Both without what is longer than the ninth tenth of all."""
    longest = sorted([*one, *other])[int(CROPPED * (len(one) + len(other)))]
    return [each for each in one if each <= longest], [each for each in other if each <= longest]


class Differences(NamedTuple):
    """What two samples differ by: in all times, and in those below the ninth tenth."""

    of_all: Difference
    of_most: Difference

    @classmethod
    def between(cls, one: Sequence[float], other: Sequence[float]) -> "Differences":
        return cls(difference(one, other), difference(*cropped(one, other)))

    @property
    def found(self) -> bool:
        return self.of_all.found or self.of_most.found


def measured(door: Door, pair: Pair, samples: int) -> tuple[list[float], list[float]]:
    """The processor time of each check of two sorts.

    Before each check a key of either sort is made, in any order, and one of them is checked: where
    something lies in memory takes time as well, and must be of neither sort.
    """
    sorts, turns = (pair.one, pair.other), [0, 1] * samples
    times: tuple[list[float], list[float]] = [], []
    door.luck.shuffle(turns)
    now, is_proved = time.thread_time_ns, door.is_proved
    with pair.compare():
        for turn in turns:
            key, found = one_of(door, sorts, turn)
            began = now()
            opened = is_proved(key, found)
            times[turn].append(float(now() - began))
            if opened:
                raise ValueError(key)
    return times


def one_of(door: Door, sorts: Sequence[Sort], turn: int) -> Asked:
    order = (0, 1) if door.luck.random() < HALF else (1, 0)
    return {each: door.key_of(sorts[each]) for each in order}[turn]


def row(name: str, pair: Pair, samples: int, found: Differences) -> str:
    expected = "told apart" if pair.told_apart else "alike"
    verdict = expected if found.found == pair.told_apart else f"**not {expected}**"
    most = found.of_most
    times = f"{most.one:,.0f} | {most.other:,.0f} | {most.one - most.other:+,.0f}"
    figures = f"{times} | {most.effect:+.3f} | {most.t:+.1f} | {found.of_all.t:+.1f}"
    return f"| {name} | {samples:,} | {figures} | {verdict} |"


HEADING: Final = (
    "| two sorts of keys | checks of each | ns | ns | apart | Cohen's d | t | t of all | |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    door, wrong = Door(random.Random(given.seed)), 0
    gc.disable()
    print(HEADING)
    for name, pair in {**ALIKE, **TOLD}.items():
        measured(door, pair, given.samples // 20)
        found = Differences.between(*measured(door, pair, given.samples))
        wrong += found.found != pair.told_apart
        print(row(name, pair, given.samples, found), flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
