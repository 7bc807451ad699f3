"""Fold: decide which accepted events count, as the log's stream brings them."""

from collections.abc import Sequence
from datetime import datetime

from odometer.engine.store import Item
from odometer.services.work import Work
from odometer.triggers import on_log_stream


@on_log_stream
def handler(work: Work, organization: str, now: datetime, entries: Sequence[Item]) -> None:
    work.fold_new(organization, now, entries)
