"""Kinds of an organization's own: what makes one, what may change of it, and what never does."""

from typing import Any

import pytest

from odometer.api.v1.directory import SentRow
from odometer.api.v1.export import exported
from odometer.directory.columns import Row
from odometer.directory.kinds import MOST_KINDS, row_of
from odometer.directory.upsert import NOT_IN_USAGE_REPORT, DirectoryEdit, Outcome, Status
from odometer.domain.kinds import KINDS, Unit
from tests.support.memory_directory import NOON, MemoryDirectory

DOCUMENT: Row = {
    "name": "document",
    "label": "Documents",
    "days": "local",
    "measures": [
        {"name": "exports", "aggregate": "count"},
        {"name": "pages", "label": "Pages", "unit": "count"},
        {"name": "credits", "unit": "credits", "decimals": 2},
        {"name": "render_ms", "unit": "ms"},
    ],
    "ratios": [
        {"name": "pages_per_export", "of": "pages", "per": "exports"},
        {"name": "ms_per_day", "of": "render_ms", "per": "active_days"},
    ],
    "breakdowns": ["format"],
}
EXPORTED: Row = {
    **DOCUMENT,
    "measures": [
        {"name": "exports", "aggregate": "count", "unit": "count", "decimals": 0, "label": ""},
        {"name": "pages", "aggregate": "sum", "unit": "count", "decimals": 0, "label": "Pages"},
        {"name": "credits", "aggregate": "sum", "unit": "credits", "decimals": 2, "label": ""},
        {"name": "render_ms", "aggregate": "sum", "unit": "ms", "decimals": 0, "label": ""},
    ],
    "ratios": [{**ratio, "label": ""} for ratio in DOCUMENT["ratios"]],
    "values": {"format": 0},
}
REJECTED = Status.REJECTED


@pytest.fixture
def memory() -> MemoryDirectory:
    memory = MemoryDirectory()
    assert put(memory, DOCUMENT) == Outcome(Status.CREATED, "document")
    return memory


def put(memory: MemoryDirectory, row: Row, kind: str = "kind") -> Outcome:
    """Put a row as it is sent."""
    edit = DirectoryEdit(memory.directory, NOON)
    sent = SentRow.read(0, kind, row)
    if sent.faults:
        return Outcome.rejected(None, sent.all_faults(edit))
    outcome = edit.apply(kind, sent.row)
    memory.keep(edit)
    return outcome


def document(**changes: Any) -> Row:
    return {**DOCUMENT, **changes}


def with_measures(*more: Row) -> Row:
    return document(measures=[*DOCUMENT["measures"], *more])


def test_a_kind_is_exported_as_it_was_put_and_changes_nothing_when_it_is_put_again(
    memory: MemoryDirectory,
) -> None:
    found = [row for kind, row in exported(memory.directory) if kind == "kind"]
    assert found == [*map(row_of, KINDS.values()), EXPORTED]
    for row in (DOCUMENT, *found, {"name": "document"}, {"name": "document", "days": "local"}):
        assert put(memory, row).status is Status.UNCHANGED, row


def test_the_published_factors_are_ratios_of_the_built_in_kinds() -> None:
    ratios = {kind.name: [ratio.name for ratio in kind.ratios] for kind in KINDS.values()}
    assert {name: each for name, each in ratios.items() if each} == {
        "completion": ["automation_factor"],
        "chat": ["chat_consumption_rate"],
    }
    assert KINDS["completion"].ratios[0].divisors == ("chars_completed", "keystrokes")


def test_labels_may_change_and_all_else_grows(memory: MemoryDirectory) -> None:
    row = {
        "name": "document",
        "label": None,
        "measures": [
            {"name": "exports", "label": "Exports"},
            {"name": "pages", "label": None},
            {"name": "credits"},
            {"name": "render_ms"},
            {"name": "errors", "aggregate": "count"},
        ],
        "ratios": [*DOCUMENT["ratios"], {"name": "failed", "of": "errors", "per": "exports+pages"}],
        "breakdowns": ["format", "region"],
    }
    assert put(memory, row).status is Status.UPDATED
    kind = memory.directory.own_kinds["document"]
    assert (kind.label, kind.breakdowns, kind.local_days) == ("", ("format", "region"), True)
    assert kind.measures == ("exports", "pages", "credits", "render_ms", "errors")
    assert [measure.label for measure in kind.described] == ["Exports", "", "", "", ""]
    assert kind.described[2].decimals == 2


