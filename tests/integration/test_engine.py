"""The functions of the engine: fold, settle, rebuild and audit every organization."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from odometer.bootstrap import process
from odometer.domain.errors import Unavailable
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, epoch_ms
from odometer.engine.format.decisions import ALL, Fold
from odometer.engine.format.marks import SETTLE
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import measure
from odometer.engine.read.views import View
from odometer.services.engine import Engine
from odometer.storage.dynamo import Meter
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, copy_of_tables, restore_tables
from tests.support.storage_calls import (
    Answer,
    Call,
    StorageCalls,
    record_calls,
    throttled,
    timed_out,
)
from tests.support.usage_sender import (
    ago,
    fold,
    log_of,
    make_queue,
    message,
    organizations_in,
    run,
    send,
    stream,
    usage_event,
    work,
)
from tools.emf import lines_in

AUTOMATION = MeteredProduct("automation", KINDS["test"])
NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def keys(stack: Stack) -> dict[str, str]:
    """A sender's key by organization."""
    return {name: admin_of(stack, name) for name in (ACME, OTHER)}


def total_of(organization: str) -> int:
    """What every report says of a product, settled or not."""
    now = datetime.now(UTC)
    view = View.latest(organization, process().usage_store(Meter()), "UTC", int(now.timestamp()))
    period = Period(now - timedelta(days=700), now + timedelta(days=1))
    return measure(view, AUTOMATION, period).totals["tests"]


def test_accepted_usage_shows_once_it_is_rung_and_rings_no_second_time(
    stack: Stack, keys: dict[str, str]
) -> None:
    send(stack, keys[ACME], [usage_event("a"), usage_event("b")])
    assert total_of(ACME) == 0
    event = stream(log_of(stack, ACME))
    assert [fold(event), fold(event)] == [NOTHING_FAILED] * 2
    assert (total_of(ACME), total_of(OTHER)) == (2, 0)


def test_what_no_bell_has_brought_the_schedule_brings(stack: Stack, keys: dict[str, str]) -> None:
    for key in keys.values():
        send(stack, key, [usage_event("a")])
    assert run("fold") == {}
    assert (total_of(ACME), total_of(OTHER)) == (1, 1)


def test_usage_is_the_same_settled_rebuilt_and_with_what_comes_late(
    stack: Stack, keys: dict[str, str]
) -> None:
    """Accept, fold, settle and rebuild events through the functions alone."""
    days = [usage_event(f"{day}", time=ago(days=day)) for day in range(0, 40, 3)]
    send(stack, keys[ACME], days)
    fold(stream(log_of(stack, ACME)))
    assert total_of(ACME) == len(days)
    assert run("settle") == {}
    assert total_of(ACME) == len(days)
    send(stack, keys[ACME], [usage_event("late", time=ago(days=20)), days[3]])
    run("fold")
    assert total_of(ACME) == len(days) + 1
    run("settle")
    assert total_of(ACME) == len(days) + 1
    process().engine.rebuilding.request(ACME, ALL, "UTC")
    while process().engine.rebuild(ACME, datetime.now(UTC)):
        pass
    assert run("rebuild") == {}
    assert total_of(ACME) == len(days) + 1


def test_a_long_tail_asks_for_a_settle_once_a_minute(stack: Stack, keys: dict[str, str]) -> None:
    queues = make_queue()
    with patch("odometer.services.engine.LONGEST_TAIL", 2):
        for name in ("ab", "c"):
            send(stack, keys[ACME], [usage_event(letter) for letter in name])
            fold(stream(log_of(stack, ACME)))
    assert organizations_in(queues) == [ACME]
    process().work.marks.change(ACME, lambda mark: replace(mark, due={SETTLE: 0}))
    assert work(message(ACME)) == NOTHING_FAILED
    view = View.latest(ACME, process().usage_store(Meter()), "UTC", 0)
    assert (view.head.plan, view.unsettled, total_of(ACME)) == (1, [], 3)


def test_an_unknown_subject_is_a_user_from_then_on(stack: Stack, keys: dict[str, str]) -> None:
    send(stack, keys[ACME], [usage_event("a"), usage_event("b", subject="build-7")])
    run("fold")
    rows = [
        json.loads(line) for line in stack.get("/v1/directory/export", keys[ACME]).text.splitlines()
    ]
    users = {row["username"]: row for row in rows if row["kind"] == "user"}
    email = "james.wilson@example.com"
    shown = {"kind": "user", "type": "account-user", "role": "Member", "state": "registered"}
    for subject, address in ((email, email), ("build-7", None)):
        expected = {**shown, "username": subject, "user_key": subject, "email": address}
        assert users[subject].items() >= expected.items()
    listed = stack.get(
        "/api/v1/organization/users?offset=0&limit=10&teamMember=false&active=true", keys[ACME]
    )
    assert "build-7" in listed.text


