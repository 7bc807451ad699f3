"""Fold: decide which accepted events count, new ones by the log's stream, others by a schedule."""

from collections.abc import Sequence
from datetime import datetime

from odometer.engine.store import Item
from odometer.services.engine import Engine
from odometer.triggers import on_log_stream


@on_log_stream
def handler(
    engine: Engine, organization: str, entries: Sequence[Item] | None, now: datetime
) -> None:
    if entries is None:
        engine.fold_outstanding(organization, now)
    else:
        engine.fold_new(organization, entries, now)
