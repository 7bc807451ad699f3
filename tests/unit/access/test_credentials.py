"""What a caller presents, and what proves it."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from odometer.access.keys import AccessKey, Credential, PresentedKey, authenticate, issue
from odometer.access.policy import Caller, Scope
from odometer.access.secret import Secret
from odometer.domain.errors import Unauthenticated
from odometer.domain.people import KeyOwner, Role, State
from tests.support.memory_directory import ACME, NOON

SECRET = Secret(("a secret",))
OWNER = KeyOwner(id="u1", username="jo", role=Role.MEMBER, state=State.REGISTERED, team=3)
HOUR = timedelta(hours=1)


def made(expires_at: datetime | None = None) -> tuple[AccessKey, Credential]:
    return issue(ACME, "test", 7, frozenset(Scope), SECRET, NOON, expires_at)


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return f"Basic {base64.b64encode(raw).decode()}"


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "  Bearer   "])
def test_a_bearer_key_is_read(scheme: str) -> None:
    key, _ = made()
    assert PresentedKey.from_header(f"{scheme}{key} ") == PresentedKey(key)


@pytest.mark.parametrize("username", ["jo", "jo@example.com", "jö ☃", "", "a:b"])
def test_a_basic_key_is_read_with_its_username(username: str) -> None:
    key, _ = made()
    assert PresentedKey.from_header(basic(f"{username}:{key}")) == PresentedKey(key, username)


KEY = str(AccessKey(ACME, "k" * 12, "s" * 27))


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        KEY,
        f"Token {KEY}",
        f"Bearer\t{KEY}",
        f"Bearer {KEY}, Bearer {KEY}",
        f"Bearer {KEY} {KEY}",
        "Bearer é",
        "Bearer \ud800",
        "Bearer \x00",
        f"Bearer {'x' * 8192}",
        *(f"{blank}Bearer {KEY}" for blank in "\t\n\xa0X"),
        *(f"Bearer {blank}{KEY}" for blank in "\t\n\xa0X"),
        *(f"Bearer {KEY}{blank}" for blank in "\t\n\xa0"),
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        "Basic \ud800",
        "Basic YQ",
        basic(b"\xff\xfe"),
        f"{basic(f'jo:{KEY}')[:20]}!{basic(f'jo:{KEY}')[20:]}",
        basic("no colon"),
        basic(f"{KEY}:"),
        basic(":"),
        f"Basic {KEY}",
        f"Basic {basic(KEY)}",
    ],
)
def test_any_other_header_presents_nothing(header: str) -> None:
    assert PresentedKey.from_header(header) is None


def test_a_key_proves_its_caller() -> None:
    key, credential = made()
    caller = authenticate(PresentedKey(key, "jo"), credential, OWNER, SECRET, NOON)
    assert caller == Caller(ACME, key.key_id, frozenset(Scope), 7, "u1", "jo", Role.MEMBER, 3)
    assert caller == authenticate(PresentedKey(key), credential, OWNER, SECRET, NOON)


@pytest.mark.parametrize(
    ("spoil", "username", "owner"),
    [
        ({"digest": "f" * 64}, None, OWNER),
        ({"revoked_at": NOON}, None, OWNER),
        ({"expires_at": NOON}, None, OWNER),
        ({}, "JO", OWNER),
        ({}, "", OWNER),
        ({}, "u1", OWNER),
        ({}, None, replace(OWNER, state=State.DEACTIVATED)),
    ],
)
def test_nobody_else_is_let_in(
    spoil: dict[str, object], username: str | None, owner: KeyOwner
) -> None:
    key, credential = made()
    spoiled = replace(credential, **spoil)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated):
        authenticate(PresentedKey(key, username), spoiled, owner, SECRET, NOON)


def test_who_is_only_invited_may_come_in() -> None:
    key, credential = made()
    invited = replace(OWNER, state=State.INVITED)
    assert authenticate(PresentedKey(key), credential, invited, SECRET, NOON).user_id == "u1"


def test_a_key_expires_to_the_instant() -> None:
    key, credential = made(expires_at=NOON + HOUR)
    instants = (NOON + HOUR - timedelta(microseconds=1), NOON + HOUR)
    assert [credential.accepts(key, SECRET, instant) for instant in instants] == [True, False]


def test_a_former_secret_works_until_its_grace_is_over() -> None:
    key, credential = made()
    rotated = replace(
        credential, digest="f" * 64, former_digest=credential.digest, former_until=NOON + HOUR
    )
    instants = (NOON, NOON + HOUR)
    assert [rotated.accepts(key, SECRET, instant) for instant in instants] == [True, False]


def test_a_wrong_key_takes_the_same_path_as_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def noted(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("odometer.access.keys.equal", noted)
    (key, credential), (wrong, _) = made(), made()
    paths = []
    for each in (key, AccessKey(ACME, key.key_id, wrong.secret)):
        compared.clear()
        credential.accepts(each, SECRET, NOON)
        paths.append([other for _, other in compared])
    assert paths[0] == paths[1] == [credential.digest, credential.former_digest]