def test_a_failing_organization_holds_up_no_other_and_is_sent_again_from_its_first_record(
    stack: Stack, keys: dict[str, str]
) -> None:
    for name in ("a", "b"):
        for key in keys.values():
            send(stack, key, [usage_event(name)])
    acme, other = log_of(stack, ACME), log_of(stack, OTHER)
    event = stream([other[0], acme[0], other[1], acme[1]])
    with failing_for(ACME):
        assert fold(event) == {"batchItemFailures": [{"itemIdentifier": "200"}]}
    assert (total_of(ACME), total_of(OTHER)) == (0, 2)
    assert fold({"Records": event["Records"][1:]}) == NOTHING_FAILED
    assert (total_of(ACME), total_of(OTHER)) == (2, 2)


def failing_for(organization: str) -> Any:
    """Storage has lost the directory of an organization."""
    whole = Engine.fold_new

    def fold_new(self: Engine, name: str, *arguments: Any) -> None:
        if name == organization:
            raise RuntimeError(name)
        whole(self, name, *arguments)

    return patch.object(Engine, "fold_new", fold_new)


@pytest.mark.parametrize(
    "place", [Call("PutItem", "usage"), Call("Query", "log"), Call("Query", "usage")]
)
def test_a_throttled_fold_loses_nothing(stack: Stack, place: Call) -> None:
    calls_made = record_calls()
    key = admin_of(stack, ACME)
    send(stack, key, [usage_event("a")])
    calls_made.fail = lambda call: throttled(call) if call == place else None
    with pytest.raises(RuntimeError):
        run("fold")
    calls_made.fail = lambda _: None
    assert total_of(ACME) == 0
    assert (run("fold"), total_of(ACME)) == ({}, 1)


