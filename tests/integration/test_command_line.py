"""`odometer`, typed at a deployment in this process: what it says, and how it ends."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from odometer.access.policy import Scope
from odometer_cli import app
from tests.support.book import ACME
from tests.support.doorway import ADDRESS, open_to_clients
from tests.support.stack import ENVIRONMENT, OTHER, Stack, admin_of

NEW = "cc7cf840-9ca9-46a3-9778-9015d6580d52"


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def odometer(*words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Said:
    done = CliRunner().invoke(app, words, env=dict(env or {}), input=stdin, catch_exceptions=False)
    return Said(done.exit_code, done.stdout, done.stderr)


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
    organization = stack.tenancy.open(NEW)
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
    words = ("organization", "create", "--name", "N", "--admin-username", "a", "--json")
    ids = {odometer(*words).json["organization"] for _ in range(2)}
    assert len({UUID(each) for each in ids}) == 2


def test_the_access_key_is_printed_once_and_stored_nowhere(stack: Stack) -> None:
    said = create()
    (key,) = [word for word in said.out.split() if word.startswith("odo_")]
    assert said.out.count(key) == 1
    assert "odo_" not in said.err
    stored = stack.tenancy.table.client.scan(TableName=ENVIRONMENT["DIRECTORY_TABLE"])["Items"]
    assert key.rpartition("_")[2][:27] not in str(stored)


def test_an_organization_is_not_made_twice(stack: Stack) -> None:
    first = create("--json").json["access_key"]
    again = create()
    assert (again.exit_code, again.out) == (1, "")
    assert f"organization {NEW} exists" in again.err
    assert "odometer organization key" in again.err
    assert stack.get("/api/v1/organization", first).status == 200


def test_an_operator_lets_an_admin_in_again(stack: Stack) -> None:
    made = odometer("organization", "key", OTHER, "--admin-username", "back@example.com", "--json")
    assert stack.get("/api/v1/organization", made.json["access_key"]).json["name"] == "Other Corp"


def test_an_operator_makes_an_admin_of_a_user_and_keeps_the_user(stack: Stack) -> None:
    user = stack.user(ACME, username="kept@example.com", email="kept@example.com")
    odometer("organization", "key", ACME, "--admin-username", "kept@example.com")
    found = stack.tenancy.open(ACME).user_by_id(user)
    assert found
    assert (found.role, found.email) == ("Admin", "kept@example.com")


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
    assert stack.tenancy.table.get(NEW, "HEAD") is None


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
    (me,) = (user for user in stack.tenancy.open(ACME).users if user.role == "Admin")
    refused = odometer("directory", "erase", me.id, "--yes", env=env)
    assert (refused.exit_code, refused.err) == (
        1,
        "400: user_id: the last Admin; make somebody else one first\n",
    )
    words = ("organization", "key", ACME, "--admin-username", "next@example.com", "--json")
    token = odometer(*words).json["access_key"]
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


def test_keys_are_listed_without_their_secrets(env: Mapping[str, str]) -> None:
    (key,) = odometer("keys", "list", "--json", env=env).json["keys"]
    assert key["name"] == "test"
    said = odometer("keys", "list", env=env)
    _, row = said.out.splitlines()  # unbroken, for whoever reads it through a pipe
    assert row.startswith(key["key_id"])
    assert key["user"] in row
    assert " ".join(key["scopes"]) in row
    assert env["ODOMETER_TOKEN"] not in said.out


def test_a_key_that_cannot_be_made_says_why(env: Mapping[str, str]) -> None:
    words = ("keys", "create", "--name", "n", "--user", "nobody", "--scope", "usage:read")
    said = odometer(*words, env=env)
    assert (said.exit_code, said.out) == (1, "")
    assert said.err == "400: user: expected the id of a user\n"


# whose key


def test_whoami_tells_whose_key_it_is(stack: Stack, env: Mapping[str, str]) -> None:
    told = odometer("whoami", "--json", env=env).json
    owner = stack.tenancy.open(ACME).users[0]
    assert (told["organization"], told["user"], told["name"]) == (ACME, owner.id, "test")
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
        ["No access key was given.", "Set ODOMETER_TOKEN, or give --token."],
    )
    assert "ODOMETER_BASE_URL" in odometer("--token", "t", "keys", "list").err
    with patch.dict("os.environ", DIRECTORY_TABLE="", SECRET_ID=""):
        table = create()
    assert table.exit_code == 2
    assert "DIRECTORY_TABLE, SECRET_ID" in table.err
    assert "--stack" in table.err


@pytest.mark.parametrize("address", ["odometer.test", "file:///etc/passwd", "ftp://x"])
def test_a_base_url_is_http(stack: Stack, address: str) -> None:
    said = odometer("--base-url", address, "--token", "t", "keys", "list")
    assert (said.exit_code, said.err.splitlines()[0]) == (2, f"{address}: no URL.")


OUTPUTS = {
    "ApiUrl": ADDRESS,
    "DirectoryTable": "directory",
    "UsageTable": "usage",
    "LogTable": "log",
    "ActivityTable": "activity",
    "SecretId": "odometer",
}


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
    assert (said.exit_code, said.err.splitlines()[0]) == (1, "not found: stack nowhere")


def test_the_version_is_that_of_the_package() -> None:
    assert odometer("--version").out == "0.1.0\n"
