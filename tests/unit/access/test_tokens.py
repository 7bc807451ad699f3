"""What an embed token is, and that nothing else is one."""

import json
from base64 import urlsafe_b64decode
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.access.keys import AccessKey, Credential, issue
from odometer.access.policy import Access, Scope
from odometer.access.secret import NO_DIGEST, Secret
from odometer.access.tokens import LONGEST_TOKEN, Claims, EmbedToken, TokenMaker, encoded
from odometer.domain.errors import Unauthenticated
from odometer.domain.time import epoch_second
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import OTHER

SECRET = Secret(("a secret",))
NOW = epoch_second(NOON)
HOUR = timedelta(hours=1)
KEY, CREDENTIAL = issue(ACME, "embed", 0, frozenset({Scope.WRITE_EMBEDS}), SECRET, NOON)
CLAIMS = Claims(
    access=Access.TEAM,
    subject="core",
    products=("automation", "chat"),
    origins=("https://app.example.com",),
    expires=NOW + 3600,
)


def made(
    claims: Claims = CLAIMS,
    key: AccessKey = KEY,
    digests: Secret = SECRET,
    signs: Secret = SECRET,
) -> str:
    return str(TokenMaker(key, None, key.digest(digests), signs).make(claims))


TOKEN = made()
OTHERS = made(replace(CLAIMS, subject="edge"))


def is_proof(text: str, credential: Credential = CREDENTIAL) -> bool:
    """Whether the key's credential takes a text for a token of its own."""
    token = EmbedToken.parse(text)
    return token is not None and credential.accepts(token, SECRET, NOON)


def test_a_token_says_what_it_was_made_for() -> None:
    token = EmbedToken.parse(TOKEN)
    assert token
    assert (token.organization, token.key_id, str(token)) == (ACME, KEY.key_id, TOKEN)
    assert is_proof(TOKEN)
    assert token.claims(NOON) == CLAIMS
    everything = Claims(access=Access.ORGANIZATION, origins=("http://localhost",), expires=NOW + 1)
    found = EmbedToken.parse(made(everything))
    assert found
    assert found.claims(NOON) == everything


def test_a_token_that_was_made_is_the_one_that_is_read() -> None:
    token = TokenMaker(KEY, None, CREDENTIAL.digest, SECRET).make(CLAIMS)
    assert token == EmbedToken.parse(str(token))


def test_every_letter_of_a_token_is_what_tells_it_from_others() -> None:
    token = EmbedToken.parse(TOKEN)
    assert token
    assert token.message == TOKEN.encode()


def test_claims_take_as_few_bytes_as_json_allows() -> None:
    claims = replace(CLAIMS, subject="größe")
    written = urlsafe_b64decode(claims.text + "==").decode()
    assert written == (
        '{"version":1,"access":2,"subject":"größe","products":["automation","chat"],'
        f'"origins":["https://app.example.com"],"expires":{NOW + 3600}}}'
    )
    assert Claims.of(claims.text) == claims


@pytest.mark.parametrize("last", range(64))
def test_whatever_letter_is_the_last_nothing_is_lost(last: int) -> None:
    for content in (bytes([0, 0, last]), bytes([0, last << 2]), bytes([last << 2])):
        assert urlsafe_b64decode(encoded(content) + "==") == content


def test_an_organization_that_is_too_large_makes_no_token() -> None:
    assert EmbedToken.parse("oet_" + "z" * 22 + TOKEN[26:]) is None


def test_a_token_is_recognized_and_fits_into_a_url_and_a_header() -> None:
    assert TOKEN.startswith(f"oet_{AccessKey.prefix(ACME, KEY.key_id)[4:]}.")
    assert set(TOKEN) <= set("._-") | set(
        map(chr, [*range(48, 58), *range(65, 91), *range(97, 123)])
    )
    assert len(TOKEN) < 400 < LONGEST_TOKEN


def test_a_token_shows_nothing_of_its_key_and_nothing_of_itself_in_a_log() -> None:
    token = EmbedToken.parse(TOKEN)
    assert KEY.secret not in TOKEN
    assert CREDENTIAL.digest not in TOKEN
    assert repr(token) == f"EmbedToken({ACME}, {KEY.key_id})"


def test_no_letter_can_be_another() -> None:
    for place, letter in enumerate(TOKEN):
        for other in {"A", "B", "z", "0", "-", "_", ".", "=", " ", "\x00", "é"} - {letter}:
            assert not is_proof(TOKEN[:place] + other + TOKEN[place + 1 :]), (place, other)


def test_no_letter_can_be_missing_or_too_many() -> None:
    for length in range(len(TOKEN)):
        assert not is_proof(TOKEN[:length])
        assert not is_proof(TOKEN[length + 1 :])
    for more in ("A", "=", ".", "\n", " ", ".A", TOKEN):
        assert not is_proof(TOKEN + more)
        assert not is_proof(more + TOKEN)


def test_the_last_letters_have_one_spelling() -> None:
    """Four letters decode to the same last byte; the token has only one of them."""
    same = [TOKEN[:-1] + letter for letter in "AEIMQUYcgkosw048"]
    assert [each for each in same if is_proof(each)] == [TOKEN]


