"""One process of clients: it sends, changes, erases, rotates and asks, and checks every answer."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from tests.storm.caller import Caller
from tests.storm.chains import Chain
from tests.storm.people import People
from tests.storm.plan import (
    DAYS,
    HEADLINES,
    TWICE,
    USERS,
    ZONES,
    Place,
    Setup,
    Use,
    drawn_use,
    spoiled,
)
from tests.storm.questions import QUESTIONS
from tests.storm.records import Records


class Board(Protocol):
    """What all processes have sent of each product of each organization, and whom they erased."""

    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, number: int, /) -> None: ...
    def get_lock(self) -> AbstractContextManager[bool]: ...


PATIENCE_SECONDS: Final = 420
"""So long after the storm whatever has no answer is tried again."""
CALM_BEFORE_ERASURE_SECONDS: Final = 20
REVOKED_SECONDS: Final = 65
GRACE_SECONDS: Final = 20
MOST_CHAINS: Final = 3
MOST_KEPT: Final = 60
"""So many batches are kept to be sent again."""
ORIGIN: Final = "https://app.example.com"
PRODUCTS: Final = tuple(HEADLINES)

WEIGHTS: Final[Mapping[str, int]] = {
    "send_now": 22,
    "send_lately": 12,
    "send_late": 8,
    "send_again": 5,
    "send_mixed": 4,
    "send_bad": 4,
    "send_twice": 3,
    "send_under_a_key": 4,
    "ask_total": 8,
    "ask_user": 6,
    "ask_page": 9,
    "ask_anything": 12,
    "move_somebody": 4,
    "make_team": 1,
    "deactivate_somebody": 2,
    "erase_somebody": 2,
    "rotate_key": 2,
    "revoke_key": 1,
    "check_old_keys": 2,
    "embed": 3,
    "change_zone": 1,
}
Batch = list[Use]


@dataclass
class OldKey:
    """A key that must have ended by an instant."""

    place: Place
    key: str
    ends_at: float


@dataclass
class Crowd:
    """One process of a storm."""

    setup: Setup
    number: int
    caller: Caller
    keepers: Sequence[str]
    """The Admin's key of each organization, which nobody rotates."""
    board: Board
    ends_at: float
    stop: Event
    workers: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Ids and texts of the keys in use, by the number of the organization."""
    kept: list[tuple[Place, Batch]] = field(default_factory=list)
    old_keys: list[OldKey] = field(default_factory=list)
    chains: dict[int, list[Chain]] = field(default_factory=dict)
    seen: dict[tuple[int, int, str], int] = field(default_factory=dict)
    """The most that a total has been, by era, organization and product."""
    batches: int = 0

    @cached_property
    def people(self) -> Sequence[People]:
        return [People(place, self.number) for place in self.setup.places]

    @property
    def records(self) -> Records:
        return self.caller.records

    def run(self) -> None:
        """Act until the storm ends, then say how things stand."""
        self.caller.gives_up_at = self.ends_at + PATIENCE_SECONDS
        number = 0
        while time.time() < self.ends_at and not self.stop.is_set():
            self.act(number)
            number += 1
        self.records.count("acts", number=number)
        self.say_how_things_stand()
        self.records.note(at_once=True)

    def act(self, number: int) -> None:
        """The act of this number, which the seed decides."""
        dice = Random(f"{self.setup.seed} process {self.number} act {number}")
        (name,) = dice.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        act: Callable[[Random, Place], None] = getattr(self, name)
        act(dice, dice.choice(self.setup.places))

    def say_how_things_stand(self) -> None:
        for people in self.people:
            self.records.write(
                t="end",
                o=people.place.number,
                teams=people.teams,
                states=people.states,
                erased=people.erased,
            )

    def key(self, place: Place) -> str:
        return (
            self.workers[place.number][1] if place.number in self.workers else self.new_key(place)
        )

    def new_key(self, place: Place) -> str:
        made = self.make_key(place)
        if made is None:
            return self.keepers[place.number]
        self.workers[place.number] = made
        return made[1]

    def make_key(self, place: Place) -> tuple[str, str] | None:
        body = {"name": f"worker {self.number}", "user": place.admin, "scopes": SCOPES}
        keeper = self.keepers[place.number]
        answer, _ = self.caller.until_answered(
            place, "POST", "/v1/keys", "/v1/keys", keeper, json=body
        )
        content = self.caller.expect(answer, place, "/v1/keys", (201,))
        return (content["key_id"], content["access_key"]) if content else None

    # events

    def send_now(self, dice: Random, place: Place) -> None:
        self.send(place, self.drawn_batch(dice, place, days=0))

    def send_lately(self, dice: Random, place: Place) -> None:
        self.send(place, self.drawn_batch(dice, place, days=9))

    def send_late(self, dice: Random, place: Place) -> None:
        self.send(place, self.drawn_batch(dice, place, days=DAYS))

    def drawn_batch(self, dice: Random, place: Place, days: int) -> Batch:
        users, now = self.people[place.number].users, datetime.now(UTC)
        size = dice.randrange(1, self.setup.largest_batch)
        source = f"storm/{self.number}"
        names = [f"{self.number}-{self.batches}-{each}" for each in range(size)]
        self.batches += 1
        return [drawn_use(dice, name, source, dice.choice(users), now, days) for name in names]

    def send(self, place: Place, batch: Batch, **wishes: Any) -> None:
        """Send a batch until it is answered; then all of it counts, once."""
        self.announce(place, batch)
        self.deliver(place, [(use.event(place), None) for use in batch], batch, **wishes)
        self.kept = [*self.kept[-MOST_KEPT:], (place, batch)]

    def announce(self, place: Place, batch: Batch) -> None:
        """Write down what will be sent before it is."""
        self.records.write(t="sent", o=place.number, e=batch)
        people, now = self.people[place.number], time.time()
        for use in batch:
            people.send(use, now)
            self.add(place, use.product, use.headline)

    def add(self, place: Place, column: str, number: int) -> None:
        with self.board.get_lock():
            self.board[slot(place, column)] += number

    def deliver(
        self,
        place: Place,
        events: Sequence[tuple[Any, str | None]],
        batch: Batch,
        **wishes: Any,
    ) -> None:
        """Send events, of which some are refused by a code, until there is a receipt."""
        route, body = "/v1/events", [event for event, _ in events]
        answer, _ = self.caller.until_answered(
            place, "POST", route, route, self.key(place), json=body, **wishes
        )
        receipt = self.caller.expect(answer, place, route, (202,))
        if receipt is None:
            return
        now, people = time.time(), self.people[place.number]
        for use in batch:
            people.take(use, now)
        self.check_receipt(place, events, receipt)
        self.records.count("events", number=len(events))
        self.records.span("events", len(events))

    def check_receipt(
        self, place: Place, events: Sequence[tuple[Any, str | None]], receipt: Mapping[str, Any]
    ) -> None:
        expected = {at: code for at, (_, code) in enumerate(events) if code}
        found = {each["index"]: each["code"] for each in receipt["errors"]}
        self.records.check(
            "a receipt names what was refused, and why",
            expected == found,
            organization=place.id,
            expected=expected,
            found=found,
        )
        good = receipt["accepted"] + receipt["duplicate"]
        self.records.check(
            "a receipt takes everything else",
            good == len(events) - len(expected),
            organization=place.id,
            found=receipt,
        )

    def send_again(self, dice: Random, place: Place) -> None:
        """The same events again, in another order."""
        if not self.kept:
            return
        place, batch = dice.choice(self.kept)
        batch = [use for use in batch if use.user not in self.caller.gone]
        if batch:
            dice.shuffle(batch)
            self.deliver(place, [(use.event(place), None) for use in batch], [])

    def send_mixed(self, dice: Random, place: Place) -> None:
        """New events among some of another batch, and each of the new ones twice."""
        batch = self.drawn_batch(dice, place, days=30)
        known = [use for at, kept in self.kept if at == place for use in kept]
        again = [use for use in known if use.user not in self.caller.gone][:5]
        self.announce(place, batch)
        mixed = [*batch, *batch, *again]
        dice.shuffle(mixed)
        self.deliver(place, [(use.event(place), None) for use in mixed], batch)

    def send_bad(self, dice: Random, place: Place) -> None:
        """Good events and bad ones in one batch."""
        batch = self.drawn_batch(dice, place, days=9)
        self.announce(place, batch)
        events: list[tuple[Any, str | None]] = [(use.event(place), None) for use in batch]
        for _ in range(dice.randrange(1, 5)):
            code, event = spoiled(dice, dice.choice(batch).event(place))
            events.insert(dice.randrange(len(events) + 1), (event, code))
        self.deliver(place, events, batch)

    def send_twice(self, dice: Random, place: Place) -> None:
        """Two events under one id, in two requests: the first that is folded counts."""
        first = self.drawn_batch(dice, place, days=9)[0]._replace(user=place.twice(self.number))
        more = [first.measures[0] + TWICE, *first.measures[1:]]
        other = first._replace(product="smartui", measures=[more[0]])
        first = first._replace(product="smartui", measures=[first.measures[0]])
        for use in dice.sample([first, other], 2):
            self.records.write(t="twice", o=place.number, e=[use])
            self.add(place, "smartui", use.headline)
            self.deliver(place, [(use.event(place), None)], [])

    def send_under_a_key(self, dice: Random, place: Place) -> None:
        """A batch under an idempotency key, again, and then another body under it."""
        batch = self.drawn_batch(dice, place, days=2)
        name = {"Idempotency-Key": batch[0].id}
        self.send(place, batch, headers=name)
        if dice.random() < 1 / 2:
            self.deliver(place, [(use.event(place), None) for use in batch], [], headers=name)
            return
        route, body = "/v1/events", [use.event(place) for use in batch * 2]
        answer, _ = self.caller.until_answered(
            place, "POST", route, route, self.key(place), json=body, headers=name
        )
        self.caller.expect(answer, place, route, (409,))

    # questions

    def ask(
        self, place: Place, route: str, query: Mapping[str, Any], statuses: Sequence[int] = (200,)
    ) -> Any:
        path = f"{route}?{urlencode(query)}"
        answer = self.caller.once(place, "GET", route, path, self.key(place))
        return self.caller.expect(answer, place, route, statuses)

    def asked_of(self, place: Place, product: str) -> dict[str, Any]:
        return {
            "product": place.product(product),
            "measure": HEADLINES[product],
            "from": f"{datetime.now(UTC) - timedelta(days=DAYS + 9):%Y-%m-%d}",
            "to": f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}",
        }

    def ask_total(self, dice: Random, place: Place) -> None:
        """A total is never less than before or than what it says it has, nor more than was sent."""
        product, era = dice.choice(PRODUCTS), self.board[ERA]
        content = self.ask(place, "/v1/usage", self.asked_of(place, product))
        if content is None:
            return
        sent = self.board[slot(place, product)]
        value, through = content["totals"][HEADLINES[product]]["value"], through_of(content)
        if through:
            self.records.lag("data_through", max(0.0, time.time() - through))
        else:
            self.records.count("data_through unknown")
        least = self.people[place.number].answered_of(product, through)
        is_same = era == self.board[ERA] and is_calm(era)
        before = self.seen.get((era, place.number, product), 0) if is_same else 0
        self.records.check(
            "a total is between what was answered or seen before and what was sent",
            max(least, before) <= value <= sent,
            organization=place.id,
            product=product,
            expected=[max(least, before), sent],
            found=value,
            through=content["data_through"],
        )
        if is_same:
            self.seen[era, place.number, product] = max(value, before)

    def ask_user(self, dice: Random, place: Place) -> None:
        """What somebody has used is between what was answered before and what was sent."""
        people, product = self.people[place.number], dice.choice(PRODUCTS)
        user = dice.choice(people.users)
        value, _ = self.used_by(place, user, product)
        if value is not None and user in people.last_sent:
            self.records.check("somebody is known", holds=True)

    def used_by(self, place: Place, user: str, product: str) -> tuple[int | None, float]:
        """What a report says of somebody, once it is checked; None if there is no report."""
        query = {**self.asked_of(place, product), "user": user}
        content = self.ask(place, "/v1/usage", query, (200, 404))
        if content is None or "totals" not in content:
            return None, 0
        value, through = content["totals"][HEADLINES[product]]["value"], through_of(content)
        since = self.people[place.number].tally(user, product).waits_since(value)
        self.records.lag("until shown", time.time() - since if since else 0)
        name = "what somebody used is between what was answered before and what was sent"
        self.check_used(name, place, user, product, content)
        return value, through

    def check_used(
        self, name: str, place: Place, user: str, product: str, content: Mapping[str, Any]
    ) -> None:
        value, through = content["totals"][HEADLINES[product]]["value"], through_of(content)
        tally = self.people[place.number].tally(user, product)
        self.records.check(
            name,
            tally.by(through) <= value <= tally.sent,
            organization=place.id,
            user=user,
            product=product,
            expected=[tally.by(through), tally.sent],
            found=value,
            through=content["data_through"],
        )

    def ask_page(self, dice: Random, place: Place) -> None:
        """The next page of a chain that goes on while everything changes, or the first of one."""
        chains = self.chains.setdefault(place.number, [])
        if len(chains) < MOST_CHAINS:
            product = dice.choice(PRODUCTS)
            query = {**self.asked_of(place, product), "group_by": "user"}
            chains.append(Chain(place, product, {**query, "limit": dice.randrange(4, 30)}))
        chain = chains.pop(0)
        content = self.ask(place, "/v1/usage", chain.query, (200, 400))
        if content is None:
            chains.append(chain)
            return
        erased = self.board[slot(place, "erased")]
        if chain.take(content, self.people[place.number], erased, self.records):
            chains.append(chain)

    def ask_anything(self, dice: Random, place: Place) -> None:
        """A report of any family: its status, and that it has nothing of anybody else's."""
        question = dice.choice(QUESTIONS)
        user = self.people[place.number].users[0]
        route, path = question.of(place, user, datetime.now(UTC))
        headers = {"Accept": dice.choice(question.accept)}
        answer = self.caller.once(place, "GET", route, path, self.key(place), headers=headers)
        self.caller.expect(answer, place, route, question.statuses)

    # directories

    def put(self, place: Place, document: Mapping[str, Any]) -> Any:
        route = "/v1/directory"
        answer, _ = self.caller.until_answered(
            place, "PUT", route, route, self.key(place), json=document
        )
        content = self.caller.expect(answer, place, route)
        if content is None:
            return None
        refused = [each for each in content["results"] if each["status"] == "rejected"]
        self.records.check(
            "a row of the directory is taken", not refused, organization=place.id, found=refused[:3]
        )
        return content

    def move_somebody(self, dice: Random, place: Place) -> None:
        people = self.people[place.number]
        if not people.team_count:
            self.make_team(dice, place)
            return
        user = place.user(self.number, dice.randrange(USERS))
        team = place.team(self.number, dice.randrange(people.team_count))
        if self.put(place, {"users": [{"username": user, "team": team}]}):
            people.teams[user] = team

    def make_team(self, dice: Random, place: Place) -> None:
        """A new team with somebody in it, in one document."""
        people = self.people[place.number]
        team = place.team(self.number, people.team_count)
        user = place.user(self.number, dice.randrange(USERS))
        row = {"username": user, "team": team}
        if self.put(place, {"teams": [{"id": team, "name": team}], "users": [row]}):
            people.team_count += 1
            people.teams[user] = team

    def deactivate_somebody(self, dice: Random, place: Place) -> None:
        people = self.people[place.number]
        user = place.user(self.number, dice.randrange(USERS))
        state = dice.choice(("deactivated", "registered"))
        if self.put(place, {"users": [{"username": user, "state": state}]}):
            people.states[user] = state

    def change_zone(self, dice: Random, place: Place) -> None:
        zone = dice.choice(ZONES)
        if self.put(place, {"organization": {"time_zone": zone}}):
            self.records.count("zone changes")

    def erase_somebody(self, dice: Random, place: Place) -> None:
        """Erase somebody of whom everything has been counted."""
        people = self.people[place.number]
        name = people.rests = people.leaver
        if name is None or time.time() < people.last_sent[name] + CALM_BEFORE_ERASURE_SECONDS:
            return
        if any(
            self.used_by(place, name, product)[0] != people.tally(name, product).sent
            for product in PRODUCTS
        ):
            return
        content = self.put(place, {"users": [{"username": name}]})
        if content:
            self.erase(place, people, name, content["results"][0]["id"])

    def erase(self, place: Place, people: People, name: str, user: str) -> None:
        self.records.write(t="erasing", o=place.number, name=name)
        self.add(place, "erased", 1)
        answer, tries = self.caller.until_answered(
            place, "DELETE", "/v1/users/{id}", f"/v1/users/{user}", self.key(place)
        )
        statuses = (204,) if tries == 1 else (204, 404)
        self.caller.expect(answer, place, "/v1/users/{id}", statuses)
        if answer is not None and answer.status_code in statuses:
            people.erased.append(name)
            people.leaving += 1
            self.caller.gone.add(name)
            self.records.count("erasures")

    # keys and tokens

    def rotate_key(self, dice: Random, place: Place) -> None:
        """A new secret; the former one works until its grace is over."""
        former = self.key(place)
        if place.number not in self.workers:
            return
        key_id, _ = self.workers[place.number]
        grace = dice.choice((0, GRACE_SECONDS, GRACE_SECONDS))
        route = "/v1/keys/{id}/rotate"
        answer, tries = self.caller.until_answered(
            place,
            "POST",
            route,
            f"/v1/keys/{key_id}/rotate",
            self.keepers[place.number],
            json={"grace_seconds": grace},
        )
        content = self.caller.expect(answer, place, route, (200,) if tries == 1 else (200, 409))
        if content is None or "access_key" not in content:
            del self.workers[place.number]
            return
        self.workers[place.number] = (key_id, content["access_key"])
        self.old_keys.append(OldKey(place, former, time.time() + grace + REVOKED_SECONDS))
        self.records.count("rotations")
        began = time.time()
        if grace and tries == 1:
            answer = self.caller.once(place, "GET", "/v1/me", "/v1/me", former)
            if time.time() < began + grace - 2:
                self.caller.expect(answer, place, "/v1/me")

    def revoke_key(self, dice: Random, place: Place) -> None:
        made = self.make_key(place)
        if made is None:
            return
        answer, _ = self.caller.until_answered(
            place, "DELETE", "/v1/keys/{id}", f"/v1/keys/{made[0]}", self.key(place)
        )
        self.caller.expect(answer, place, "/v1/keys/{id}", (204,))
        self.old_keys.append(OldKey(place, made[1], time.time() + REVOKED_SECONDS))
        self.records.count("revocations")

    def check_old_keys(self, dice: Random, place: Place) -> None:
        """What has been replaced or revoked opens nothing."""
        over = [each for each in self.old_keys if each.ends_at < time.time()]
        self.old_keys = [each for each in self.old_keys if each not in over][-MOST_KEPT:]
        for old in over[:3]:
            answer = self.caller.once(old.place, "GET", "/v1/me", "/v1/me", old.key)
            self.caller.expect(answer, old.place, "/v1/me with an old key", (401,))

    def embed(self, dice: Random, place: Place) -> None:
        """A token opens the usage of its subject, and nothing else."""
        people, product = self.people[place.number], dice.choice(PRODUCTS)
        user, other = dice.sample(people.users[:USERS], 2)
        subject = {"user": user}
        body = {"for": subject, "expires_in": 300, "origins": [ORIGIN]}
        route = "/v1/embed-tokens"
        answer, _ = self.caller.until_answered(
            place, "POST", route, route, self.key(place), json=body
        )
        content = self.caller.expect(answer, place, route, (201, 400))  # 400: not known yet
        if content is None or "token" not in content:
            return
        token, query = content["token"], self.asked_of(place, product)
        self.ask_with(token, place, user, product, query)
        theirs = f"/v1/usage?{urlencode({**query, 'user': other})}"
        for path, status in ((theirs, 403), ("/v1/keys", 401)):
            route = "closed to a token"
            answer = self.caller.once(place, "GET", route, path, token)
            self.caller.expect(answer, place, route, (status,))

    def ask_with(
        self, token: str, place: Place, user: str, product: str, query: Mapping[str, Any]
    ) -> None:
        path = f"/v1/usage?{urlencode(query)}"
        headers = {"Origin": ORIGIN}
        route = "/v1/usage with a token"
        answer = self.caller.once(place, "GET", route, path, token, headers=headers)
        content = self.caller.expect(answer, place, route)
        if content is None:
            return
        self.check_used("a token opens what its subject used", place, user, product, content)


SCOPES: Final = (
    *("usage:read", "usage:write", "directory:read", "directory:write"),
    *("keys:write", "embed:write"),
)
COLUMNS: Final = (*PRODUCTS, "erased")


ERA: Final = 0
"""Where the board has how many restores have begun or ended: totals go back with each."""


def is_calm(era: int) -> bool:
    """Whether no restore was going on."""
    return era % 2 == 0


def size_of_board(places: Sequence[Place]) -> int:
    return 1 + len(places) * len(COLUMNS)


def slot(place: Place, column: str) -> int:
    """Where the board has a number."""
    return 1 + place.number * len(COLUMNS) + COLUMNS.index(column)


def through_of(content: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(content["data_through"]).timestamp()


def run(
    setup: Setup,
    number: int,
    address: str,
    home: Path,
    keepers: Sequence[str],
    board: Board,
    ends_at: float,
    stop: Event,
) -> None:
    """Be one process of clients until the storm ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    caller = Caller(address, setup, Records(home, f"clients-{number}"))
    Crowd(setup, number, caller, keepers, board, ends_at, stop).run()
