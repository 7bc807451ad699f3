"""PUT /v1/directory: create and change members of the organization, row by row, all at once."""

from datetime import datetime

from odometer.access.policy import WRITE_DIRECTORY, Caller
from odometer.api.v1.directory import RowResults, SentDirectory, apply_rows, change_told, rows_sent
from odometer.api.v1.family import v1
from odometer.storage.directory import DirectoryStore
from odometer.storage.trail import Trail
from odometer.web.endpoint import Deadline


@v1("/directory", "PUT", may=WRITE_DIRECTORY)
def handler(
    request: SentDirectory,
    caller: Caller,
    directories: DirectoryStore,
    trail: Trail,
    now: datetime,
    deadline: Deadline,
) -> RowResults:
    rows = rows_sent(request)
    return directories.change(
        caller.organization,
        now,
        lambda edit: apply_rows(edit, rows, deadline),
        lambda edit, results, write: trail.commit(change_told(rows, edit, results), write),
    )