def poisoned(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A log entry that nobody can read."""
    return {**entry, "who": b"\x00", "sk": entry["sk"] + "0"}


def parked_in(organization: str) -> list[str]:
    """The sort keys of the entries that are parked."""
    found = process().table("usage").query(f"{organization}#X", " ", "~")
    return [str(entry["sk"]) for entry in found]


def test_an_entry_that_cannot_be_decoded_is_parked_and_passed_over(
    stack: Stack, keys: dict[str, str]
) -> None:
    send(stack, keys[ACME], [usage_event("a")])
    (entry,) = log_of(stack, ACME)
    process().table("log").put(poisoned(entry))
    assert fold(stream([poisoned(entry), entry])) == NOTHING_FAILED
    assert (run("fold"), total_of(ACME)) == ({}, 1)
    assert parked_in(ACME) == [poisoned(entry)["sk"]]
    assert process().engine.parked(ACME) == 1
    assert process().engine.parked(OTHER) == 0


def test_a_record_that_is_no_entry_fails_its_batch_so_that_the_stream_finds_it(
    stack: Stack, keys: dict[str, str]
) -> None:
    del stack, keys
    with pytest.raises(KeyError):
        fold({"Records": [{"dynamodb": {"SequenceNumber": "1"}}]})


def test_redrive_puts_back_what_can_be_read_by_now(stack: Stack, keys: dict[str, str]) -> None:
    send(stack, keys[ACME], [usage_event("a")])
    (entry,) = log_of(stack, ACME)
    process().table("log").delete(entry["pk"], entry["sk"])
    usage = process().table("usage")
    mended = {**entry, "pk": f"{ACME}#X"}
    for item in (mended, poisoned(mended)):
        usage.put({name: value for name, value in item.items() if name != "ttl"})
    now = datetime.now(UTC)
    assert process().engine.redrive(ACME, now) == (1, 1)
    assert process().engine.redrive(ACME, now) == (0, 1)
    (returned,) = log_of(stack, ACME)
    assert returned["ttl"] > now.timestamp() + 34 * 86_400
    assert (run("fold"), total_of(ACME)) == ({}, 1)
    assert parked_in(ACME) == [poisoned(entry)["sk"]]


def audits_in(printed: str) -> list[dict[str, Any]]:
    """What audits have counted for CloudWatch."""
    names = ("missed", "parked", "service")
    audits = [line for line in lines_in(printed) if line.get("task") == "audit"]
    return [{name: line[name] for name in names} for line in audits]


def quiet(count: int) -> list[dict[str, Any]]:
    return [{"missed": 0, "parked": 0, "service": "odometer-dev"}] * count


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Audit everyone, and answer the metrics."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "odometer-dev")

    def run_audit() -> list[dict[str, Any]]:
        capsys.readouterr()
        assert run("audit") == {}
        return audits_in(capsys.readouterr().out)

    return run_audit


def test_an_audit_finds_nothing_where_all_is_well(
    stack: Stack, keys: dict[str, str], audit: Any
) -> None:
    send(stack, keys[ACME], [usage_event("a")])
    run("fold")
    assert (audit(), total_of(ACME)) == (quiet(2), 1)


def test_an_audit_does_not_take_for_missed_what_has_only_just_come(
    stack: Stack, keys: dict[str, str], audit: Any
) -> None:
    watermark = epoch_ms(datetime.now(UTC) - timedelta(minutes=2))
    process().engine.usage.put(Fold(1, (), watermark).to_item(ACME, 2**31))
    send(stack, keys[ACME], [usage_event("a")])
    assert (audit(), total_of(ACME)) == (quiet(2), 0)


def test_an_audit_brings_what_was_missed_and_sounds_the_alarm(
    stack: Stack, keys: dict[str, str], audit: Any
) -> None:
    """An entry that appears behind the watermark, against all that is promised of it."""
    send(stack, keys[ACME], [usage_event("a"), usage_event("b")])
    (entry,) = log_of(stack, ACME)
    log = process().table("log")
    log.delete(entry["pk"], entry["sk"])
    later = datetime.now(UTC) + timedelta(hours=1)
    send(stack, keys[ACME], [usage_event("c")])
    process().engine.fold_outstanding(ACME, later)
    long_ago = int(str(entry["sk"])[:13]) - 3 * 3_600_000
    log.put({**entry, "sk": f"{long_ago}#late"})
    process().engine.fold_outstanding(ACME, later + timedelta(minutes=1))
    assert total_of(ACME) == 1
    (missed,) = [metrics for metrics in audit() if metrics["missed"]]
    assert missed == {"missed": 2, "parked": 0, "service": "odometer-dev"}
    assert (total_of(ACME), audit()) == (3, quiet(2))


def test_an_audit_counts_what_lies_parked(stack: Stack, keys: dict[str, str], audit: Any) -> None:
    send(stack, keys[ACME], [usage_event("a")])
    (entry,) = log_of(stack, ACME)
    process().table("usage").put(poisoned({**entry, "pk": f"{ACME}#X"}))
    assert {"missed": 0, "parked": 1, "service": "odometer-dev"} in audit()


def fold_all(stack: Stack) -> None:
    """Fold new entries and settle a long tail, then fold what is outstanding, twice."""
    with patch("odometer.services.engine.LONGEST_TAIL", 0):
        for entry in log_of(stack, ACME):
            fold(stream([entry]))
    run("fold")


def settle_all(stack: Stack) -> None:
    run("settle")


def rebuild_all(stack: Stack) -> None:
    run("rebuild")


def prepared_for(stack: Stack, function: str) -> str:
    """What leaves a function nothing that it could do undone."""
    key = admin_of(stack, ACME)
    stack.apply(ACME, "product", {"name": "Notes", "kind": "app"})
    for name in ("a", "b", "c"):
        send(stack, key, [usage_event(name, subject=name)])
    if function in ("settle", "rebuild"):
        run("fold")
    if function == "rebuild":
        run("settle")
        process().engine.rebuilding.request(ACME, ALL, "UTC")
    if function == "audit":  # a batch was missed, from somebody whom nobody knew
        entry: Any = log_of(stack, ACME)[0]
        an_hour_ago = int(entry["sk"][:13]) - 3_600_000
        process().table("log").put({**entry, "sk": f"{an_hour_ago}#0"})
        process().engine.usage.put(Fold(1, (), epoch_ms(datetime.now(UTC))).to_item(ACME, 2**31))
    return key


FAULTS = {"throttled": throttled, "timed out": timed_out}
WORK = {"fold": fold_all, "settle": settle_all, "rebuild": rebuild_all}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("function", WORK)
def test_a_fault_at_any_call_changes_no_figure_and_the_next_turn_mends_it(
    stack: Stack, function: str, fault: str
) -> None:
    prepared_for(stack, function)
    calls_made = record_calls()
    before, places = total_of(ACME), calls_of(stack, function, calls_made)
    assert len(places) >= 4
    for place in places:
        as_a_new_process()
        calls_made.fail = partial(failing, place, FAULTS[fault])
        with suppress(RuntimeError, Unavailable):
            WORK[function](stack)
        calls_made.fail = lambda _: None
        assert total_of(ACME) in {before, 3}
    as_a_new_process()
    WORK[function](stack)
    assert total_of(ACME) == 3


def failing(place: Call, fault: Callable[[Call], Answer], call: Call) -> Answer | None:
    return fault(call) if call == place else None


def as_a_new_process() -> None:
    process.cache_clear()


def calls_of(stack: Stack, function: str, calls_made: StorageCalls) -> list[Call]:
    """Every call that a function makes, and the tables as they were before."""
    before = copy_of_tables()
    as_a_new_process()
    WORK[function](stack)
    calls = list(dict.fromkeys(calls_made.calls))
    restore_tables(before)
    return calls
