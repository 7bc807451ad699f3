"""Keys as they are managed: who may make, list, revoke and rotate which, and what is stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from odometer.access import keys
from odometer.access.keys import AccessKey, Credential, Keyring
from odometer.access.policy import Caller, Scope
from odometer.access.secret import NO_DIGEST, Secret
from odometer.domain.acts import Act, Action, Actor
from odometer.domain.errors import Conflict, Forbidden, NotFound, Unavailable
from odometer.domain.people import Role
from odometer.domain.time import KEPT_FOR_CURSORS
from tests.support.forgetful_trail import FORGETFUL
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import OTHER

SECRET = Secret(("a secret",))
HOUR = timedelta(hours=1)
LATER = NOON + timedelta(microseconds=7)
ME, MATE = 1, 2
KEY_ID = "u" * 12
SOME = frozenset({Scope.READ_USAGE, Scope.WRITE_KEYS})
ADMIN = Caller(ACME, "k" * 12, frozenset(Scope), ME, "u1", "jo", Role.ADMIN, None)
MEMBER = replace(ADMIN, role=Role.MEMBER, scopes=SOME)


@dataclass
class Kept:
    """Credentials in memory, and the names of the attributes that each change has written."""

    kept: dict[tuple[str, str], Credential] = field(default_factory=dict)
    written: list[tuple[str, ...]] = field(default_factory=list)

    def credential(self, organization: str, key_id: str) -> Credential | None:
        return self.kept.get((organization, key_id))

    def credentials(
        self, organization: str, first: str = "", most: int | None = None
    ) -> Iterable[Credential]:
        ids = sorted(key_id for of, key_id in self.kept if of == organization and key_id >= first)
        return [self.kept[organization, key_id] for key_id in ids[:most]]

    def add_credential(self, credential: Credential, _commit: object = None) -> None:
        self.kept[credential.organization, credential.key_id] = credential

    def change_credential(
        self, credential: Credential, *names: str, commit: Any, **expected: str | None
    ) -> bool:
        assert commit
        stored = self.kept[credential.organization, credential.key_id]
        if any(getattr(stored, name) != value for name, value in expected.items()):
            return False
        values: dict[str, Any] = {name: getattr(credential, name) for name in names}
        self.kept[credential.organization, credential.key_id] = replace(stored, **values)
        self.written.append(names)
        return True


def ring(caller: Caller, store: Kept) -> Keyring:
    return Keyring(store, SECRET, caller, LATER)


def made(store: Kept, user: int = ME, caller: Caller = ADMIN) -> tuple[AccessKey, Credential]:
    return ring(caller, store).make("reports", user, SOME, LATER + HOUR, FORGETFUL)


def test_what_is_stored_of_a_new_key_is_all_but_its_secret() -> None:
    store = Kept()
    key, credential = made(store, MATE)
    assert credential == Credential(
        organization=ACME,
        key_id=key.key_id,
        name="reports",
        user=MATE,
        scopes=SOME,
        digest=key.digest(SECRET),
        created_at=NOON,
        expires_at=NOON + HOUR,
    )
    assert store.credential(ACME, key.key_id) == credential
    _, endless = ring(ADMIN, store).make("reports", ME, SOME, None, FORGETFUL)
    assert endless.expires_at is None


def test_nobody_makes_a_key_that_may_do_more_than_their_own() -> None:
    store = Kept()
    equal = ring(MEMBER, store).make("mine", ME, SOME, None, FORGETFUL)
    fewer = ring(MEMBER, store).make("mine", ME, frozenset({Scope.READ_USAGE}), None, FORGETFUL)
    assert len(store.kept) == len({equal[0].key_id, fewer[0].key_id}) == 2
    with pytest.raises(Forbidden):
        ring(MEMBER, store).make("more", ME, frozenset({Scope.WRITE_USAGE}), None, FORGETFUL)
    assert len(store.kept) == 2


@pytest.mark.parametrize("user", [MATE, None])
def test_only_an_admin_manages_keys_of_others_or_of_nobody(user: int | None) -> None:
    ring(ADMIN, Kept()).check(user)
    ring(MEMBER, Kept()).check(ME)
    with pytest.raises(Forbidden):
        ring(MEMBER, Kept()).check(user)


def test_nobody_makes_a_key_for_somebody_else() -> None:
    store = Kept()
    with pytest.raises(Forbidden):
        ring(MEMBER, store).make("theirs", MATE, SOME, None, FORGETFUL)
    assert store.kept == {}


def test_keys_of_others_are_listed_to_admins_only() -> None:
    store = Kept()
    (_, mine), (_, theirs), (_, elsewhere) = made(store), made(store, MATE), made(store)
    store.add_credential(replace(elsewhere, organization=OTHER))
    del store.kept[ACME, elsewhere.key_id]
    both = sorted([mine, theirs], key=lambda each: each.key_id)
    assert ring(ADMIN, store).page("", 10) == (both, None)
    assert ring(MEMBER, store).page("", 10) == ([mine], None)


def with_ids(*owners: tuple[str, int]) -> Kept:
    """Keys by how their ids begin and by their owners."""
    store = Kept()
    _, key = made(Kept())
    for start, user in owners:
        store.add_credential(replace(key, key_id=f"{start}{'5' * (12 - len(start))}", user=user))
    return store


def chain(ring: Keyring, limit: int) -> tuple[list[list[str]], list[str]]:
    """How the ids on each page begin, and where each page but the first begins."""
    first: str | None = ""
    pages, starts = [], []
    while first is not None:
        found, first = ring.page(first, limit)
        pages.append([each.key_id[:2] for each in found])
        starts += [first] if first else []
    return pages, starts


def test_a_page_begins_where_the_one_before_ended_and_tells_no_id() -> None:
    store = with_ids(("A0", MATE), ("A1", ME), ("AB", MATE), ("Ab", ME), ("b0", MATE))
    every = ["A0", "A1", "AB", "Ab", "b0"]
    assert chain(ring(ADMIN, store), 1) == ([[each] for each in every], ["A1", "AB", "Ab", "b"])
    assert chain(ring(ADMIN, store), 2) == ([every[:2], every[2:4], every[4:]], ["AB", "b"])
    assert chain(ring(ADMIN, store), 5) == ([every], [])


def test_ids_that_differ_in_their_last_letter_have_none_between_them() -> None:
    assert keys.start_after("A" * 12, f"{'A' * 11}B") == f"{'A' * 11}B"


def test_whoever_manages_their_own_keys_passes_over_a_bounded_number_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "MOST_READ", 3)
    store = with_ids(*((f"A{at}", MATE) for at in range(4)), ("B", ME), ("C", ME), ("D", MATE))
    assert chain(ring(MEMBER, store), 2) == ([[], ["B5", "C5"], []], ["A3", "D"])
    assert chain(ring(MEMBER, store), 1) == ([[], ["B5"], ["C5"], []], ["A3", "C", "D"])


def test_a_key_that_is_made_or_gone_between_pages_moves_no_other() -> None:
    store = with_ids(("A", ME), ("C", ME), ("E", ME))
    found, following = ring(ADMIN, store).page("", 1)
    assert ([each.key_id[0] for each in found], following) == (["A"], "C")
    store.add_credential(replace(found[0], key_id="B" * 12))
    del store.kept[ACME, f"C{'5' * 11}"]
    found, following = ring(ADMIN, store).page("C", 1)
    assert ([each.key_id[0] for each in found], following) == (["E"], None)


def test_a_key_is_revoked_once_and_for_good() -> None:
    store = Kept()
    key, credential = made(store)
    ring(MEMBER, store).revoke(key.key_id, FORGETFUL)
    assert store.credential(ACME, key.key_id) == replace(credential, revoked_at=LATER)
    replace(ring(MEMBER, store), now=LATER + HOUR).revoke(key.key_id, FORGETFUL)
    assert store.written == [("revoked_at",)]


def unknown_to(caller: Caller, store: Kept, key_id: str) -> type[Exception]:
    with pytest.raises((Forbidden, NotFound)) as refused:
        ring(caller, store).revoke(key_id, FORGETFUL)
    return refused.type


def test_who_manages_only_their_own_keys_learns_of_no_others() -> None:
    store = Kept()
    key, credential = made(store, MATE)
    store.add_credential(replace(credential, organization=OTHER, key_id="o" * 12))
    for key_id in (key.key_id, "o" * 12, "n" * 12, "no id"):
        assert unknown_to(MEMBER, store, key_id) is Forbidden
    for key_id in ("o" * 12, "n" * 12, "no id"):
        assert unknown_to(ADMIN, store, key_id) is NotFound
    assert store.written == []


def test_what_is_no_id_is_never_looked_up() -> None:
    store = Kept()
    _, credential = made(store)
    store.add_credential(replace(credential, key_id="no id"))
    assert unknown_to(ADMIN, store, "no id") is NotFound


def test_a_rotated_key_has_a_new_secret_and_the_former_one_for_its_grace() -> None:
    store = Kept()
    key, credential = made(store)
    new, rotated = ring(MEMBER, store).rotate(key.key_id, HOUR, FORGETFUL)
    assert (new.organization, new.key_id) == (ACME, key.key_id)
    assert new.secret != key.secret
    renewed = replace(credential, digest=new.digest(SECRET))
    assert rotated == replace(renewed, former_digest=credential.digest, former_until=NOON + HOUR)
    assert store.credential(ACME, key.key_id) == rotated
    assert store.written == [("digest", "former_digest", "former_until")]


def test_without_a_grace_the_former_secret_ends_at_once() -> None:
    store = Kept()
    key, credential = made(store)
    new, rotated = ring(MEMBER, store).rotate(key.key_id, timedelta(), FORGETFUL)
    assert rotated == replace(credential, digest=new.digest(SECRET))
    assert (rotated.former_digest, rotated.former_until) == (NO_DIGEST, None)


def test_while_the_secret_of_the_deployment_changes_a_rotation_keeps_what_was_signed() -> None:
    store = Kept()
    key, credential = made(store)
    changing = replace(credential, earlier=("one", "two"), earlier_until=LATER + HOUR)
    store.add_credential(changing)
    _, rotated = ring(MEMBER, store).rotate(key.key_id, HOUR, FORGETFUL)
    assert rotated.earlier == (NO_DIGEST, "one")
    assert store.credential(ACME, key.key_id) == rotated
    over = replace(changing, key_id="o" * 12, earlier_until=LATER)
    store.add_credential(over)
    _, rotated = ring(MEMBER, store).rotate(over.key_id, HOUR, FORGETFUL)
    assert rotated.earlier == ()
    assert store.written[-1] == ("digest", "former_digest", "former_until")


def test_a_key_that_is_rotated_before_it_is_hashed_again_reads_cursors_of_before() -> None:
    store = Kept()
    key, _ = made(store)
    newer = SECRET.with_version("another")
    _, rotated = replace(ring(MEMBER, store), secret=newer).rotate(key.key_id, HOUR, FORGETFUL)
    assert (rotated.version, rotated.earlier) == (2, (NO_DIGEST,))
    assert rotated.earlier_until == NOON + KEPT_FOR_CURSORS
    assert store.credential(ACME, key.key_id) == rotated
    _, again = replace(ring(MEMBER, store), secret=newer).rotate(key.key_id, HOUR, FORGETFUL)
    assert again.earlier_until == NOON + KEPT_FOR_CURSORS
    over = replace(rotated, key_id="o" * 12, former_digest=SECRET.hash(b""), earlier_until=LATER)
    store.add_credential(replace(over, earlier=("over",)))
    _, again = replace(ring(MEMBER, store), secret=newer).rotate("o" * 12, HOUR, FORGETFUL)
    assert again.earlier == (NO_DIGEST,)


def test_a_new_key_reads_cursors_of_before_as_long_as_the_key_that_makes_it() -> None:
    store = Kept()
    maker = replace(ring(ADMIN, store), signed_before_until=NOON + HOUR)
    _, credential = maker.make("reports", ME, SOME, None, FORGETFUL)
    assert (credential.earlier, credential.earlier_until) == ((NO_DIGEST,), NOON + HOUR)
    assert made(store)[1].earlier_until is None


def test_until_when_a_key_reads_cursors_of_before() -> None:
    _, credential = made(Kept())
    assert credential.signed_before_until(SECRET, LATER) is None
    newer = SECRET.with_version("another")
    assert credential.signed_before_until(newer, LATER) == NOON + KEPT_FOR_CURSORS
    hashed = credential.hashed_again(newer, NOON + HOUR)
    assert hashed.signed_before_until(newer, LATER) == NOON + HOUR
    assert hashed.signed_before_until(newer, NOON + HOUR) is None


def test_a_key_that_has_ended_or_may_do_more_than_its_manager_is_not_rotated() -> None:
    store = Kept()
    key, credential = made(store)
    store.add_credential(replace(credential, revoked_at=NOON))
    with pytest.raises(NotFound):
        ring(ADMIN, store).rotate(key.key_id, HOUR, FORGETFUL)
    store.add_credential(replace(credential, scopes=SOME | {Scope.WRITE_USAGE}))
    with pytest.raises(Forbidden):
        ring(MEMBER, store).rotate(key.key_id, HOUR, FORGETFUL)
    assert store.written == []


def test_of_two_rotations_at_once_one_is_refused() -> None:
    store = Kept()
    key, _ = made(store)
    first, second = ring(ADMIN, store), ring(ADMIN, store)
    credential = second._one(key.key_id)  # noqa: SLF001  both have read before one writes
    new, _ = first.rotate(key.key_id, HOUR, FORGETFUL)

    class Before(Kept):
        def credential(self, organization: str, key_id: str) -> Credential | None:
            return credential

    with pytest.raises(Conflict, match=key.key_id):
        ring(ADMIN, Before(store.kept)).rotate(key.key_id, HOUR, FORGETFUL)
    stored = store.credential(ACME, key.key_id)
    assert stored is not None
    assert stored.digest == new.digest(SECRET)


class Refusing(Kept):
    """A store that changes nothing, and shows another state of a key each time it is read."""

    def __init__(self, *states: Credential | None) -> None:
        super().__init__()
        self.states = list(states)

    def credential(self, organization: str, key_id: str) -> Credential | None:
        assert (organization, key_id) == (ACME, KEY_ID)
        return self.states.pop(0)

    def change_credential(self, *_: Any, **__: Any) -> bool:
        return False


def test_nobody_is_told_that_a_key_has_ended_which_has_not() -> None:
    _, credential = made(Kept())
    live = replace(credential, key_id=KEY_ID)
    ended = replace(live, revoked_at=NOON)
    ring(MEMBER, Refusing(live, ended)).revoke(KEY_ID, FORGETFUL)
    ring(MEMBER, Refusing(live, None)).revoke(KEY_ID, FORGETFUL)
    with pytest.raises(Unavailable, match=KEY_ID):
        ring(MEMBER, Refusing(live, live)).revoke(KEY_ID, FORGETFUL)


class Told:
    """A trail that keeps what it is told."""

    def __init__(self) -> None:
        self.acts: list[Act] = []

    def commit(self, act: Act, *_: object) -> bool:
        self.acts.append(act)
        return True


class Telling(Kept):
    """A store that lets the trail tell of each change."""

    def add_credential(self, credential: Credential, commit: Any = None) -> None:
        assert commit()
        super().add_credential(credential)

    def change_credential(
        self, credential: Credential, *names: str, commit: Any, **expected: str | None
    ) -> bool:
        assert commit()
        return super().change_credential(credential, *names, commit=commit, **expected)


def test_the_trail_is_told_which_key_was_made_rotated_and_revoked_and_how_long_each_lasts() -> None:
    store, told = Telling(), Told()
    mine = ring(ADMIN, store)
    key, _ = mine.make("reports", MATE, SOME, LATER + HOUR, told)
    endless, _ = mine.make("reports", ME, SOME, None, told)
    mine.rotate(key.key_id, HOUR, told)
    mine.revoke(key.key_id, told)
    scopes = sorted(SOME)
    ends = {"expires_at": "2026-02-28T13:00:00Z"}
    assert told.acts == [
        Act(Action.KEY_MADE, key.key_id, MATE, details={"scopes": scopes, **ends}),
        Act(Action.KEY_MADE, endless.key_id, ME, details={"scopes": scopes}),
        Act(Action.KEY_ROTATED, key.key_id, MATE, details={"grace_seconds": 3600}),
        Act(Action.KEY_REVOKED, key.key_id, MATE),
    ]


def test_what_is_told_is_kept_for_the_days_that_the_organization_says() -> None:
    assert Actor(NOON, 30).kept_until == NOON + timedelta(days=30)
