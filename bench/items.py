"""What most teams build: a DynamoDB table with an item for each user and day."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from bench.deployment import CountingDeployment
from bench.question import Engine, Page, Question, Row, averaged, page_of, parts
from odometer.engine import calendar
from odometer.storage.dynamo import Meter, Table, Value
from tests.support.apps import APP
from tests.support.memory_directory import ACME
from tests.support.stack import create_tables

MOST_ITEMS = 500_000
"""More take longer to load, and to read, than anybody would wait."""
LOADERS, BATCH = 4, 500


def items_of_days(deployment: CountingDeployment, questions: Iterable[Question]) -> Engine:
    """The table on the engine that we are on, with the days of as many questions as it may hold."""
    used = deployment.usage[APP]
    held = set[date]()
    for question in questions:
        wanted = held.union(calendar.days(*parts(question.seconds).days))
        if sum(len(used.days[day].tests) - used.days[day].tests.count(0) for day in wanted) <= (
            MOST_ITEMS
        ):
            held = wanted
    create_tables(deployment.client, ["items"])
    table = Table("items", Meter(), deployment.client)
    items: list[dict[str, Value]] = [
        {"pk": ACME, "sk": f"{day}#{user:06}", "active_ms": active_ms}
        for day in sorted(held)
        for user, active_ms in enumerate(used.days[day].duration_ms)
        if active_ms
    ]
    with ThreadPoolExecutor(LOADERS) as loaders:
        cuts = range(0, len(items), BATCH)
        list(loaders.map(lambda at: table.put_all(items[at : at + BATCH]), cuts))

    def can(question: Question) -> bool:
        (first, end), _ = parts(question.seconds)
        is_mine = question.form.is_plain and question.form.product == APP
        return is_mine and held.issuperset(calendar.days(first, end))

    def ask(question: Question) -> Page:
        sums, counts = [0] * deployment.users, [0] * deployment.users
        first, last = question.days
        for item in table.query(ACME, f"{first}#", f"{last}#~"):
            user = int(str(item["sk"])[11:])
            sums[user] += int(str(item["active_ms"]))
            counts[user] += 1
        figures = averaged(sums, counts).items()
        rows: list[Row] = [(deployment.ids[user], *each, None) for user, each in figures]
        return page_of(rows, 1)

    return Engine("an item per user and day", ask, can, round_trips=0)
