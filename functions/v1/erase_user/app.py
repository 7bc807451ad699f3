"""DELETE /v1/users/{user_id}: forget a person for good; what they used stays in every total."""

from datetime import datetime

from odometer.access.policy import WRITE_DIRECTORY, Caller
from odometer.api.v1.directory import UserPath
from odometer.api.v1.family import v1
from odometer.services.erasure import erase
from odometer.storage.directory import DirectoryStore
from odometer.storage.trail import Trail


@v1("/users/{user_id}", "DELETE", may=WRITE_DIRECTORY)
def handler(
    query: UserPath, caller: Caller, directories: DirectoryStore, trail: Trail, now: datetime
) -> None:
    erase(directories, caller.organization, query.user_id, now, trail)
