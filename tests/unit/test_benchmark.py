"""What the benchmark stores and asks is what the engine would store, and what was used."""

from __future__ import annotations

from datetime import UTC, date

from bench import goals
from bench.daily_usage import END, FIRST, PRODUCT, DailyUsage
from bench.frame_items import by_shard, frame_items
from bench.publish import DOCUMENT
from bench.question import FORMS, LENGTHS, Engine, Page, Question, parts, questions
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.store import KeyRange
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.settle import put_segments
from odometer_cli.prices import INVOCATION
from tests.support.memory_store import MemoryStore
from tools.billing import dollars

WEEKS = calendar.days(FIRST, FIRST + 21 * DAY)
USERS = 40


def test_the_benchmark_stores_the_frames_that_the_engine_writes() -> None:
    usage, engine = DailyUsage(USERS), MemoryStore(lambda: 2**31)
    for day in WEEKS:
        put_segments("acme", engine, 1, PRODUCT, usage.events(day))
    writer = FrameWriter("acme", engine, PRODUCT, UTC, lambda _: 0, 1)
    for step in writer.steps_of_sealing(FIRST, WEEKS[-1] + DAY, 1):
        step.do()
    days = ((day, by_shard(usage.days[day])) for day in WEEKS)
    stored = sorted(frame_items("acme", PRODUCT, days), key=lambda item: item["sk"])
    assert [stored] == engine.read([KeyRange(stored[0]["pk"], keys.BOTTOM, keys.TOP)])
    assert sum(keys.is_keyframe(item["sk"]) for item in stored) == 3


def test_the_events_of_a_day_add_up_to_the_day() -> None:
    usage, day = DailyUsage(USERS), date(2025, 3, 12)
    sums = [[0] * USERS for _ in range(2)]
    events = usage.events(day)
    for at, who in enumerate(events.who):
        for column, measure in zip(sums, events.measures, strict=True):
            column[who] += measure[at]
    assert sums == [list(column) for column in usage.days[day]]
    assert list(events.seconds) == sorted(events.seconds)


def test_a_product_that_few_use_is_used_by_others_and_by_fewer() -> None:
    dense, sparse = DailyUsage(1_000), DailyUsage(1_000, share=0.03, seed=1)
    day = date(2025, 3, 12)
    here, there = (sum(map(bool, each.days[day].tests)) for each in (dense, sparse))
    assert 0 < there < here / 10


def test_ranges_begin_anywhere_and_every_turn_asks_about_other_days() -> None:
    asked = questions(FORMS[0], 28, 7)
    assert len({each.start for each in asked}) == 7
    assert len({each.days[0].weekday() for each in asked}) > 2
    for form in FORMS:
        for length in form.lengths:
            for each in questions(form, length, 7):
                assert all(parts(some).days[0] >= FIRST for some in each.ranges)
                assert each.days[1] <= END
    assert LENGTHS == (1, 28, 90, 366)


def test_what_is_asked_again_are_the_same_days_which_have_been_asked_for_before() -> None:
    heard: list[Question] = []

    def hear(question: Question) -> Page:
        heard.append(question)
        return [], 0

    new, again = (next(f for f in FORMS if f.words.endswith(end)) for end in ("days", "again"))
    asked = questions(again, 28, 7)
    assert [each.days for each in asked] == [each.days for each in questions(new, 28, 7)]
    for question in (*questions(new, 28, 1), *asked):
        Engine("one that listens", hear).ask_before(question)
    assert heard == asked


def test_whole_days_that_are_over_come_from_roll_ups_and_today_from_events() -> None:
    midnight = calendar.first_second(END, UTC)
    (first, end), edges = parts(range(midnight - 86_400, midnight + 3_600))
    assert (first, end) == (END - DAY, END)
    assert edges == [range(midnight, midnight + 3_600)]
    (first, end), edges = parts(range(midnight - 90_000, midnight - 10))
    assert first == end
    assert sum(map(len, edges)) == 90_000 - 10


def test_a_request_that_reads_and_computes_nothing_costs_its_invocation() -> None:
    assert dollars(0, 0, 0) == INVOCATION(1)
    assert dollars(100, 2, 10) > dollars(50, 2, 10) > dollars(50, 1, 5)


def test_the_goals_stand_beside_the_figures_that_are_published() -> None:
    document = DOCUMENT.read_text()
    assert f"<!-- bench goals -->\n\n{goals.table(document)}\n\n<!-- end" in document


def test_what_was_not_measured_is_no_figure_and_what_is_as_much_as_the_goal_meets_it() -> None:
    head = "<!-- bench compare -->\n**10,000 users**\n| asked | days | Odometer | DuckDB |\n"
    rows = "".join(
        f"| whole days | {days} | {ours} ±0.5 (1.0) | {duckdb} ±0.1 (0.9) |\n"
        for days, ours, duckdb in ((28, "7.2", "6.0"), (90, "9.1", "7.0"), (366, "10.0", "1,000.0"))
    )
    rows += "| whole days, asked again | 366 | 5.0 ±0.5 (1.0) | 14.0 ±0.1 (2.8) |\n"
    text = f"{head}| --- | ---: | ---: | ---: |\n{rows}<!-- end of bench compare -->"
    found = {row["what"]: [row["now"], row["met?"]] for row in goals.rows_of(goals.table(text))}
    assert list(found.values()) == [
        ["10 / 5", "yes"],
        ["1.2 / 1.3 / 0.01", "in part"],
        *[[goals.NOT_MEASURED, ""]] * 6,
    ]
