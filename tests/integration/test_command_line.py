"""`odometer`, typed at a deployment in this process: what it says, and how it ends."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import boto3
import pytest
from botocore.exceptions import ClientError

from local.stack import Stack as LocalRecord
from odometer import __version__
from odometer.access.keys import AccessKey
from odometer.access.policy import Scope
from odometer.storage.directory import new_credential_item
from odometer_cli.local_stack import LocalStack
from tests.support.in_process_client import ADDRESS, LOOPBACK, open_to_clients
from tests.support.memory_directory import ACME, new_head
from tests.support.stack import ENVIRONMENT, OTHER, Stack, admin_of
from tests.support.typed import Said, odometer
from tests.support.usage_sender import ago, run, send, usage_event

NEW = "cc7cf840-9ca9-46a3-9778-9015d6580d52"


@pytest.fixture
def env(stack: Stack) -> Iterator[Mapping[str, str]]:
    """What an Admin of Acme has set in their shell."""
    with open_to_clients(stack):
        yield {"ODOMETER_BASE_URL": ADDRESS, "ODOMETER_TOKEN": admin_of(stack, ACME)}


def create(*words: str) -> Said:
    return odometer(
        *("organization", "create", "--name", "New", "--admin-username", "root@example.com"),
        *("--id", NEW, *words),
    )


# organizations


def test_a_new_organization_answers_to_its_first_key(stack: Stack) -> None:
    made = create("--json", "--time-zone", "Europe/Berlin").json
    assert {name: made[name] for name in ("organization", "admin_username")} == {
        "organization": NEW,
        "admin_username": "root@example.com",
    }
    answer = stack.get("/api/v1/organization", made["access_key"])
    assert (answer.status, answer.json["id"], answer.json["name"]) == (200, NEW, "New")
    organization = stack.directories.open(NEW)
    assert organization.organization.time_zone == "Europe/Berlin"
    assert [product.id for product in organization.products] == [
        *("automation", "app-automation", "hyperexecute", "realtime", "realdevice"),
        *("smartui", "code-completions", "chat"),
    ]


def test_the_first_key_does_all_that_an_admin_may(stack: Stack) -> None:
    key = create("--json").json["access_key"]
    assert stack.put(key, {"teams": [{"name": "Team"}]}).status == 200
    assert stack.get("/v1/keys", key).status == 200


def test_without_an_id_an_organization_gets_a_new_one(stack: Stack) -> None:
    words = ("organization", "create", "--admin-username", "a", "--json", "--name")
    ids = {odometer(*words, name).json["organization"] for name in ("N", "M")}
    assert len({UUID(each) for each in ids}) == 2


def test_the_access_key_is_printed_once_and_stored_nowhere(stack: Stack) -> None:
    said = create()
    (key,) = [word for word in said.out.split() if word.startswith("odo_")]
    assert said.out.count(key) == 1
    assert "odo_" not in said.err
    stored = stack.directories.table.client.scan(TableName=ENVIRONMENT["DIRECTORY_TABLE"])["Items"]
    assert key.rpartition("_")[2][:27] not in str(stored)


def test_an_organization_is_not_made_twice(stack: Stack) -> None:
    first = create("--json").json["access_key"]
    again = create()
    assert (again.exit_code, again.out) == (1, "")
    assert f"organization {NEW} exists" in again.err
    assert "odometer organization key" in again.err
    assert stack.get("/api/v1/organization", first).status == 200


def test_the_first_admin_is_told_by_id(stack: Stack) -> None:
    made = create("--json").json
    admin = stack.directories.open(NEW).user_by_id(made["user_id"])
    assert admin
    assert (admin.username, admin.role) == ("root@example.com", "Admin")


def key_for(username: str, *words: str, organization: str = ACME) -> Said:
    return odometer("organization", "key", organization, "--admin-username", username, *words)


def test_an_operator_lets_an_admin_in_again_and_changes_nothing(stack: Stack) -> None:
    stack.user(OTHER, username="back@example.com", role="Admin")
    stack.apply(OTHER, "product", {"id": "chat", "name": "Our chat", "kind": "chat"})
    before = stack.directories.open(OTHER).head
    made = key_for("back@example.com", "--json", organization=OTHER).json
    assert stack.get("/api/v1/organization", made["access_key"]).json["name"] == "Other Corp"
    assert (made["changed"], stack.directories.open(OTHER).head) == ([], before)


def test_no_key_is_made_for_a_user_who_is_no_admin_unless_that_is_granted(stack: Stack) -> None:
    user = stack.user(ACME, username="kept@example.com", email="mail@example.com")
    refused = key_for("kept@example.com")
    assert (refused.exit_code, refused.out) == (1, "")
    assert refused.err.splitlines() == [
        "kept@example.com is a Member of Acme Corp.",
        "Name an Admin, or make one of this user: --grant-admin",
    ]
    assert list(stack.directories.credentials(ACME)) == []
    made = key_for("kept@example.com", "--grant-admin", "--json").json
    assert (made["user_id"], made["changed"]) == (user, ["role: Member -> Admin"])
    found = stack.directories.open(ACME).user_by_id(user)
    assert found
    assert (found.role, found.email) == ("Admin", "mail@example.com")


def test_no_key_is_made_for_an_unknown_name_unless_that_is_granted(stack: Stack) -> None:
    refused = key_for("new@example.com")
    assert (refused.exit_code, refused.out, refused.err.splitlines()[0]) == (
        1,
        "",
        "Nobody in Acme Corp has the username new@example.com.",
    )
    assert stack.directories.open(ACME).users == []
    granted = key_for("new@example.com", "--grant-admin")
    assert "user created as Admin" in granted.out
    assert [user.username for user in stack.directories.open(ACME).users] == ["new@example.com"]


def test_an_admin_who_was_deactivated_gets_a_key_that_works_once_that_is_granted(
    stack: Stack,
) -> None:
    stack.user(ACME, username="gone", role="Admin", state="registered")
    stack.user(ACME, username="stays", role="Admin")
    stack.user(ACME, username="gone", state="deactivated")
    assert "gone is a deactivated Admin of Acme Corp." in key_for("gone").err
    made = key_for("gone", "--grant-admin", "--json").json
    assert made["changed"] == ["state: deactivated -> registered"]
    assert stack.get("/v1/keys", made["access_key"]).status == 200


def test_organizations_are_listed_page_by_page(stack: Stack) -> None:
    stack.user(ACME, username="a")
    create()
    first = odometer("organization", "list", "--limit", "2", "--json").json
    assert first == {
        "organizations": [
            {"id": ACME, "name": "Acme Corp", "users": 1, "last_event_at": None},
            {"id": OTHER, "name": "Other Corp", "users": 0, "last_event_at": None},
        ],
        "next": OTHER,
    }
    second = odometer("organization", "list", "--after", OTHER, "--json").json
    assert [row["name"] for row in second["organizations"]] == ["New"]
    assert second["next"] is None


def test_the_list_of_organizations_tells_a_person_how_it_goes_on(stack: Stack) -> None:
    said = odometer("organization", "list", "--limit", "1")
    assert (said.exit_code, said.out.splitlines()[1].split()) == (0, [ACME, "Acme", "Corp", "0"])
    assert said.err == f"There are more: odometer organization list --after {ACME}\n"


def test_the_latest_event_is_listed_as_soon_as_it_is_folded(stack: Stack) -> None:
    instant = ago(hours=3)
    send(
        stack,
        admin_of(stack, ACME),
        [usage_event("a", time=instant), usage_event("b", time=ago(hours=4))],
    )
    run("fold")
    rows = odometer("organization", "list", "--json").json["organizations"]
    assert [row["last_event_at"] for row in rows] == [instant, None]


def test_no_request_reads_more_organizations_than_dynamodb_gives_at_once(stack: Stack) -> None:
    ids = [str(UUID(int=number)) for number in range(1, 150)]
    for each in ids:
        stack.directories.create(new_head(each, f"Organization {each}"))
    said = odometer("organization", "key", f"Organization {ids[-1]}", "--admin-username", "a")
    assert f"Nobody in Organization {ids[-1]} has the username a." in said.err
    assert len(odometer("organization", "list", "--json").json["organizations"]) == 50


def test_a_name_that_several_organizations_have_lists_them(stack: Stack) -> None:
    assert create("--json").exit_code == 0
    words = ("organization", "create", "--name", "New", "--admin-username", "a", "--json")
    other = odometer(*words, "--force").json["organization"]
    said = key_for("root@example.com", organization="New")
    assert (said.exit_code, said.out) == (1, "")
    lines = [f"  {each}  1 user" for each in sorted([NEW, other])]
    assert said.err.splitlines() == [
        "2 organizations are called New:",
        *lines,
        "Give the id of the one that you mean.",
    ]


def test_an_unknown_name_leads_to_the_list(stack: Stack) -> None:
    said = key_for("a", organization="Nowhere")
    assert (said.exit_code, said.err.splitlines()) == (
        1,
        ["No organization is called Nowhere.", "See them all: odometer organization list"],
    )


def test_a_second_organization_of_a_name_has_to_be_forced_where_nobody_can_be_asked(
    stack: Stack,
) -> None:
    words = ("organization", "create", "--name", "Acme Corp", "--admin-username", "a")
    refused = odometer(*words)
    assert (refused.exit_code, refused.out) == (1, "")
    assert f"{ACME}  0 users" in refused.err
    assert "--force" in refused.err
    assert list(stack.directories.organizations()) == [ACME, OTHER]
    assert odometer(*words, "--force").exit_code == 0


@pytest.mark.parametrize(("answer", "exit_code"), [("y\n", 0), ("n\n", 1)])
def test_whoever_sits_at_a_terminal_is_asked_about_a_second_organization_of_a_name(
    stack: Stack, answer: str, exit_code: int
) -> None:
    words = ("organization", "create", "--name", "Acme Corp", "--admin-username", "a")
    with patch("odometer_cli.organization.is_interactive", lambda: True):
        said = odometer(*words, stdin=answer)
    assert said.exit_code == exit_code
    assert "Make another one?" in said.err
    assert len(list(stack.directories.organizations())) == 3 - exit_code


def test_a_first_admin_has_their_username_for_an_email(stack: Stack) -> None:
    key = create("--json").json["access_key"]
    url = "/api/v1/organization/users?offset=0&limit=0&teamMember=false"
    assert [row["email"] for row in stack.get(url, key).json["data"]] == ["root@example.com"]


def test_no_key_is_made_for_an_organization_that_does_not_exist(stack: Stack) -> None:
    said = odometer("organization", "key", NEW, "--admin-username", "a")
    assert (said.exit_code, said.out) == (1, "")
    assert f"not found: {NEW}" in said.err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--time-zone", "Mars/Olympus"), "time_zone: expected an IANA time zone"),
        (("--admin-username", "a:b"), "username: "),
        (("--name", "x" * 257), "name: expected 1 to 256 bytes"),
        (("--name", "Ac\u200bme"), "name: expected text without invisible characters"),
        (("--admin-username", "ro\u202eot"), "username: expected text without invisible"),
        (("--key-name", "first\ufeff"), "name: expected text without invisible characters"),
    ],
)
def test_a_fault_in_an_option_makes_nothing(
    stack: Stack, words: tuple[str, ...], fault: str
) -> None:
    said = create(*words)
    assert (said.exit_code, said.out) == (2, "")
    assert fault in said.err
    assert stack.directories.table.get(NEW, "HEAD") is None


# directory


def test_a_directory_is_put_and_exported_and_put_again_unchanged(
    env: Mapping[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "directory.json"
    users = [{"username": f"user-{number}@example.com", "team": "Team"} for number in range(3)]
    file.write_text(json.dumps({"users": users, "teams": [{"name": "Team"}]}))
    put = odometer("directory", "put", str(file), env=env)
    assert put.exit_code == 0
    assert [line.split() for line in put.out.splitlines()[1:]] == [
        ["team", "created", "1"],
        ["user", "created", "3"],
    ]
    exported = odometer("directory", "export", env=env).out
    again = odometer("directory", "put", "-", "--json", env=env, stdin=exported)
    assert {row["status"] for row in again.json} == {"unchanged"}
    odometer("directory", "export", str(tmp_path / "out"), env=env)
    assert (tmp_path / "out").read_text() == exported


def test_a_rejected_row_is_named_by_its_place_and_the_others_are_taken(
    env: Mapping[str, str],
) -> None:
    lines = '{"kind":"user","username":"a"}\n{"kind":"user","username":"b","team":"none"}\n'
    said = odometer("directory", "put", "-", env=env, stdin=lines)
    assert said.exit_code == 1
    assert said.err == "line 2: not_found: team: nothing is called none\n"
    assert "created   1" in said.out
    (_, second) = odometer("directory", "put", "-", "--json", env=env, stdin=lines).json
    assert (second["place"], second["status"]) == ("line 2", "rejected")


def test_of_many_rejected_rows_the_first_twenty_are_told(env: Mapping[str, str]) -> None:
    lines = '{"kind":"user"}\n' * 25
    said = odometer("directory", "put", "-", env=env, stdin=lines).err.splitlines()
    assert (len(said), said[20]) == (21, "… and 5 more: --json lists all.")


def test_a_user_is_erased_once_whoever_types_it_is_sure(
    stack: Stack, env: Mapping[str, str]
) -> None:
    user = stack.user(ACME, username="m@example.com")
    words = ("directory", "erase", user)
    doubt = odometer(*words, env=env, stdin="n\n")
    assert (doubt.exit_code, "is erased" in doubt.out) == (1, False)
    assert f"Erase user {user}? There is no way back" in doubt.err
    assert "m@example.com" in odometer("directory", "export", env=env).out
    said = odometer(*words, env=env, stdin="y\n")
    assert (said.exit_code, f"{user} is erased.\n" in said.out) == (0, True)
    assert "m@example.com" not in odometer("directory", "export", env=env).out
    again = odometer(*words, "--yes", env=env)
    assert (again.exit_code, again.out, again.err[:15]) == (1, "", "404: Not found\n")


def test_the_last_admin_is_erased_once_an_operator_has_made_another(
    stack: Stack, env: Mapping[str, str]
) -> None:
    (me,) = (user for user in stack.directories.open(ACME).users if user.role == "Admin")
    refused = odometer("directory", "erase", me.id, "--yes", env=env)
    assert (refused.exit_code, refused.err.splitlines()[0]) == (
        1,
        "400: user_id: the last Admin; make somebody else one first",
    )
    token = key_for("next@example.com", "--grant-admin", "--json").json["access_key"]
    assert odometer("directory", "erase", me.id, "--yes", env=env).exit_code == 0
    assert odometer("directory", "export", env=env).exit_code == 1
    exported = odometer("directory", "export", env={**env, "ODOMETER_TOKEN": token})
    assert "next@example.com" in exported.out
    assert me.id not in exported.out


# keys


def test_a_key_is_made_used_rotated_and_revoked(stack: Stack, env: Mapping[str, str]) -> None:
    user = stack.user(ACME, username="m@example.com", role="Manager")
    words = ("--name", "reports", "--user", user, "--scope", "usage:read", "--json")
    made = odometer("keys", "create", *words, env=env).json
    assert stack.get("/api/v1/license", made["access_key"]).status == 404
    rotated = odometer("keys", "rotate", made["key_id"], "--grace-seconds", "0", "--json", env=env)
    assert stack.get("/api/v1/license", made["access_key"]).status == 401
    assert stack.get("/api/v1/license", rotated.json["access_key"]).status == 404
    revoked = odometer("keys", "revoke", made["key_id"], env=env)
    assert (revoked.exit_code, revoked.out) == (0, f"{made['key_id']} is revoked.\n")
    assert stack.get("/api/v1/license", rotated.json["access_key"]).status == 401


def test_a_key_is_made_for_a_user_by_username(stack: Stack, env: Mapping[str, str]) -> None:
    user = stack.user(ACME, username="m@example.com")
    words = ("--name", "n", "--user", "m@example.com", "--scope", "usage:read", "--json")
    assert odometer("keys", "create", *words, env=env).json["user"] == user


def test_keys_are_listed_without_their_secrets(env: Mapping[str, str]) -> None:
    (key,) = odometer("keys", "list", "--json", env=env).json["keys"]
    assert key["name"] == "test"
    said = odometer("keys", "list", env=env)
    _, row = said.out.splitlines()  # unbroken, for whoever reads it through a pipe
    assert row.startswith(key["key_id"])
    assert key["user"] in row
    assert " ".join(key["scopes"]) in row
    assert env["ODOMETER_TOKEN"] not in said.out


def test_all_keys_are_listed_whatever_pages_they_come_in(
    stack: Stack, env: Mapping[str, str]
) -> None:
    user = stack.user(ACME, username="m@example.com", role="Manager")
    own = stack.key(ACME, user)
    mine = AccessKey.parse(own)
    one = mine and stack.directories.credential(ACME, mine.key_id)
    assert one
    others = (replace(one, key_id=f"{at:012}", user=0) for at in range(1001))
    stack.directories.table.put_all(map(new_credential_item, others))
    assert len(odometer("keys", "list", "--json", env=env).json["keys"]) == 1003
    with_own = {**env, "ODOMETER_TOKEN": own}
    (found,) = odometer("keys", "list", "--json", env=with_own).json["keys"]
    assert found["key_id"] == one.key_id
    assert odometer("whoami", "--json", env=with_own).json["user"] == user


def test_a_key_that_cannot_be_made_says_why(env: Mapping[str, str]) -> None:
    words = ("keys", "create", "--name", "n", "--user", "nobody", "--scope", "usage:read")
    said = odometer(*words, env=env)
    assert (said.exit_code, said.out) == (1, "")
    assert said.err.startswith("400: user: expected the ")
    assert "--help" in said.err


# whose key


def test_whoami_tells_whose_key_it_is(stack: Stack, env: Mapping[str, str]) -> None:
    found = odometer("whoami", "--json", env=env).json
    owner = stack.directories.open(ACME).users[0]
    assert (found["organization"], found["user"], found["name"]) == (ACME, owner.id, "test")
    assert env["ODOMETER_TOKEN"] not in odometer("whoami", env=env).out


def test_whoami_tells_that_a_key_is_live_which_may_not_look_at_keys(
    stack: Stack, env: Mapping[str, str]
) -> None:
    user = stack.user(ACME, username="m@example.com")
    token = stack.key(ACME, user, Scope.READ_USAGE)
    said = odometer("whoami", env={**env, "ODOMETER_TOKEN": token})
    assert (said.exit_code, "keys:write is not among them" in said.out) == (0, True)


def test_whoami_refuses_a_key_that_is_not_accepted(stack: Stack, env: Mapping[str, str]) -> None:
    key_id = odometer("whoami", "--json", env=env).json["key_id"]
    odometer("keys", "revoke", key_id, env=env)
    said = odometer("whoami", env=env)
    assert (said.exit_code, said.out) == (1, "")
    assert "unknown, expired or revoked" in said.err


def test_a_mistyped_key_is_found_out_before_it_is_sent(env: Mapping[str, str]) -> None:
    token = env["ODOMETER_TOKEN"][:-1] + "!"
    said = odometer("whoami", env={**env, "ODOMETER_TOKEN": token})
    assert (said.exit_code, said.out) == (2, "")
    assert token not in said.err


# where


def test_what_is_not_set_is_named_with_a_way_to_set_it(stack: Stack) -> None:
    key = odometer("--base-url", ADDRESS, "keys", "list")
    assert (key.exit_code, key.err.splitlines()) == (
        2,
        [
            "No access key was given.",
            "Set ODOMETER_KEY, give --key, or keep one: odometer config add",
        ],
    )
    assert "ODOMETER_URL" in odometer("--token", "t", "keys", "list").err
    with patch.dict("os.environ", DIRECTORY_TABLE="", SECRET_ID=""):
        table = create()
    assert table.exit_code == 2
    assert "DIRECTORY_TABLE, SECRET_ID" in table.err
    assert "--stack" in table.err


@pytest.mark.parametrize(
    "address",
    ["odometer.test", "file:///etc/passwd", "ftp://x", "http://[", "http://", "http://a:b"],
)
def test_a_base_url_is_http(stack: Stack, address: str) -> None:
    said = odometer("--base-url", address, "keys", "list")
    assert (said.exit_code, said.err.splitlines()[0]) == (2, f"{address}: no URL.")


def test_a_file_that_cannot_be_written_is_named(env: Mapping[str, str], tmp_path: Path) -> None:
    said = odometer("directory", "export", str(tmp_path / "no" / "file"), env=env)
    assert (said.exit_code, said.out) == (2, "")
    assert f"{tmp_path}/no/file" in said.err
    assert "Check the files" in said.err


def test_without_a_region_a_command_says_how_to_set_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    said = odometer("verify")
    assert (said.exit_code, "AWS_DEFAULT_REGION" in said.err) == (2, True)


def test_an_endpoint_that_is_no_address_is_told(stack: Stack) -> None:
    with patch.dict("os.environ", AWS_ENDPOINT_URL="nonsense"):
        said = odometer("verify")
    assert (said.exit_code, said.err.splitlines()[0]) == (2, "Invalid endpoint: nonsense")


LOCAL_OUTPUTS = {
    "DirectoryTable": "directory",
    "UsageTable": "usage",
    "LogTable": "log",
    "ActivityTable": "activity",
    "SecretId": "odometer",
    "WorkQueue": "https://sqs.eu-west-1.amazonaws.com/123456789012/work.fifo",
}


@pytest.fixture
def checkout(stack: Stack, tmp_path: Path) -> Iterator[Path]:
    """A checkout whose local stack is this one, in a shell that knows of no deployment."""
    home = tmp_path / ".local"
    home.mkdir()
    record = LocalRecord("http://127.0.0.1:4566", 1, ADDRESS, LOCAL_OUTPUTS)
    (tmp_path / "docs").mkdir()
    aws = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "local"}
    with patch("local.stack.aws_environment", lambda _: aws):
        record.write(home)
    unset = {name: "" for name in ENVIRONMENT if not name.startswith("AWS_")}
    unset["ODOMETER_CONFIG"] = str(tmp_path / "config.toml")
    with (
        patch.dict("os.environ", {**unset, "AWS_PROFILE": "production"}),
        patch("odometer_cli.local_stack.is_listening", lambda *_: True),
        patch("odometer_cli.local_stack.LOOPBACK", LOOPBACK),
        chdir(tmp_path / "docs"),
    ):
        yield home


def test_inside_the_checkout_the_local_stack_is_meant_where_nothing_else_is_named(
    checkout: Path,
) -> None:
    said = odometer("organization", "list", "--json")
    assert [row["id"] for row in said.json["organizations"]] == [ACME, OTHER]
    assert said.err == f"This is the local stack of {checkout}.\n"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "local"
    assert "AWS_PROFILE" not in os.environ


def test_local_means_the_local_stack_and_says_no_more(stack: Stack, checkout: Path) -> None:
    said = odometer("--local", "verify")
    assert (said.exit_code, said.err) == (0, "")
    with patch.dict("os.environ", ENVIRONMENT), open_to_clients(stack):
        listed = odometer("--local", "--token", admin_of(stack, ACME), "keys", "list")
    assert (listed.exit_code, listed.err) == (0, "")


def test_the_home_of_a_local_stack_can_be_elsewhere(checkout: Path) -> None:
    elsewhere = checkout.rename(checkout.with_name("elsewhere"))
    assert odometer("--home", str(elsewhere), "verify").exit_code == 0
    assert odometer("verify", env={"ODOMETER_HOME": str(elsewhere)}).exit_code == 0
    assert odometer("verify").exit_code == 2


def test_a_deployment_that_is_named_is_never_replaced_by_the_local_stack(checkout: Path) -> None:
    partly = odometer("verify", env={"DIRECTORY_TABLE": "directory"})
    assert (partly.exit_code, "missing from the environment" in partly.err) == (2, True)
    api = odometer("--base-url", ADDRESS, "verify")
    assert (api.exit_code, "Which deployment?" in api.err) == (2, True)


@pytest.mark.parametrize("other", ["--stack", "--base-url"])
def test_local_and_another_deployment_are_refused(checkout: Path, other: str) -> None:
    said = odometer("--local", other, "https://odometer.example", "verify")
    assert (said.exit_code, said.err.splitlines()[0]) == (
        2,
        "--local and --stack or --url name two deployments.",
    )


def test_a_local_stack_that_does_not_run_is_said_to_be_down(checkout: Path) -> None:
    with patch("odometer_cli.local_stack.is_listening", lambda *_: False):
        said = odometer("verify")
    assert (said.exit_code, said.err.splitlines()) == (
        3,
        [
            f"The local stack of {checkout} is not running.",
            "Start it in the checkout: make up",
        ],
    )


@pytest.mark.parametrize("content", [None, "{}", "not JSON", "[]"])
def test_a_home_without_a_record_leads_to_make_up(checkout: Path, content: str | None) -> None:
    record = checkout / "stack.json"
    record.unlink() if content is None else record.write_text(content)
    said = odometer("--local", "verify")
    assert (said.exit_code, "make up" in said.err) == (2, True)
    assert "holds no record of a local stack" in said.err


@pytest.mark.parametrize("name", ["base_url", "endpoint"])
def test_a_record_of_another_machine_is_given_no_key(checkout: Path, name: str) -> None:
    record = checkout / "stack.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {name: "https://elsewhere.example"}))
    said = odometer("whoami")
    assert (said.exit_code, "speaks of another machine" in said.err) == (2, True)


def test_a_record_sets_nothing_but_where_aws_is(checkout: Path) -> None:
    record = checkout / "stack.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"aws": {"AWS_REGION": "here", "HTTPS_PROXY": "there"}}))
    with patch.dict("os.environ"):
        LocalStack.running(checkout).enter()
        assert (os.environ["AWS_REGION"], os.environ.get("HTTPS_PROXY")) == ("here", None)


OUTPUTS = {**LOCAL_OUTPUTS, "ApiUrl": ADDRESS}


class CloudFormation:
    """One deployed stack, as CloudFormation describes it."""

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803  its own name
        if StackName != "odometer-dev":
            error = {"Error": {"Code": "ValidationError", "Message": "does not exist"}}
            raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        return {"Stacks": [{"StackName": StackName, "Outputs": outputs}]}


@pytest.fixture
def _deployed() -> Iterator[None]:
    """AWS knows one stack."""
    real: Any = boto3.client

    def client(service: str, **options: Any) -> Any:
        return CloudFormation() if service == "cloudformation" else real(service, **options)

    with patch("boto3.client", client):
        yield


@pytest.mark.usefixtures("_deployed")
def test_a_stack_by_name_is_all_that_operators_and_clients_need(stack: Stack) -> None:
    nothing = {name: "" for name in ENVIRONMENT if not name.startswith("AWS_")}
    words = ("organization", "create", "--name", "N", "--admin-username", "a", "--json")
    with patch.dict("os.environ", nothing):
        made = odometer("--stack", "odometer-dev", *words).json
    with open_to_clients(stack):
        said = odometer("--stack", "odometer-dev", "--token", made["access_key"], "whoami")
    assert (said.exit_code, made["key_id"] in said.out) == (0, True)


@pytest.mark.usefixtures("_deployed")
def test_a_stack_that_is_not_deployed_is_named(stack: Stack) -> None:
    said = odometer("--stack", "nowhere", "organization", "key", ACME, "--admin-username", "a")
    assert (said.exit_code, said.err.splitlines()[0]) == (
        1,
        "not found: stack nowhere in eu-west-1",
    )


def test_the_version_is_that_of_the_package() -> None:
    assert odometer("--version").out == f"{__version__}\n"


def limits_of(*words: str) -> Said:
    return odometer("organization", "limits", "Acme Corp", *words)


def test_limits_of_an_organization_are_shown_set_and_taken_back(stack: Stack) -> None:
    none = {"requests": None, "read_units": None, "events": None, "key_percent": None}
    before = stack.directories.open(ACME).head
    assert limits_of("--json").json == {"organization": ACME, "limits": none}
    assert stack.directories.open(ACME).head == before, "who only looks changes nothing"
    limits_of("--requests", "500", "--key-percent", "100")
    own = {"requests": 500, "key_percent": 100, "events": 0}
    assert limits_of("--events", "0", "--json").json["limits"] == {**none, **own}
    assert stack.directories.open(ACME).limits == own
    assert stack.directories.open(OTHER).limits == {}
    assert "as the deployment says" in limits_of("--reset").out
    assert stack.directories.open(ACME).limits == {}


@pytest.mark.parametrize(
    "words", [("--requests", "-1"), ("--key-percent", "0"), ("--reset", "--events", "1")]
)
def test_limits_that_mean_nothing_are_refused(stack: Stack, words: tuple[str, ...]) -> None:
    assert limits_of(*words).exit_code == 2
    assert stack.directories.open(ACME).limits == {}
