"""The secret gets a new version while requests go on: no key ends, nobody is refused wrongly."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from odometer.access.keys import AccessKey
from odometer.access.policy import Access
from odometer.access.secret import NO_DIGEST
from odometer.access.tokens import Claims, TokenMaker
from odometer.bootstrap import process
from odometer.domain.time import epoch_second
from odometer.services import secret_versions
from odometer.storage.secret import write_secret
from odometer_cli import secret as command
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, People, people_of
from tests.support.stack import OTHER, Stack, admin_of, items_of
from tests.support.storage_calls import Call, record_calls, refused, throttled
from tests.support.typed import odometer

LIST = "/v2/clients/{}/users?page_size=1"
READ = Call("GetSecretValue", "odometer")


@pytest.fixture
def us(stack: Stack) -> People:
    return people_of(stack, ACME)


@pytest.fixture(autouse=True)
def no_pause() -> Iterator[None]:
    with patch.object(command, "PAUSE_SECONDS", 0):
        yield


def done(*words: str) -> str:
    """What a command says, in a process of its own; functions stay as warm as they are."""
    said = odometer("secret", *words)
    assert said.exit_code == 0, said
    return said.out


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done("status", "--json"))
    return found


def answers(us: People, *credentials: str) -> list[int]:
    """What each key or token gets in this process, and in one that begins with it."""
    found = [us.stack.get("/v1/me", each).status for each in credentials]
    for each in credentials:
        process.cache_clear()
        found.append(us.stack.get("/v1/me", each).status)
    return found


def credential_items() -> list[dict[str, Any]]:
    return [each for each in items_of("directory") if each["sk"]["S"].startswith("KEY#")]


def test_keys_and_tokens_of_before_and_after_are_good_in_warm_and_cold_processes(
    us: People,
) -> None:
    key, other = us.key("admin"), admin_of(us.stack, OTHER)
    token = us.token()
    assert answers(us, key, token, other) == [200] * 6
    assert "Hashed again with version 2" in done("rotate")
    assert set(status()["keys"]) == {"2"}
    assert answers(us, key, token, other) == [200] * 6
    new, new_token = us.key("admin"), us.token()
    assert answers(us, new, new_token) == [200] * 4
    assert set(status()["keys"]) == {"2"}


def test_a_key_that_a_process_makes_that_has_not_heard_is_good_and_counted(us: People) -> None:
    us.key("admin")
    done("rotate")
    key = us.key("admin")  # as a process makes it to which nobody has come since
    assert answers(us, key) == [200] * 2
    assert status()["behind"] == 1
    done("finish")
    assert answers(us, key) == [200] * 2


def test_a_stolen_key_id_is_worth_nothing(us: People) -> None:
    key = us.key("admin")
    done("rotate")
    stolen = str(AccessKey.make(ACME, read_key(key).key_id))
    assert answers(us, stolen) == [401] * 2


def read_key(text: str) -> AccessKey:
    key = AccessKey.parse(text)
    assert key
    return key


def test_a_key_that_was_made_before_there_were_versions_is_stored_as_ever(us: People) -> None:
    """The release before reads what this one writes until the secret is first rotated."""
    us.key("admin")
    for item in credential_items():
        assert item.keys() == {
            *("pk", "sk", "organization", "key_id", "name", "user", "scopes", "digest"),
            *("created_at", "expires_at", "revoked_at", "former_digest", "former_until"),
        }
        assert len(item["digest"]["S"]) == 64


def test_attributes_of_a_later_release_are_left_out(us: People) -> None:
    key = us.key("admin")
    for item in credential_items():
        process().dynamodb.put_item(
            TableName="directory", Item={**item, "added_later": {"S": "something"}}
        )
    assert us.stack.get("/v1/me", key).status == 200


def test_a_warm_process_asks_for_the_secret_once_and_nobody_else_asks(us: People) -> None:
    key, calls_made = us.key("admin"), record_calls()
    assert us.stack.get("/v1/me", key).status == 200
    done("rotate")
    calls_made.calls.clear()
    for _ in range(3):
        assert us.stack.get("/v1/me", key).status == 200
    assert calls_made.calls.count(READ) == 1
    calls_made.calls.clear()
    for each in (str(AccessKey.make(ACME)), str(AccessKey.make(ACME, read_key(key).key_id))):
        assert us.stack.get("/v1/me", each).status == 401
    assert calls_made.calls.count(READ) == 0


def test_a_version_that_is_nowhere_is_asked_for_ever_more_seldom_at_last_once_a_minute(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, calls_made = us.key("admin"), record_calls()
    before = boto3.client("secretsmanager").get_secret_value(SecretId="odometer")["SecretString"]
    done("rotate")
    boto3.client("secretsmanager").put_secret_value(SecretId="odometer", SecretString=before)
    clock = [1000.0]
    monkeypatch.setattr("odometer.bootstrap.time.monotonic", lambda: clock[0])
    process.cache_clear()
    calls_made.calls.clear()
    for _ in range(5):
        answer = us.stack.get("/v1/me", key)
        assert answer.status == 503
        assert "retry-after" in {name.lower() for name in answer.headers}
    assert calls_made.calls.count(READ) == 2  # when the process began, and once more
    asked_at = []
    for second in range(1, 300):
        clock[0] = 1000.0 + second
        before_it = calls_made.calls.count(READ)
        assert us.stack.get("/v1/me", key).status == 503
        asked_at += [second] * (calls_made.calls.count(READ) - before_it)
    assert asked_at == [1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_a_look_at_the_secret_that_failed_is_tried_again_in_a_second(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, calls_made = us.key("admin"), record_calls()
    assert us.stack.get("/v1/me", key).status == 200
    done("rotate")
    clock = [1000.0]
    monkeypatch.setattr("odometer.bootstrap.time.monotonic", lambda: clock[0])
    calls_made.fail = lambda call: throttled(call) if call == READ else None
    for _ in range(3):
        assert us.stack.get("/v1/me", key).status == 503
    calls_made.fail = lambda _: None
    assert us.stack.get("/v1/me", key).status == 503  # nobody asks within the second
    clock[0] += 1
    assert us.stack.get("/v1/me", key).status == 200


def test_cursors_of_before_lead_on(us: People) -> None:
    key, other = us.key("admin"), us.key("admin")
    url = LIST.format(ACME)
    cursor = us.stack.get(url, key).json["next_cursor"]
    done("rotate")
    for each in (key, other):
        assert us.stack.get(f"{url}&cursor={cursor}", each).status == 200
    after = us.stack.get(url, key).json["next_cursor"]
    process.cache_clear()
    new = us.key("admin")
    for each in (key, other, new):
        assert us.stack.get(f"{url}&cursor={after}", each).status == 200


def test_cursors_of_before_lead_on_under_a_key_that_is_made_later(us: People) -> None:
    key, url = us.key("admin"), LIST.format(ACME)
    cursor = us.stack.get(url, key).json["next_cursor"]
    store_a_version()
    process.cache_clear()
    made = [made_by(us, key)]  # which is not hashed again yet
    done("finish")
    made += [made_by(us, key), made_by(us, made[0])]
    for each in (key, *made):
        assert us.stack.get(f"{url}&cursor={cursor}", each).status == 200
    done("finish", "--at-once")
    for each in (key, *made):
        assert us.stack.get(f"{url}&cursor={cursor}", each).status == 400


def test_cursors_of_before_lead_on_where_a_key_is_rotated_before_it_is_hashed_again(
    us: People,
) -> None:
    key, url = us.key("admin"), LIST.format(ACME)
    cursor = us.stack.get(url, key).json["next_cursor"]
    store_a_version()
    process.cache_clear()
    rotate = f"/v1/keys/{read_key(key).key_id}/rotate"
    for grace in (60, 60, 0):
        new = us.stack.call("POST", rotate, key, body={"grace_seconds": grace})
        key = new.json["access_key"]
        assert us.stack.get(f"{url}&cursor={cursor}", key).status == 200
    done("finish")
    assert us.stack.get(f"{url}&cursor={cursor}", key).status == 200
    done("finish", "--at-once")
    assert us.stack.get(f"{url}&cursor={cursor}", key).status == 400


def test_the_secret_of_before_makes_no_token_of_a_key_that_is_rotated_later(us: People) -> None:
    key, before = us.key("admin"), process().secret
    done("rotate")
    rotate = f"/v1/keys/{read_key(key).key_id}/rotate"
    rotated = us.stack.call("POST", rotate, key, body={"grace_seconds": 60}).json["access_key"]
    expires = epoch_second(datetime.now(UTC)) + 3600
    claims = Claims(access=Access.ORGANIZATION, origins=(ORIGIN,), expires=expires)
    token = TokenMaker(read_key(rotated), None, NO_DIGEST, before).make(claims)
    assert answers(us, rotated, str(token)) == [200, 401] * 2


def made_by(us: People, key: str) -> str:
    scopes = ["usage:read", "directory:read", "keys:write"]
    body = {"name": "later", "user": us.id("admin"), "scopes": scopes}
    return str(us.stack.call("POST", "/v1/keys", key, body=body).json["access_key"])


def store_a_version() -> None:
    """What a rotation does first; it dies before any key is hashed again."""
    write_secret("odometer", process().secret.with_version("b" * 64))


def test_what_was_signed_before_ends_at_once_where_it_may_be_forged(us: People) -> None:
    key, token, url = us.key("admin"), us.token(), LIST.format(ACME)
    cursor = us.stack.get(url, key).json["next_cursor"]
    done("rotate", "--at-once")
    assert answers(us, key, token) == [200, 401] * 2
    assert us.stack.get(f"{url}&cursor={cursor}", key).status == 400
    assert not [item for item in credential_items() if item["earlier"]["L"]]


def test_what_was_signed_before_ends_at_once_also_for_a_key_that_is_made_meanwhile(
    us: People,
) -> None:
    key, url, made = us.key("admin"), LIST.format(ACME), list[str]()
    cursor = us.stack.get(url, key).json["next_cursor"]
    calls_made = record_calls()

    def made_meanwhile(call: Call) -> None:
        if call == Call("UpdateItem", "directory"):
            calls_made.fail = lambda _: None
            process.cache_clear()
            made.append(made_by(us, key))

    calls_made.fail = made_meanwhile
    done("rotate", "--at-once")
    for each in (key, *made):
        assert us.stack.get(f"{url}&cursor={cursor}", each).status == 400
    assert len(made) == 1
    assert status()["signed_before_until"] is None


def test_whoever_makes_keys_without_end_keeps_no_rotation_going(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    us.key("admin")
    behind, versions = list(secret_versions.credentials(us.stack.directories)), "secret_versions"
    monkeypatch.setattr(f"odometer.services.{versions}.credentials", lambda _: behind)
    secret = process().secret.with_version("b" * 64)
    for at_once, passes in ((False, 1), (True, secret_versions.TRIES)):
        done = secret_versions.hash_all_again(
            us.stack.directories, secret, lambda: datetime.now(UTC), at_once=at_once
        )
        assert len(list(done)) == passes * len(behind)


def test_what_was_signed_before_can_be_ended_later(us: People) -> None:
    key, token = us.key("admin"), us.token()
    done("rotate")
    assert answers(us, key, token) == [200] * 4
    done("finish", "--at-once")
    assert answers(us, key, token) == [200, 401] * 2


def test_tokens_of_before_end_after_a_day(us: People) -> None:
    us.token()
    done("rotate")
    ends = {int(item["earlier_until"]["N"]) for item in credential_items()}
    now = datetime.now(UTC).timestamp()
    assert all(24 * 3600 < end - now <= 26 * 3600 for end in ends)


def test_whoever_dies_on_the_way_is_gone_on_from_and_requests_go_on(us: People) -> None:
    keys = [us.key("admin") for _ in range(3)] + [admin_of(us.stack, OTHER)]
    expected = len(credential_items())
    calls_made = record_calls()
    written: list[Call] = []

    def dies(call: Call) -> Any:
        written.extend([call] if call == Call("UpdateItem", "directory") else [])
        return throttled(call) if len(written) > 1 else None

    calls_made.fail = dies
    assert odometer("secret", "rotate").exit_code != 0
    calls_made.fail = lambda _: None
    found = status()
    assert found["newest"] == 2
    assert 0 < found["behind"] < expected
    assert answers(us, *keys) == [200] * 8
    assert odometer("secret", "rotate").exit_code == 1  # it is not over
    assert status()["newest"] == 2
    done("finish")
    assert status()["behind"] == 0
    assert answers(us, *keys) == [200] * 8
    assert "0 keys" in done("finish")


def test_a_rotation_waits_for_the_tokens_of_the_one_before(us: People) -> None:
    key = us.key("admin")
    done("rotate")
    waits = odometer("secret", "rotate")
    assert waits.exit_code == 1
    assert "--at-once" in waits.err
    done("rotate", "--at-once")
    assert status() == {
        "newest": 3,
        "keys": {"3": len(credential_items())},
        "behind": 0,
        "signed_before_until": None,
    }
    assert answers(us, key) == [200] * 2


def test_a_key_that_is_rotated_meanwhile_keeps_its_tokens_as_long_as_its_grace(
    us: People,
) -> None:
    key = us.key("admin")
    wish = {"for": {"organization": True}, "expires_in": 3600, "origins": [ORIGIN]}
    token = us.stack.call("POST", "/v1/embed-tokens", key, body=wish).json["token"]
    done("rotate")
    url = f"/v1/keys/{read_key(key).key_id}/rotate"
    new = us.stack.call("POST", url, key, body={"grace_seconds": 3600})
    assert new.status == 200, new.text
    assert answers(us, key, token, new.json["access_key"]) == [200] * 6
    again = us.stack.call("POST", url, new.json["access_key"], body={"grace_seconds": 0})
    assert answers(us, key, token, again.json["access_key"]) == [401, 401, 200] * 2


def test_of_two_operators_at_once_one_is_refused(us: People) -> None:
    """Who has read the secret before another one stored a version may not store their own."""
    secret = process().secret
    with patch("odometer.storage.secret.client_of") as client:
        for version in ("mine", "theirs"):
            write_secret("odometer", secret.with_version(version))
        tokens = [
            each.kwargs["ClientRequestToken"]
            for each in client.return_value.put_secret_value.call_args_list
        ]
    assert tokens == ["odometer-secret-version-00000002"] * 2  # AWS takes one content for it
    assert 32 <= len(tokens[0]) <= 64
    calls_made, before = record_calls(), credential_items()
    calls_made.fail = lambda call: (
        refused("ResourceExistsException", 400) if call.verb == "PutSecretValue" else None
    )
    assert odometer("secret", "rotate").exit_code == 1
    assert credential_items() == before


def test_no_secret_is_printed(us: People) -> None:
    said = done("rotate") + done("status") + done("finish")
    kept = boto3.client("secretsmanager").get_secret_value(SecretId="odometer")["SecretString"]
    for version in json.loads(kept)["versions"]:
        assert version not in said
