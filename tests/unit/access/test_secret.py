"""Versions of the secret: what each makes, and how a key goes from one to the next."""

import hmac
from dataclasses import replace
from datetime import timedelta

import pytest

from odometer.access.keys import AccessKey, Credential, issue
from odometer.access.policy import Access, Scope
from odometer.access.secret import NO_DIGEST, Secret, UnknownVersion, version_of
from odometer.access.tokens import Claims, EmbedToken, TokenMaker
from odometer.domain.errors import Corrupt
from odometer.domain.time import epoch_second
from tests.support.memory_directory import ACME, NOON

FIRST = Secret(("first",))
SECOND = FIRST.with_version("second")
THIRD = SECOND.with_version("third")
DAY = timedelta(days=1)


def made(secret: Secret) -> tuple[AccessKey, Credential]:
    return issue(ACME, "test", 0, frozenset(Scope), secret, NOON)


@pytest.mark.parametrize("versions", ["[]", '[""]', "[5]", '["a", ""]', "5"])
def test_a_secret_has_versions_and_each_has_letters(versions: str) -> None:
    with pytest.raises(Corrupt):
        Secret.of(f'{{"versions": {versions}}}')


def test_a_secret_of_any_text_is_its_first_version() -> None:
    assert Secret.of("64 letters") == Secret(("64 letters",))
    assert Secret.of(THIRD.text) == THIRD
    assert (FIRST.newest, THIRD.newest) == (1, 3)
    assert Secret(("a",)).with_version("b") == Secret(("a", "b"))


def test_hashes_of_the_first_version_are_what_they_were_before_there_were_versions() -> None:
    key, credential = made(FIRST)
    pepper = hmac.digest(b"first", b"access key pepper", "sha256")
    message = f"{ACME}/{key.key_id}/{key.secret}".encode()
    assert credential.digest == hmac.digest(pepper, message, "sha256").hex()
    assert FIRST.embed_key(1) == hmac.digest(b"first", b"embed token signature", "sha256")
    assert FIRST.cursor_key(1) == hmac.digest(b"first", b"cursor signature", "sha256")


def test_a_hash_says_with_which_versions_it_was_made() -> None:
    _, credential = made(FIRST)
    again = SECOND.hash_again(credential.digest)
    assert again.startswith("1-2:")
    assert THIRD.hash_again(again).startswith("1-3:")
    assert THIRD.hash_again(again) == THIRD.hash_again(credential.digest)
    _, new = made(THIRD)
    assert new.digest.startswith("3:")
    assert [version_of(each) for each in (credential.digest, again, new.digest)] == [1, 2, 3]
    assert THIRD.hash_again(new.digest) == new.digest
    assert THIRD.hash_again(NO_DIGEST) == NO_DIGEST


@pytest.mark.parametrize("born", [FIRST, SECOND, THIRD])
def test_a_key_proves_itself_before_and_after_and_nobody_else_does(born: Secret) -> None:
    (key, credential), (other, _) = made(born), made(born)
    wrong = AccessKey(ACME, key.key_id, other.secret)
    for stored in (credential, credential.hashed_again(THIRD, NOON + DAY)):
        assert stored.accepts(key, THIRD, NOON)
        assert not stored.accepts(wrong, THIRD, NOON)
    assert not credential.hashed_again(THIRD, None).is_behind(THIRD)


def test_a_former_secret_is_hashed_again_too() -> None:
    key, credential = made(FIRST)
    in_grace = {"former_digest": credential.digest, "former_until": NOON + DAY}
    rotated = replace(made(FIRST)[1], **in_grace)  # type: ignore[arg-type]
    again = rotated.hashed_again(SECOND, NOON + DAY)
    assert [again.digest[:4], again.former_digest[:4]] == ["1-2:", "1-2:"]
    assert again.accepts(key, SECOND, NOON)
    assert not again.accepts(key, SECOND, NOON + DAY)


@pytest.mark.parametrize("secret", [SECOND, THIRD])
def test_a_key_works_by_its_new_hash_alone(secret: Secret) -> None:
    """Nothing of before counts any more, so what was hashed again has to fit the keys."""
    (key, credential), (former, earlier) = made(FIRST), made(FIRST)
    in_grace = {"former_digest": earlier.digest, "former_until": NOON + DAY}
    rotated = replace(credential, **in_grace)  # type: ignore[arg-type]
    again = rotated.hashed_again(secret, None)
    assert again.accepts(key, secret, NOON)
    assert again.accepts(former, secret, NOON)
    assert again.earlier == ()


def test_a_credential_needs_the_newest_version_of_its_hashes() -> None:
    _, credential = made(SECOND)
    assert credential.version == 2
    assert replace(credential, former_digest=made(THIRD)[1].digest).version == 3
    assert replace(credential, former_digest=made(FIRST)[1].digest).version == 2


def test_whoever_has_a_leaked_version_and_the_new_hashes_has_nothing() -> None:
    key, credential = made(FIRST)
    again = credential.hashed_again(SECOND, None)
    leaked = Secret(("first", "guessed"))
    assert not again.accepts(key, leaked, NOON)
    assert credential.digest not in (again.digest, *again.earlier)


def test_a_version_that_is_not_known_is_no_wrong_key() -> None:
    key, credential = made(SECOND)
    with pytest.raises(UnknownVersion, match="2"):
        credential.accepts(key, FIRST, NOON)


CLAIMS = Claims(
    access=Access.ORGANIZATION, origins=("https://a.example",), expires=epoch_second(NOON) + 86_400
)


def token(key: AccessKey, credential: Credential, secret: Secret) -> EmbedToken:
    return TokenMaker(key, None, credential.digest, secret).make(CLAIMS)


def test_a_token_of_before_is_good_for_its_life_unless_everything_is_to_end() -> None:
    key, credential = made(FIRST)
    before = token(key, credential, FIRST)
    again = credential.hashed_again(SECOND, NOON + DAY)
    assert again.accepts(before, SECOND, NOON)
    assert not again.accepts(before, SECOND, NOON + DAY)
    assert not credential.hashed_again(SECOND, None).accepts(before, SECOND, NOON)
    after = token(key, again, SECOND)
    assert again.accepts(after, SECOND, NOON + 9 * DAY)
    assert not credential.accepts(after, SECOND, NOON)  # it is of the new hash


def test_a_token_of_before_ends_when_its_key_is_revoked() -> None:
    key, credential = made(FIRST)
    again = replace(credential.hashed_again(SECOND, NOON + DAY), revoked_at=NOON)
    assert not again.accepts(token(key, credential, FIRST), SECOND, NOON)
