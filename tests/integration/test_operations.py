"""`odometer import`, `verify`, `rebuild` and `redrive`, typed at a deployment in this process."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from typer.testing import CliRunner, Result

from odometer.bootstrap import process
from odometer.domain.time import epoch_ms, format_seconds, instant_at
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import read_folds
from odometer.engine.format.marks import Mark
from odometer.engine.write.steps import Progress
from odometer_cli import app, event_files, event_sending
from odometer_cli.backlog import bar
from odometer_cli.event_files import Format, lines_of
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.memory_directory import ACME
from tests.support.stack import ENVIRONMENT, OTHER, Stack, admin_of
from tests.support.storage_calls import Call, record_calls, throttled
from tests.support.usage_sender import ago, log_of, run, second_now, send, usage_event, used

Type = Callable[..., Result]


@pytest.fixture
def key(stack: Stack) -> str:
    return admin_of(stack, ACME)


@pytest.fixture
def odometer(stack: Stack, key: str) -> Iterator[Type]:
    """Type a command as an Admin of Acme who may also reach the tables."""
    env = {"ODOMETER_BASE_URL": ADDRESS, "ODOMETER_TOKEN": key}

    def typed(*words: object, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], env=env, input=stdin)

    with open_to_clients(stack):
        yield typed


def counts(**several: Any) -> dict[str, Any]:
    nothing = {"accepted": 0, "duplicate": 0, "rejected": 0, "skipped": 0, "errors": []}
    return {**nothing, **several}


def ids_in(stack: Stack) -> int:
    """How many events are durable, repeats included."""
    return sum(len(entry["digests"]) // 12 for entry in log_of(stack, ACME))


# import


def written(path: Path, *lines: Mapping[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def test_lines_are_sent_and_what_is_refused_is_named_by_its_line(
    stack: Stack, odometer: Type, tmp_path: Path
) -> None:
    lines: list[Any] = [usage_event("a"), "", usage_event("b", subject=None), usage_event("a")]
    done = odometer("import", written(tmp_path / "usage.ndjson", *lines), "--json")
    errors = ["line 3: missing_subject: subject: required"]
    assert (done.exit_code, json.loads(done.stdout)) == (
        1,
        counts(accepted=1, duplicate=1, rejected=1, errors=errors),
    )
    assert [path.name for path in tmp_path.iterdir()] == ["usage.ndjson"]


TABLE = """id,source,subject,time,product,tests,duration_ms,platform
a,ci,james,{time},automation,1,5321,
b,ci,"Jones, Ann",{time},automation,,7,
c,ci,james,{time},automation,1.5,,
d,ci,james,{time},automation,,,web
"""


def test_a_table_is_sent_a_row_an_event(stack: Stack, odometer: Type, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(TABLE.format(time=ago(hours=1)))
    done = odometer("import", file, "--json")
    errors = [
        "line 4: invalid_measure: tests: expected an integer from 0 to 1099511627776",
        "line 5: unknown_measure: platform: no measure of test; it has tests, duration_ms",
    ]
    assert (done.exit_code, json.loads(done.stdout)) == (
        1,
        counts(accepted=2, rejected=2, errors=errors),
    )
    run("fold")
    assert {user.username for user in stack.directories.open(ACME).users} >= {"james", "Jones, Ann"}


OWN = '''id,source,subject,time,product,data.pages,data.credits,data.format
a,ci,james,{time},editor,3,12.50,pdf
b,ci,james,{time},editor,,0.07,2024
d,ci,james,{time},editor,1,,"""2024"""
c,ci,james,{time},editor,1.5,,
'''


def test_a_table_has_measures_and_breakdowns_of_own_kinds(
    stack: Stack, odometer: Type, tmp_path: Path
) -> None:
    measures = [{"name": "pages"}, {"name": "credits", "decimals": 2}]
    stack.apply(ACME, "kind", {"name": "doc", "measures": measures, "breakdowns": ["format"]})
    stack.apply(ACME, "product", {"id": "editor", "name": "Editor", "kind": "doc"})
    file = tmp_path / "usage.csv"
    file.write_text(OWN.format(time=ago(hours=1)))
    done = odometer("import", file, "--json")
    assert json.loads(done.stdout) == counts(
        accepted=2,
        rejected=2,
        errors=[
            "line 3: invalid_breakdown: format: expected text without control characters",
            "line 5: too_many_decimals: pages: more than 0 decimals",
        ],
    )
    ((first, second),) = map(log_entries.events_of, log_of(stack, ACME))
    assert (first.measures, first.values) == ((3, 1250, 0, 0), ("pdf", ""))
    assert (second.measures, second.values) == ((1, 0, 0, 0), ("2024", ""))


def test_a_file_goes_in_parts_of_what_a_request_carries(tmp_path: Path) -> None:
    heavy = usage_event("heavy", comment="x" * 700_000)
    lines = [*(usage_event(f"{n}") for n in range(2500)), heavy, heavy]
    parts = list(
        event_sending.parts(lines_of(written(tmp_path / "usage.ndjson", *lines), Format.NDJSON))
    )
    assert [len(part.lines) for part in parts] == [1000, 1000, 501, 1]
    assert max(len(part.body) for part in parts) <= 2**20
    assert [part.number for part in parts] == [0, 1, 2, 3]


def test_a_run_goes_on_where_the_one_before_ended(
    stack: Stack, odometer: Type, tmp_path: Path
) -> None:
    file = written(tmp_path / "usage.ndjson", *(usage_event(f"{n}") for n in range(9)))
    with patch("odometer_cli.event_sending.MOST_EVENTS", 2), patch("time.sleep"):
        calls_made, failing = record_calls(), iter([False, False, True])
        calls_made.fail = lambda call: (
            throttled(call) if call == Call("PutItem", "log") and next(failing, True) else None
        )
        died = odometer("import", file, "--connections", 1)
        assert (died.exit_code, ids_in(stack)) == (3, 4)
        calls_made.fail = lambda _: None
        done = odometer("import", file, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, counts(accepted=5, skipped=4))
    assert ids_in(stack) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["usage.ndjson"]


def test_a_note_of_another_content_is_worth_nothing(
    stack: Stack, odometer: Type, tmp_path: Path
) -> None:
    file = written(tmp_path / "usage.ndjson", usage_event("a"))
    (tmp_path / "usage.ndjson.imported").write_text("0" * 64 + "\n0\n")
    done = odometer("import", file, "--json")
    assert json.loads(done.stdout) == counts(accepted=1)


def test_standard_input_is_a_file_too(stack: Stack, odometer: Type) -> None:
    lines = "".join(json.dumps(usage_event(name)) + "\n" for name in "ab")
    assert json.loads(odometer("import", "-", "--json", stdin=lines).stdout) == counts(accepted=2)
    table = "id,source,subject,time,product,tests\nc,ci,james,{time},automation,1\n"
    typed = odometer(
        "import", "-", "--format", "csv", "--json", stdin=table.format(time=ago(hours=1))
    )
    assert json.loads(typed.stdout) == counts(accepted=1)
    assert ids_in(stack) == 3


def test_a_byte_order_mark_is_no_part_of_a_line(odometer: Type) -> None:
    lines = "\ufeff" + json.dumps(usage_event("a"))
    assert json.loads(odometer("import", "-", "--json", stdin=lines).stdout) == counts(accepted=1)


def test_nothing_is_said_to_be_nothing(odometer: Type) -> None:
    done = odometer("import", "-", stdin="\n")
    assert (done.exit_code, done.stderr) == (0, "There are no events in it.\n")


def test_columns_may_be_called_as_events_call_them(
    stack: Stack, odometer: Type, tmp_path: Path
) -> None:
    heading = "\ufeffid,source,subject,time, data.product ,data.tests,specversion"
    file = tmp_path / "usage.csv"
    file.write_text(f"{heading}\na,ci,james,{ago(hours=1)},automation,7,1.0\n", encoding="utf-8")
    assert json.loads(odometer("import", file, "--json").stdout) == counts(accepted=1)
    run("fold")
    (fold,) = read_folds(ACME, process().engine.usage, (0,))
    assert [list(event.measures) for event in fold.events] == [[7, 0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "A column is missing: id, source, subject, time, product."),
        ("id;source;subject;time;product\n", "A column is missing: id, source, "),
        ("id,source,subject,time,product,comment\n", "A column is unknown: comment."),
        ("id,source,subject,time,product,tests,data.tests\n", "A column stands twice: tests."),
        ("id,source,subject,time,product\na,b,c,d,e,f\n", "line 2 has more cells than "),
        ('id,source,subject,time,product\n"a"b,c\n', "line 2 is not CSV: "),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_before_it_is_sent(
    stack: Stack, odometer: Type, tmp_path: Path, text: str, fault: str
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(text)
    done = odometer("import", file)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(fault)
    assert ids_in(stack) == 0


def test_the_columns_are_documented_where_they_are_asked_for(odometer: Type) -> None:
    found = " ".join(odometer("import", "--help").stdout.split())
    assert "id, source, subject, time, product" in found
    documented = Path("docs/command-line.md").read_text()
    for name in event_files.COLUMNS:
        assert f"`{name}`" in documented
    for name in event_files.MEASURES:
        assert name in found
    (required,) = [row for row in documented.splitlines() if "required" in row]
    assert re.findall(r"`(\w+)`", required) == list(event_files.REQUIRED)


def test_a_number_too_long_for_python_is_refused_and_not_a_traceback(
    stack: Stack, odometer: Type, tmp_path: Path
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(TABLE.format(time=ago(hours=1)).replace("5321", "9" * 5000))
    (error, *_) = json.loads(odometer("import", file, "--json").stdout)["errors"]
    assert error.startswith("line 2: invalid_measure: duration_ms: ")


def test_a_second_import_says_that_repeats_are_among_the_accepted(
    odometer: Type, tmp_path: Path
) -> None:
    file = written(tmp_path / "usage.ndjson", usage_event("a"))
    odometer("import", file)
    again = odometer("import", file)
    assert again.stdout.splitlines()[0].split() == ["accepted", "1"]
    assert again.stderr == (
        "Events sent before, if any, are among the accepted; each counts once in every report.\n"
    )


def test_a_file_of_which_every_event_was_rejected_is_a_failure(
    odometer: Type, tmp_path: Path
) -> None:
    lines = [usage_event(name, subject=None) for name in "ab"]
    done = odometer("import", written(tmp_path / "usage.ndjson", *lines))
    assert (done.exit_code, done.stdout.splitlines()[2].split()) == (1, ["rejected", "2"])
    assert done.stderr.splitlines()[-1] == (
        "Every event was rejected. Correct those lines and run this again: nothing counts twice."
    )
    one = odometer("import", written(tmp_path / "usage.ndjson", usage_event("c"), lines[0]))
    assert (one.exit_code, "\n1 of 2 were rejected." in one.stderr) == (1, True)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"id":', "line 2 is not JSON: Expecting value: column 7"),
        ("[1]", "line 2 is not an event: expected an object"),
        ('{"n":' + "[" * 100_000, "line 2 is not JSON: "),
        ("\x00{}", "line 2 is not JSON: "),
        ('{"x":"' + "x" * 2**20 + '"}', "line 2 is larger than a request may be: 1048576 bytes"),
    ],
)
def test_a_line_that_cannot_be_sent_is_named_with_what_is_wrong(
    odometer: Type, tmp_path: Path, line: str, fault: str
) -> None:
    done = odometer("import", written(tmp_path / "broken.ndjson", usage_event("a"), line))
    assert done.exit_code == 2
    assert done.stderr.startswith(fault)


@pytest.mark.parametrize("name", ["nowhere.ndjson", "nowhere.csv", "."])
def test_a_file_that_cannot_be_read_is_said_to_be(
    odometer: Type, tmp_path: Path, name: str
) -> None:
    done = odometer("import", tmp_path / name)
    assert (done.exit_code, f"{tmp_path / name} cannot be read" in done.stderr) == (2, True)


# verify and rebuild


@pytest.fixture
def settled(stack: Stack, key: str) -> None:
    """Sealed weeks of usage."""
    long_ago = datetime.now(UTC) - timedelta(days=30)
    process().engine.settle(ACME, long_ago)  # the head is born; from here on days are sealed
    send(stack, key, [usage_event(f"{day}", time=ago(days=day)) for day in range(1, 25)])
    run("fold")
    run("settle")
    run("settle")


def frame_of(day_prefix: str) -> Any:
    """A stored frame of automation."""
    year = datetime.now(UTC).year
    pk = keys.frames(ACME, "automation", year, 0, 0)
    found = process().table("usage").query(pk, day_prefix, "~")
    return next(found)


@pytest.mark.usefixtures("settled")
def test_frames_that_are_right_are_said_to_be(odometer: Type) -> None:
    assert frame_of("F")
    done = odometer("verify")
    found = json.loads(odometer("verify", "Acme Corp", "--json").stdout)
    frames = found["compared"]["frames"]
    compared = {"organizations": 1, "frames": frames, "unsettled_events": 0}
    assert found == {"compared": compared, "drifts": []}
    assert frames > 24  # a day each of automation, of the totals and of the people, and keyframes
    assert (done.exit_code, done.stdout) == (
        0,
        f"Compared {frames} frames of 2 organizations with the events: all agree.\n",
    )


def test_where_nothing_is_settled_verify_says_that_nothing_was_compared(odometer: Type) -> None:
    done = odometer("verify", OTHER)
    assert (done.exit_code, done.stdout) == (
        0,
        "Nothing to compare: no day of 1 organization is settled yet.\n",
    )


@pytest.mark.usefixtures("settled")
def test_a_frame_that_drifted_is_named_and_made_again(odometer: Type) -> None:
    frame = frame_of("F")
    table = process().table("usage")
    items: Any = table.query(frame["pk"], "F", "~")
    delta = next(item for item in items if "#1#" in item["sk"])
    table.delete(delta["pk"], delta["sk"])
    done = odometer("verify", ACME, "--json")
    drift = {
        "organization": ACME,
        "product": "automation",
        "shard": 0,
        "day": delta["sk"].split("#")[1],
        "what": "day",
    }
    assert done.exit_code == 1
    assert drift in json.loads(done.stdout)["drifts"]
    said = odometer("verify", ACME).stdout
    assert "differ. Make them again: odometer rebuild" in said
    assert odometer("rebuild", "Acme Corp").exit_code == 0
    assert odometer("verify", ACME).exit_code == 0


def test_half_a_scope_is_none(odometer: Type) -> None:
    done = odometer("rebuild", ACME, "--product", "automation")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (
        2,
        "--product and --year go together.",
    )


@pytest.mark.usefixtures("settled")
def test_a_year_of_a_product_is_made_again(odometer: Type) -> None:
    year = (datetime.now(UTC) - timedelta(days=1)).year
    words = ("rebuild", ACME, "--product", "automation", "--year", year)
    assert (odometer(*words).exit_code, odometer("verify", ACME).exit_code) == (0, 0)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("product", "year", "fault"),
    [
        ("nothing", 2026, "nothing is no product of this organization."),
        ("automation", 1999, "automation has no settled events in 1999."),
        ("automation", 3000, "automation has no settled events in 3000."),
        ("chat", 2026, "chat has no settled events in 2026."),
    ],
)
def test_an_unknown_product_or_year_is_refused(
    odometer: Type, product: str, year: int, fault: str
) -> None:
    done = odometer("rebuild", ACME, "--product", product, "--year", year)
    assert (done.exit_code, done.stdout, done.stderr.splitlines()[0]) == (2, "", fault)
    assert not list(process().table("usage").query(keys.rebuilds(ACME), keys.BOTTOM, keys.TOP))


def test_an_unknown_organization_is_not_found(odometer: Type) -> None:
    for command in ("verify", "rebuild", "redrive"):
        assert odometer(command, "cc7cf840-9ca9-46a3-9778-9015d6580d52").exit_code == 1


# redrive


@pytest.fixture
def parked(stack: Stack, key: str) -> Mapping[str, Any]:
    """An entry that was parked, and can be read by now; another waits in the log."""
    send(stack, key, [usage_event("a")])
    (entry,) = log_of(stack, ACME)
    process().table("log").delete(str(entry["pk"]), str(entry["sk"]))
    process().table("usage").put({**entry, "pk": keys.parked(ACME)})
    send(stack, key, [usage_event("b")])
    return entry


def folded() -> int:
    return sum(len(fold.events) for fold in read_folds(ACME, process().engine.usage, (0,)))


def test_redrive_folds_what_was_parked_and_what_waits(
    odometer: Type, parked: Mapping[str, Any]
) -> None:
    done = odometer("redrive", "--json")
    expected = [{"organization": ACME, "returned": 1, "unreadable": 0}]
    assert (done.exit_code, json.loads(done.stdout)) == (0, expected)
    assert folded() == 2


def test_redrive_says_what_still_cannot_be_read(odometer: Type, parked: Mapping[str, Any]) -> None:
    unreadable = {**parked, "pk": keys.parked(ACME), "sk": "0#0", "who": b"\x00"}
    process().table("usage").put(unreadable)
    done = odometer("redrive", ACME, "--json")
    expected = [{"organization": ACME, "returned": 1, "unreadable": 1}]
    assert (done.exit_code, json.loads(done.stdout)) == (1, expected)


def test_redrive_tries_again_at_once_what_has_failed(odometer: Type, key: str) -> None:
    usage = process().table("usage")
    later = second_now() + 3_000
    usage.put(Mark(ACME, 1, {"settle": later, "audit": later}, failures={"settle": 9}).to_item())
    assert odometer("redrive", ACME).exit_code == 0
    mark = process().work.marks.get(ACME)
    assert mark
    assert (mark.due["settle"] <= second_now(), mark.due["audit"], mark.failures) == (
        True,
        later,
        {},
    )


# backlog


def test_nobody_has_anything_to_do(odometer: Type) -> None:
    assert odometer("backlog").stdout == "Nobody has anything to do.\n"


def test_the_backlog_names_who_waits_longest_first(odometer: Type) -> None:
    usage, now = process().table("usage"), second_now()
    usage.put(Mark(ACME, now, {"settle": now - 10, "audit": now + 99}).to_item())
    usage.put(Mark(OTHER, now, {"fold": now - 500}, failures={"fold": 4}).to_item())
    first, second = json.loads(odometer("backlog", "--json").stdout)
    assert (first["organization"], first["due"], first["overdue"]) == (OTHER, ["fold"], True)
    assert (second["organization"], second["due"], second["overdue"]) == (ACME, ["settle"], False)
    assert (first["failures"], second["next"] is not None) == ({"fold": 4}, True)
    shown = odometer("backlog").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["organization", OTHER, ACME]
    assert "fold 4" in shown[1]


def test_the_backlog_of_one_says_what_waits_and_since_when(
    stack: Stack, odometer: Type, key: str
) -> None:
    send(stack, key, [usage_event("a"), usage_event("b")])
    before = json.loads(odometer("backlog", ACME, "--json").stdout)
    assert (before["batches_in_log"], before["events_unsettled"], before["due"]) == (0, 0, ["fold"])
    run("fold")
    found = json.loads(odometer("backlog", "Acme Corp", "--json").stdout)
    assert (found["events_unsettled"], found["plan_steps"]) == (2, {"done": 0, "of": 0})
    assert found["unsettled_since"] is not None
    assert "plan_steps        none on its way" in odometer("backlog", ACME).stdout
    run("settle")
    assert json.loads(odometer("backlog", ACME, "--json").stdout)["events_unsettled"] == 0


def test_the_backlog_of_one_says_since_when_the_log_and_the_audit_wait(
    stack: Stack, odometer: Type, key: str
) -> None:
    now = second_now()
    due = {"audit": now - 99_000, "settle": now + 99}
    process().table("usage").put(Mark(ACME, now, due).to_item())
    before = json.loads(odometer("backlog", ACME, "--json").stdout)
    assert before["due_since"] == {"audit": format_seconds(instant_at(now - 99_000))}
    assert (before["in_log_since"], before["audited_through"]) == (None, None)
    accepted = instant_at(now - 9 * 3_600)
    waits = log_entries.to_item(
        ACME, [used("ann", "automation", accepted, 1)], epoch_ms(accepted), "a"
    )
    process().table("log").put(waits)
    process().table("usage").put({"pk": keys.audit(ACME), "sk": "V", "upto": epoch_ms(accepted)})
    found = json.loads(odometer("backlog", ACME, "--json").stdout)
    since = format_seconds(accepted)
    assert (found["in_log_since"], found["audited_through"]) == (since, since)
    assert f"audit {before['due_since']['audit']}" in odometer("backlog", ACME).stdout


def test_a_bar_shows_how_far_it_is() -> None:
    assert bar(Progress(0, 0)) == "none on its way"
    assert bar(Progress(1, 4)) == "[#####...............] 1 of 4"
    assert bar(Progress(4, 4)) == "[####################] 4 of 4"


def test_redrive_clears_the_queue_of_what_is_folded(
    odometer: Type, parked: Mapping[str, Any]
) -> None:
    queues = boto3.client("sqs")
    url = queues.create_queue(QueueName="unfolded")["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="a record that the stream gave up on")
    outputs = {
        "UnfoldedQueue": url,
        "DirectoryTable": "directory",
        "UsageTable": "usage",
        "LogTable": "log",
        "ActivityTable": "activity",
        "SecretId": ENVIRONMENT["SECRET_ID"],
        "WorkQueue": ENVIRONMENT["WORK_QUEUE"],
    }
    with patch("odometer_cli.cloudformation.outputs_of", lambda _: outputs):
        assert odometer("--stack", "odometer", "redrive").exit_code == 0
    assert "Messages" not in queues.receive_message(QueueUrl=url)
    assert folded() == 2