CHANGED: dict[str, tuple[Row, str]] = {
    "other days": (document(days="utc"), "days: is local and stays so"),
    "a measure less": (
        document(measures=DOCUMENT["measures"][:3]),
        "measures: render_ms is left out, and measures are only ever appended",
    ),
    "another order": (
        document(measures=DOCUMENT["measures"][::-1]),
        "measures.0.name: is exports and stays so",
    ),
    "another unit": (
        document(measures=[*DOCUMENT["measures"][:3], {"name": "render_ms", "unit": "seconds"}]),
        "measures.3.unit: is ms and stays so",
    ),
    "cleared decimals": (
        document(
            measures=[
                *DOCUMENT["measures"][:2],
                {"name": "credits", "decimals": None},
                {"name": "render_ms"},
            ]
        ),
        "measures.2.decimals: is 2 and stays so",
    ),
    "no ratios": (
        document(ratios=None),
        "ratios: pages_per_export is left out, and ratios are only ever appended",
    ),
    "another breakdown": (
        document(breakdowns=["region"]),
        "breakdowns.0.name: is format and stays so",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_is_there_stays_as_it_is(case: str, memory: MemoryDirectory) -> None:
    row, message = CHANGED[case]
    outcome = put(memory, row)
    assert (outcome.status, outcome.code) == (REJECTED, "conflict")
    assert outcome.message is not None
    assert outcome.message.startswith(message)
    assert memory.directory.own_kinds["document"].measures[-1] == "render_ms"


def kind(**changes: Any) -> Row:
    return {"name": "new", "measures": [{"name": "pages"}], **changes}


NAME = "expected a small letter, then up to 31 of small letters, digits"
A_MEASURE = "expected a measure of the kind: pages"
INVALID: dict[str, tuple[Row, str]] = {
    "no name": ({"measures": [{"name": "pages"}]}, "name: required"),
    "a name of capitals": (kind(name="New"), f"name: {NAME}, - and _"),
    "a name of 33 letters": (kind(name="n" * 33), f"name: {NAME}, - and _"),
    "a name that ends a line": (kind(name="new\n"), f"name: {NAME}, - and _"),
    "no measures": ({"name": "new"}, "measures: required"),
    "an empty list": (kind(measures=[]), "measures: expected an array of at least 1"),
    "measures cleared": (kind(measures=None), "measures: cannot be cleared"),
    "nine measures": (
        kind(measures=[{"name": f"m{number}"} for number in range(9)]),
        "measures: expected an array of at most 8",
    ),
    "a measure twice": (
        kind(measures=[{"name": "pages"}, {"name": "pages"}]),
        "measures.1.name: pages stands twice",
    ),
    "a hyphen in a measure": (kind(measures=[{"name": "a-b"}]), f"measures.0.name: {NAME} and _"),
    "a measure without a name": (kind(measures=[{"label": "Pages"}]), "measures.0.name: required"),
    "a gauge": (
        kind(measures=[{"name": "open", "aggregate": "max"}]),
        "measures.0.aggregate: expected one of sum, count",
    ),
    "another unit": (
        kind(measures=[{"name": "pages", "unit": "hours"}]),
        f"measures.0.unit: expected one of {', '.join(Unit)}",
    ),
    "seven decimals": (
        kind(measures=[{"name": "pages", "decimals": 7}]),
        "measures.0.decimals: expected an integer from 0 to 6",
    ),
    "true as decimals": (
        kind(measures=[{"name": "pages", "decimals": True}]),
        "measures.0.decimals: expected an integer from 0 to 6",
    ),
    "a count with decimals": (
        kind(measures=[{"name": "runs", "aggregate": "count", "decimals": 1}]),
        "measures.0.aggregate: a count is of events: its unit is count, and it has no decimals",
    ),
    "a ratio of nothing": (
        kind(ratios=[{"name": "each", "of": "runs", "per": "pages"}]),
        f"ratios.0.of: {A_MEASURE}",
    ),
    "a ratio per nothing": (
        kind(ratios=[{"name": "each", "of": "pages", "per": "pages+active_users"}]),
        f"ratios.0.per: {A_MEASURE}, active_users or active_days",
    ),
    "a ratio per a measure twice": (
        kind(ratios=[{"name": "each", "of": "pages", "per": "pages+pages"}]),
        f"ratios.0.per: {A_MEASURE}, active_users or active_days",
    ),
    "a ratio without a divisor": (
        kind(ratios=[{"name": "each", "of": "pages"}]),
        "ratios.0.per: required",
    ),
    "a ratio called as a measure": (
        kind(ratios=[{"name": "pages", "of": "pages", "per": "active_users"}]),
        "ratios.0.name: pages stands twice",
    ),
    "three breakdowns": (
        kind(breakdowns=["a", "b", "c"]),
        "breakdowns: expected an array of at most 2",
    ),
    "a field that nobody knows": (kind(gauges=[]), "gauges: unknown parameter"),
    **{
        f"a measure called {name}": (
            kind(measures=[{"name": name}]),
            f"measures.0.name: {name} means something else in events, queries or answers",
        )
        for name in ("active_users", "active_days", "product", "platform", "user", "from", "time")
    },
    "a breakdown called team": (
        kind(breakdowns=["team"]),
        "breakdowns.0.name: team means something else in events, queries or answers",
    ),
    "a breakdown called as the mark of the group of other values": (
        kind(breakdowns=["other"]),
        "breakdowns.0.name: other means something else in events, queries or answers",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_a_fault_names_its_field(case: str) -> None:
    row, message = INVALID[case]
    memory = MemoryDirectory()
    before = memory.head
    outcome = put(memory, row)
    assert (outcome.status, outcome.message) == (REJECTED, message)
    assert memory.head is before


def test_a_built_in_kind_is_put_as_it_is_or_not_at_all() -> None:
    memory = MemoryDirectory()
    before = memory.head
    for row in ({"name": "test"}, row_of(KINDS["test"])):
        assert put(memory, row) == Outcome(Status.UNCHANGED, "test")
    outcome = put(memory, {"name": "test", "label": "Mine"})
    assert outcome.message == "label: of a built-in kind stays as it is"
    outcome = put(memory, {"name": "chat", "measures": [{"name": "tokens"}]})
    assert outcome.message == "measures: of a built-in kind stays as it is"
    assert memory.head is before


def test_an_organization_has_at_most_64_kinds() -> None:
    memory = MemoryDirectory()
    rows = [("kind", kind(name=f"kind-{number}")) for number in range(MOST_KINDS)]
    assert {outcome.status for outcome in memory.put(*rows)} == {Status.CREATED}
    assert len(memory.directory.own_kinds) == MOST_KINDS
    one_more = put(memory, kind(name="kind-64"))
    assert one_more.message == "name: an organization has at most 64 kinds of its own"
    assert put(memory, kind(name="kind-0", label="The first")).status is Status.UPDATED


def test_a_product_is_of_a_kind_that_is_there(memory: MemoryDirectory) -> None:
    made = put(memory, {"name": "Editor", "kind": "document"}, "product")
    assert memory.directory.kinds[made.id or ""] == memory.directory.own_kinds["document"]
    words = "kind: expected one of test, visual, completion, chat, app, document"
    assert put(memory, {"name": "Wiki", "kind": "page"}, "product").message == words
    changed = put(memory, {"name": "Editor", "kind": "chat"}, "product")
    assert changed.message == "kind: is document and stays so"


@pytest.mark.parametrize(
    ("kind", "note"),
    [("test", NOT_IN_USAGE_REPORT), ("visual", NOT_IN_USAGE_REPORT), ("chat", None)],
)
def test_a_product_that_the_usage_report_cannot_show_says_so(kind: str, note: str | None) -> None:
    memory, row = MemoryDirectory(), {"id": "own", "name": "Own", "kind": kind}
    assert put(memory, row, "product") == Outcome(Status.CREATED, "own", note=note)
    assert put(memory, row, "product") == Outcome(Status.UNCHANGED, "own", note=note)
    mine = {"id": "smartui", "name": "Smart UI", "kind": "visual"}
    assert put(memory, mine, "product") == Outcome(Status.CREATED, "smartui")


def test_a_directory_without_own_kinds_says_nothing_of_them() -> None:
    memory = MemoryDirectory()
    memory.put(("team", {"name": "Core"}))
    assert "kinds" not in memory.head.sizes


def test_a_kind_of_another_version_is_as_it_was_then(memory: MemoryDirectory) -> None:
    then = memory.directory
    put(memory, with_measures({"name": "errors"}))
    assert len(then.own_kinds["document"].measures) == 4
    assert len(memory.directory.own_kinds["document"].measures) == 5
