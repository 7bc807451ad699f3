"""The trail against a model: random acts by several keys in two organizations, and deaths anywhere.

The model does not look at the trail: it looks at what is stored before and after each request, and
says which act that must have been.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from odometer.access.keys import Credential
from odometer.bootstrap import process
from tests.integration.test_trail import WRITES, entries, id_of
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, People, people_of
from tests.support.stack import OTHER, Stack
from tests.support.storage_calls import Call, StorageCalls, record_calls, refused

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ACTS = 40
Told = tuple[str, str, str | None]
"""What was done, with which key, to which key."""


@dataclass
class Tenant:
    """An organization, its keys, and what its trail must say."""

    us: People
    keys: list[str]
    watcher: str
    """A key that does nothing else."""
    ids: list[str]
    """The ids of all other keys, in the order in which they were made."""
    told: list[Told] = field(default_factory=list)

    @property
    def stored(self) -> dict[str, Credential]:
        return {
            each.key_id: each
            for each in self.us.stack.directories.credentials(self.us.organization)
        }

    @property
    def head(self) -> Any:
        return self.us.stack.directories.open(self.us.organization).head

    @property
    def found(self) -> list[Told]:
        whole = entries(self.us, self.watcher)
        assert [each["number"] for each in whole] == [*range(1, len(whole) + 1)]
        return [(each["action"], each["actor"]["key_id"], each["key_id"]) for each in whole]


def act(tenant: Tenant, key: str, dice: Random) -> int:
    """Ask for something; whether it is allowed, and whether it changes anything, is left to it."""
    us, call = tenant.us, tenant.us.stack.call
    tenant.ids += sorted(tenant.stored.keys() - {*tenant.ids, id_of(tenant.watcher)})
    other = dice.choice(tenant.ids)
    someone = us.id(dice.choice(["member", "lead", "stranger", "invited"]))
    wish = {"name": "n", "user": someone, "scopes": ["usage:read"]}
    token = {"for": {"organization": True}, "expires_in": 60, "origins": [ORIGIN]}
    requests = [
        ("POST", "/v1/keys", wish),
        ("POST", f"/v1/keys/{other}/rotate", {"grace_seconds": 0}),
        ("DELETE", f"/v1/keys/{other}", None),
        ("PUT", "/v1/directory", {"teams": [{"name": dice.choice("abcdef")}]}),
        ("GET", "/v1/directory/export", None),
        ("POST", "/v1/embed-tokens", token),
        ("DELETE", f"/v1/users/{someone}", None),
    ]
    *common, erasure = requests
    method, url, body = erasure if dice.random() < 0.03 else dice.choice(common)
    return call(method, url, key, body=body).status


def differences(tenant: Tenant, before: tuple[Any, Any], key: str) -> Iterator[Told]:
    """What must have been done, by what is stored now."""
    (keys, head), by = before, id_of(key)
    now, version = tenant.stored, tenant.head
    if version.erased != head.erased:
        yield "user.erased", by, None
    elif version.version != head.version:
        yield "directory.changed", by, None
    for key_id, credential in now.items():
        if key_id not in keys:
            yield "key.made", by, key_id
        elif credential.digest != keys[key_id].digest:
            yield "key.rotated", by, key_id
        elif credential.revoked_at != keys[key_id].revoked_at:
            yield "key.revoked", by, key_id


def accident(calls_made: StorageCalls, dice: Random) -> None:
    """One in three requests dies before one of its writes, or loses the answer to one."""
    place, kind = dice.randrange(4), dice.choice(["dies", "loses", "", "", "", ""])
    turns = iter([False] * place + [True])

    def is_hit(call: Call) -> bool:
        return call.verb in WRITES and next(turns, False)

    calls_made.fail = lambda call: (
        refused("ValidationException", 400) if kind == "dies" and is_hit(call) else None
    )
    calls_made.lose = lambda call: kind == "loses" and is_hit(call)


@pytest.mark.parametrize("seed", [1])
def test_the_trail_is_what_was_done(stack: Stack, seed: int) -> None:
    dice, calls_made, before_answers = Random(seed), record_calls(), 0
    tenants = [tenant_of(stack, each) for each in (ACME, OTHER)]
    for turn in range(ACTS):
        stack.now = START + timedelta(minutes=7 * turn)
        tenant = dice.choice(tenants)
        key = dice.choice(tenant.keys)
        before, known = (tenant.stored, tenant.head), len(tenant.found)
        accident(calls_made, dice)
        act(tenant, key, dice)
        calls_made.fail, calls_made.lose = (lambda _: None), (lambda _: False)
        must = list(differences(tenant, before, key))
        new = tenant.found[known:]
        answers = [each for each in new if each[0] in ("directory.exported", "embed_tokens.made")]
        assert [each for each in new if each not in answers] == must
        assert all(by == id_of(key) for _, by, _ in answers)
        assert len(new) <= 1
        tenant.told += new
        before_answers += len(answers)
        if dice.random() < 0.2:
            process.cache_clear()
    assert [tenant.found for tenant in tenants] == [tenant.told for tenant in tenants]
    assert before_answers > 3
    assert len({each[0] for tenant in tenants for each in tenant.told}) > 4


def tenant_of(stack: Stack, organization: str) -> Tenant:
    us = people_of(stack, organization)
    keys = [us.key("admin"), us.key("admin"), us.key("lead"), us.key("member")]
    return Tenant(us, keys, us.key("admin"), [id_of(each) for each in keys])
