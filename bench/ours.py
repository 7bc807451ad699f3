"""Odometer, asked in two ways: the whole request, and the figures alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlencode

from bench.deployment import NOW, OF_APP, ONE_IN_DEPARTMENT, CountingDeployment, kind_of
from bench.question import PAGE, Engine, Page, Question, Row
from odometer.api.usage_report.family import BASE
from odometer.bootstrap import process
from odometer.domain.time import Period, epoch_second
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import Used, measure_each
from odometer.engine.read.views import View
from odometer.reports.apps import AppUsers, UserOrder
from odometer.reports.ranking import Direction, most_used_first
from odometer.storage.dynamo import Meter
from odometer.web.endpoint import Endpoint
from tests.support.apps import APP, SALES
from tests.support.memory_directory import ACME
from tests.support.stack import CONTEXT, proxy_event, routed

if TYPE_CHECKING:
    from odometer.directory.snapshot import Directory


class Called(NamedTuple):
    """A function as the gateway finds it, and what the gateway passes on to it."""

    function: Endpoint
    event: dict[str, Any]


def called(deployment: CountingDeployment, path: str) -> Called:
    event = proxy_event("GET", path, {"authorization": f"Bearer {deployment.key}"})
    endpoint, parameters = routed("GET", event["path"])
    return Called(at_now(endpoint), {**event, "pathParameters": parameters or None})


def at_now(endpoint: Endpoint) -> Endpoint:
    """A function whose clock stands still, which has found out what its handler needs."""
    function = replace(endpoint, clock=lambda: NOW)
    function.needs  # noqa: B018  a function finds this out once
    return function


def whole_request(deployment: CountingDeployment) -> Engine:
    """The function of the endpoint, as Lambda calls it; gateway and client are elsewhere."""

    def prepared(question: Question) -> Called:
        return called(deployment, path_of(question))

    return Engine("Odometer", answer_of, round_trips=0, prepared=prepared, page=page_of)


def answer_of(called: Called) -> dict[str, Any]:
    return called.function(called.event, CONTEXT)


def page_of(answer: Mapping[str, Any]) -> Page:
    said = json.loads(answer["body"])
    if "total_count" in said:
        return [timed(row) for row in said["data"]], said["total_count"]
    data = said["data"]
    return [tested(row) for row in data["users"]], data["metadata"]["totalUsers"]


def path_of(question: Question) -> str:
    if question.form.to_the_second:
        ends = {"from": question.start, "to": question.end - 1}
        clocks = {name: f"{clock(second):%Y-%m-%d %H:%M:%S}" for name, second in ends.items()}
        words = {"type": "account-user", "product": question.form.product, "limit": PAGE}
        return f"{BASE}/drilldown?{urlencode({**words, **clocks})}"
    first, last = question.days
    asked = {"granularity": "daily", "start_date": first, "end_date": last}
    asked |= {"compare": "previous_period"} if question.form.compared else {}
    asked |= {"department_ids": SALES} if question.form.departments else {}
    of_app = OF_APP.replace(APP, question.form.product)
    return f"{of_app}/utilization/users?{urlencode(asked)}"


def clock(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def timed(row: Any) -> Row:
    time_a_day = row["avg_time_ms_per_day"]
    return row["user"]["id"], time_a_day["value"], row["days_active"], time_a_day["compare_value"]


def tested(row: Any) -> Row:
    return row["id"], row["totalTestsRun"], row["totalDuration"], None


def figures_alone(deployment: CountingDeployment) -> Engine:
    """The same without a request: no caller to prove, no directory, no last activity.

    Readings of sealed weeks are remembered, as in a request; head and folds are read each time.
    """
    members = set(range(0, deployment.users, ONE_IN_DEPARTMENT))

    def ids_at(users: Sequence[int]) -> list[str]:
        return [deployment.ids[user] for user in users]

    directory = cast("Directory", SimpleNamespace(ids_at=ids_at))

    def ask(question: Question) -> Page:
        opened = View.latest(ACME, process().usage_store(Meter()), "UTC", epoch_second(NOW))
        view = replace(opened, memory=process().memory.of(ACME))
        product = MeteredProduct(question.form.product, kind_of(question.form.product))
        periods = [Period(clock(each.start), clock(each.stop)) for each in question.ranges]
        used, *before = measure_each(view, product, periods)
        among = used.among(members if question.form.departments else None)
        if question.form.to_the_second:
            return drilldown(used, among)
        users = AppUsers(used, before[0] if before else None, among)
        ranked = users.ranked(UserOrder.TIME, Direction.DESCENDING, directory)
        page = ranked.part(slice(PAGE))
        times = users.times(page)
        rows = zip(ids_at(page), map(used.days_active.__getitem__, page), strict=True)
        return [
            (id_, times[user].value, days, times[user].compare_value)
            for user, (id_, days) in zip(page, rows, strict=True)
        ], len(ranked)

    def drilldown(used: Used, among: Sequence[int]) -> Page:
        ranked = most_used_first(used, among, ids_at)
        page = ranked.part(slice(PAGE))
        tests, time = (used.values(column, page) for column in used.columns.values())
        none = [None] * len(page)
        return list(zip(ids_at(page), tests, time, none, strict=True)), len(ranked)

    return Engine("figures alone", ask, round_trips=0)