@pytest.mark.parametrize(
    "other",
    [
        {"access": Access.ORGANIZATION},
        {"access": Access.SELF},
        {"subject": "edge"},
        {"subject": None},
        {"products": None},
        {"products": ("automation", "chat", "smartui")},
        {"origins": ("https://evil.example",)},
        {"expires": NOW + 86_400},
    ],
)
def test_no_claim_can_be_changed(other: dict[str, object]) -> None:
    claims = replace(CLAIMS, **other)  # type: ignore[arg-type]
    head, _, signature = TOKEN.split(".")
    assert not is_proof(f"{head}.{claims.text}.{signature}")
    assert is_proof(made(claims))


def test_parts_of_two_tokens_are_none() -> None:
    head, claims, signature = TOKEN.split(".")
    _, others, other_signature = OTHERS.split(".")
    assert not is_proof(f"{head}.{others}.{signature}")
    assert not is_proof(f"{head}.{claims}.{other_signature}")


def test_another_secret_organization_or_key_makes_no_token_of_this_one() -> None:
    elsewhere = AccessKey(OTHER, KEY.key_id, KEY.secret)
    beside = AccessKey(ACME, "k" * 12, KEY.secret)
    _, claims, signature = TOKEN.split(".")
    assert not is_proof(made(signs=Secret(("another",))))
    assert not is_proof(made(digests=Secret(("another",))))
    for key in (elsewhere, beside):
        assert not is_proof(made(key=key))
        head = made(key=key).split(".")[0]
        assert not is_proof(f"{head}.{claims}.{signature}")
    assert not is_proof(made(), replace(CREDENTIAL, digest=NO_DIGEST))


def test_where_no_hash_is_stored_nothing_can_be_made_with_it() -> None:
    """Whoever has the secret and nothing else would need only the id of a key."""
    token = EmbedToken.parse(str(TokenMaker(KEY, None, NO_DIGEST, SECRET).make(CLAIMS)))
    assert token
    until = NOON + HOUR
    nobodys = replace(CREDENTIAL, digest=NO_DIGEST)
    in_grace = replace(CREDENTIAL, former_until=until)
    for earlier in ((NO_DIGEST,), (NO_DIGEST, NO_DIGEST), (NO_DIGEST, "1")):
        changing = replace(in_grace, earlier=earlier, earlier_until=until)
        assert not changing.accepts(token, SECRET, NOON)
    assert not nobodys.accepts(token, SECRET, NOON)
    assert not in_grace.accepts(token, SECRET, NOON)


def test_a_token_ends_in_its_second() -> None:
    token = EmbedToken.parse(TOKEN)
    assert token
    assert token.claims(NOON + HOUR - timedelta(seconds=1)) == CLAIMS
    with pytest.raises(Unauthenticated):
        token.claims(NOON + HOUR)


def test_a_token_ends_no_later_than_its_key() -> None:
    ends = [TokenMaker(KEY, end, "", SECRET).end(NOON, 7200) - NOW for end in (None, NOON + HOUR)]
    assert ends == [7200, 3600]


def test_claims_of_another_version_are_not_understood() -> None:
    content = json.loads(urlsafe_b64decode(CLAIMS.text + "=="))
    assert content.keys() == {"version", *asdict(CLAIMS)}
    with pytest.raises(Unauthenticated):
        Claims.of(encoded(json.dumps({**content, "version": 2}).encode()))


def test_a_token_lives_as_long_as_the_secret_that_it_was_made_with() -> None:
    token = EmbedToken.parse(TOKEN)
    assert token
    new = replace(CREDENTIAL, digest="f" * 64)
    in_grace = replace(new, former_digest=CREDENTIAL.digest, former_until=NOON + HOUR)
    gone = replace(CREDENTIAL, revoked_at=NOON)
    expired = replace(CREDENTIAL, expires_at=NOON)
    found = [each.accepts(token, SECRET, NOON) for each in (new, in_grace, gone, expired)]
    assert found == [False, True, False, False]
    assert not in_grace.accepts(token, SECRET, NOON + HOUR)


def test_a_key_is_no_token_and_a_token_no_key() -> None:
    assert EmbedToken.from_header(f"Bearer {KEY}") is None
    assert AccessKey.parse(TOKEN) is None
    found = EmbedToken.from_header(f"bearer  {TOKEN} ")
    assert found
    assert (str(found.key), found.username) == (TOKEN, None)
    assert EmbedToken.from_header(f"Basic {TOKEN}") is None
    assert EmbedToken.from_header(TOKEN) is None


HEAD, LETTERS = TOKEN.split(".")[0], "ABCxyz019-_"


@settings(max_examples=100)
@given(
    st.one_of(
        st.text(max_size=60),
        st.binary(max_size=60).map(lambda each: each.decode("latin-1")),
        st.builds(
            "Bearer {}.{}.{}".format,
            st.sampled_from([HEAD, "oet_" + "z" * 34, "oet_" + "0" * 34]),
            st.text(LETTERS, max_size=80),
            st.text(LETTERS, min_size=43, max_size=43),
        ),
    )
)
def test_of_whatever_is_sent_nothing_is_a_token_and_nothing_fails(header: str) -> None:
    found = EmbedToken.from_header(header)
    assert found is None or not CREDENTIAL.accepts(found.key, SECRET, NOON)


@pytest.mark.parametrize("blank", ["\t", "\n", "\xa0", "X"])
def test_around_a_token_there_are_spaces_and_nothing_else(blank: str) -> None:
    for header in (f"{blank}Bearer {TOKEN}", f"Bearer {blank}{TOKEN}", f"Bearer {TOKEN}{blank}"):
        assert EmbedToken.from_header(header) is None
