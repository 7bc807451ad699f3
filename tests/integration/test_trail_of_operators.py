"""What operators do by the command line is in a trail: of the organization, or of all of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from odometer.bootstrap import process
from odometer.domain.acts import Act, Action, Actor
from odometer.storage.dynamo import Meter
from odometer.storage.trail import DEPLOYMENT, TOP, Entry, Trail
from tests.integration import test_restore
from tests.integration.test_restore import Rehearsal, lived_through
from tests.integration.test_trail import entries
from tests.support.control_plane import ControlPlane, control_plane, died_at
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.memory_directory import ACME, NOON
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Stack, admin_of, items_of
from tests.support.typed import odometer
from tests.support.usage_sender import run, send, usage_event

NEW = "cc7cf840-9ca9-46a3-9778-9015d6580d52"
rehearsal = test_restore.rehearsal


@pytest.fixture
def plane(stack: Stack) -> Iterator[ControlPlane]:
    with control_plane() as plane:
        yield plane


def entries_of(organization: str) -> list[Entry]:
    trails = process().trails(Meter())
    return list(trails.entries(organization, range(1, TOP), 1000, newest_first=False))


def acts(organization: str) -> list[tuple[str, dict[str, Any]]]:
    return [(each.action, dict(each.about.get("details", {}))) for each in entries_of(organization)]


def actions(organization: str) -> list[str]:
    return [each.action for each in entries_of(organization)]


def test_an_organization_begins_with_what_the_operator_made(stack: Stack) -> None:
    words = ("--name", "New", "--admin-username", "root@example.com", "--id", NEW)
    made = odometer("organization", "create", *words, "--json").json
    again = ("organization", "key", NEW, "--admin-username", "root@example.com", "--json")
    second = odometer(*again).json
    whole = entries(People(stack, NEW), made["access_key"])
    assert [(each["action"], each["key_id"], each["users"]) for each in whole] == [
        ("organization.made", None, []),
        ("directory.changed", None, [made["user_id"]]),
        ("key.made", made["key_id"], []),
        ("key.made", second["key_id"], []),
    ]
    nobody = {"kind": "operator", "key_id": None, "user": None}
    assert [each["actor"] for each in whole] == [nobody] * 4


def test_an_operator_is_known_by_the_aws_key_which_no_answer_shows(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    assert odometer("organization", "limits", ACME, "--requests", "5").exit_code == 0
    (entry,) = entries_of(ACME)
    assert entry.by == {"key_id": None, "user": None, "operator": "FOOBARKEY"}
    assert "FOOBARKEY" not in stack.get("/v1/audit", key).text


def test_limits_and_lanes_and_a_new_admin_are_told_and_what_changes_nothing_is_not(
    stack: Stack,
) -> None:
    people_of(stack, ACME)
    for _ in range(2):
        odometer("organization", "limits", ACME, "--requests", "5")
        odometer("organization", "lanes", ACME, "2")
    odometer("organization", "limits", ACME)
    who = ("--admin-username", "member@acme.example", "--grant-admin")
    assert odometer("organization", "key", ACME, *who).exit_code == 0
    assert acts(ACME) == [
        ("limits.changed", {"requests": 5}),
        ("lanes.raised", {"lanes": 2}),
        ("directory.changed", {"updated": {"user": 1}, "fields": ["role", "state"]}),
        ("key.made", {"scopes": entries_of(ACME)[3].about["details"]["scopes"]}),
    ]


def test_a_rebuild_is_told_with_what_is_made_again(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    assert odometer("rebuild", ACME).exit_code == 0
    assert acts(ACME) == [], "there is nothing to make again"
    assert send(stack, key, usage_event()).status == 202
    run("settle")
    assert odometer("rebuild", ACME).exit_code == 0
    assert acts(ACME) == [("rebuild.asked", {"scope": "*"})]


def test_a_new_version_of_the_secret_is_told_before_and_after(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer_cli.secret.PAUSE_SECONDS", 0)
    admin_of(stack, ACME)
    deaths = 0
    while died_at(deaths, lambda: odometer("secret", "rotate")):
        deaths += 1
        found = actions(DEPLOYMENT)
        assert found == ["secret.rotating"] * len(found)
        assert odometer("secret", "finish").exit_code == 0
        process.cache_clear()
    assert deaths > 2
    told = [(name, said["version"]) for name, said in acts(DEPLOYMENT)]
    versions = [version for name, version in told if name == "secret.rotated"]
    assert versions == sorted(set(versions))
    assert versions[-1] == process().secret.newest
    assert set(versions) == set(range(2, process().secret.newest + 1)), "each has its result, once"
    assert actions(ACME) == []


@pytest.mark.parametrize("command", ["pause", "open"])
def test_a_pause_and_its_end_are_told_once_wherever_their_run_died(
    plane: ControlPlane, command: str
) -> None:
    words, deaths = ("--stack", "odometer"), 0
    odometer(*words, "pause" if command == "open" else "open")
    while died_at(deaths, lambda: odometer(*words, command)):
        deaths += 7
        odometer(*words, command)
        odometer(*words, "pause" if command == "open" else "open")
    found = actions(DEPLOYMENT)
    assert len(found) > 2
    assert plane.resources
    assert found == [("deployment.paused", "deployment.opened")[at % 2] for at in range(len(found))]


def test_a_restore_is_told_once_to_all_and_to_each_wherever_it_died(rehearsal: Rehearsal) -> None:
    lived_through(rehearsal)
    before = entries_of(ACME)
    deaths = 0
    while died_at(deaths, lambda: rehearsal.restore("--directory")):
        deaths += 5
    assert deaths > 15
    told = [name for name in actions(DEPLOYMENT) if name.startswith("restore")]
    assert told == ["restore.begun", "restore.finished"]
    for organization in (ACME, OTHER):
        assert actions(organization).count("restore.finished") == 1
    assert entries_of(ACME)[: len(before)] == before, "the trail goes back to no instant"


def test_numbers_that_a_restored_directory_gives_to_others_name_nobody(stack: Stack) -> None:
    us = people_of(stack, ACME)
    admin = us.key("admin")
    us.stack.put(admin, {"users": [{"id": "late", "username": "late"}]})
    (entry,) = entries(us, admin)
    assert entry["users"] == ["late"]
    known = us.stack.directories.open(ACME).head.sizes["users"] - 1  # without the late one
    trail = Trail(process().trails(Meter()), ACME, Actor(NOON, operator="test"))
    trail.commit(Act(Action.RESTORE_FINISHED), *trail.forgetting(known))
    us.stack.put(admin, {"users": [{"id": "late", "username": "other"}]})
    assert [each["users"] for each in entries(us, admin)] == [[], [], ["late"]]
    assert entries(us, admin, "order=asc&actor=late") == []


def test_the_command_shows_what_the_api_says(stack: Stack) -> None:
    us = people_of(stack, ACME)
    with open_to_clients(stack):
        env = {"ODOMETER_BASE_URL": ADDRESS, "ODOMETER_TOKEN": us.key("admin")}
        made = odometer(
            "keys",
            "create",
            "--name",
            "x",
            "--user",
            us.id("member"),
            "--scope",
            "usage:read",
            "--json",
            env=env,
        ).json
        shown = odometer("trail", env=env).out
        assert "key.made" in shown
        assert made["key_id"] in shown
        assert us.id("admin") in shown
        assert odometer("trail", "--json", env=env).json["data"][0]["number"] == 1
        after = odometer("trail", "--after", "0", "--action", "key.made", "--json", env=env).json
        assert [each["number"] for each in after["data"]] == [1]
        assert odometer("trail", "--after", "1", "--json", env=env).json["data"] == []
        assert odometer("trail", "--of", "deployment", "--json", env=env).json["data"] == []
    assert items_of("activity")
