"""What was used, as tables for other engines: roll-ups of days, events, and users."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date
from typing import Any

import numpy as np
import polars as pl

from bench.deployment import A_DAY, CountingDeployment, in_department
from bench.peers import COLUMNS, Tables
from odometer.engine.calendar import first_second


def tables_of(
    deployment: CountingDeployment, days: Mapping[str, Collection[date]], complete: Collection[str]
) -> Tables:
    """Roll-ups of all days, and the events of some days, or of all days of some products."""
    numbers = {each.id: at for at, (each, _) in enumerate(deployment.products)}
    rolled_up, events = list[pl.DataFrame](), list[pl.DataFrame]()
    for name, at in numbers.items():
        used = deployment.usage[name].days
        rolled_up += [roll_up(at, day, of_day) for day, of_day in used.items()]
        wanted = {*days.get(name, ()), *(used if name in complete else ())}
        events += [events_of(deployment, name, at, day) for day in sorted(wanted)]
    frames = {
        "usage": pl.concat(rolled_up),
        "events": pl.concat(events),
        "users": users(deployment),
    }
    return Tables(frames, numbers, frozenset(complete))


def roll_up(product: int, day: date, used: Sequence[array[int]]) -> pl.DataFrame:
    tests, time = (np.frombuffer(column, dtype=np.uint32) for column in used)
    here = np.flatnonzero(tests)
    columns = (np.full(len(here), each) for each in (product, day.toordinal()))
    return frame("usage", (*columns, here, time[here], tests[here]))


def events_of(deployment: CountingDeployment, name: str, product: int, day: date) -> pl.DataFrame:
    midnight = first_second(day, UTC)
    uses = list(deployment.events(name, range(midnight, midnight + A_DAY)))
    columns = zip(
        *((product, at, user, time, tests) for at, user, tests, time in uses), strict=True
    )
    return frame("events", list(columns) or [()] * len(COLUMNS["events"]))


def users(deployment: CountingDeployment) -> pl.DataFrame:
    numbers = pl.Series(range(deployment.users), dtype=pl.Int32)
    here = [int(in_department(user)) for user in range(deployment.users)]
    return pl.DataFrame({"user_no": numbers, "id": deployment.ids, "here": here})


def frame(table: str, columns: Sequence[Any]) -> pl.DataFrame:
    named = zip(COLUMNS[table], columns, strict=True)
    return pl.DataFrame({name: pl.Series(values, dtype=pl.Int32) for name, values in named})
