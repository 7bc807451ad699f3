"""Tables are restored from an older copy while processes are warm: they drop what fits no more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odometer.bootstrap import Process, Settings
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, Stack, admin_of, copy_of_tables, restore_tables
from tests.support.usage_sender import ago, fold, log_of, run, send, stream, usage_event

SPAN = f"from={ago(days=100)}&to={ago(days=-1)}"


class Sender:
    """One organization that sends events and asks how many tests were run."""

    def __init__(self, stack: Stack, organization: str) -> None:
        self.stack = stack
        self.organization = organization
        self.key = admin_of(stack, organization)

    def send(self, *names: str) -> None:
        """Send events, and let the stream tell the warm process of them."""
        answer = send(self.stack, self.key, [usage_event(name, subject=name) for name in names])
        assert answer.json["accepted"] == len(names)
        entry = log_of(self.stack, self.organization)[-1]
        assert fold(stream([entry])) == {"batchItemFailures": []}

    def send_past_the_warm_process(self, *names: str) -> None:
        """Send events that another process folds and settles, a moment after the restore."""
        send(self.stack, self.key, [usage_event(name, subject=name) for name in names])
        other, now = Process(Settings.from_env()).engine, datetime.now(UTC) + timedelta(minutes=1)
        other.fold_outstanding(self.organization, now)
        other.settle(self.organization, now)

    def explain(self, measure: str, **more: Any) -> Reply:
        """All that was used lately."""
        query = f"product=automation&measure={measure}&{SPAN}"
        others = "".join(f"&{name}={value}" for name, value in more.items())
        return self.stack.get(f"/v1/explain?{query}{others}", self.key)

    @property
    def tests(self) -> int:
        """How many tests were run."""
        answer = self.explain("tests")
        assert answer.status == 200, answer
        return int(answer.json["value"])


@pytest.fixture
def sender(stack: Stack) -> Sender:
    neighbour = Sender(stack, OTHER)
    neighbour.send("a", "b", "c")
    return Sender(stack, ACME)


def test_a_warm_process_forgets_folds_that_are_not_there_any_more(sender: Sender) -> None:
    sender.send("a")
    copy = copy_of_tables()
    sender.send("b")
    sender.send("c")
    restore_tables(copy)
    sender.send("d")
    assert sender.tests == 2
    sender.send("b")
    assert sender.tests == 3


def test_a_warm_process_forgets_folds_that_were_decided_otherwise(sender: Sender) -> None:
    copy = copy_of_tables()
    sender.send("a")
    run("fold")
    restore_tables(copy)
    Process(Settings.from_env()).engine.fold_outstanding(ACME, datetime.now(UTC))
    send(sender.stack, sender.key, [usage_event("b", subject="b")])
    Process(Settings.from_env()).engine.fold_outstanding(ACME, datetime.now(UTC))
    sender.send("b")
    assert sender.tests == 1
    sender.send("a")
    assert sender.tests == 2


def test_a_warm_process_forgets_what_was_settled_after_the_copy(sender: Sender) -> None:
    sender.send("a")
    run("settle")
    copy = copy_of_tables()
    sender.send("b")
    run("settle")
    sender.send("c")
    restore_tables(copy)
    sender.send_past_the_warm_process("d")
    sender.send_past_the_warm_process("e")
    sender.send("a", "d", "e")
    assert sender.tests == 3
    sender.send("b", "c")
    assert sender.tests == 5


@pytest.mark.parametrize("function", ["fold", "settle", "rebuild", "retire", "audit"])
def test_every_function_of_the_engine_goes_on_from_an_older_copy(
    sender: Sender, function: str
) -> None:
    sender.send("a")
    run("settle")
    sender.send("b")
    copy = copy_of_tables()
    sender.send("c")
    run("settle")
    sender.send("d")
    restore_tables(copy)
    run(function)
    sender.send("e")
    run(function)
    assert sender.tests == 3


def test_a_warm_reader_answers_from_the_restored_tables(sender: Sender) -> None:
    sender.send("a")
    copy = copy_of_tables()
    sender.stack.user(ACME, username="someone@example.com")
    sender.send("b")
    run("settle")
    assert sender.tests == 2
    restore_tables(copy)
    assert sender.tests == 1


@pytest.mark.parametrize("since", ["settled", "folded"])
@pytest.mark.parametrize("afterwards", ["used", "idle"])
def test_a_cursor_of_what_is_not_there_any_more_has_expired(
    sender: Sender, since: str, afterwards: str
) -> None:
    sender.send("a")
    run("settle")
    copy = copy_of_tables()
    sender.send("b")
    if since == "settled":
        run("settle")
    page = sender.explain("users", page_size=1).json
    assert page["value"] == 2
    restore_tables(copy)
    if afterwards == "used":
        sender.send_past_the_warm_process("c")
    following = sender.explain("users", page_size=1, cursor=page["next_cursor"])
    assert following.status == 400
    assert following.json["error"]["message"].endswith("Cursor expired")
