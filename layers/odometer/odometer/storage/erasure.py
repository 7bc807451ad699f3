"""Erasure: a person leaves the directory for good, and their names every copy of it that is kept.

The flip of the head is the decision: from then on no reader sees who the row was, in whatever copy
of a block it stands. Then the names go from the table. As long as one copy tells whose row it was,
the same id sent again goes on where it was left.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

from odometer.directory import upsert
from odometer.directory.columns import BLOCK_ROWS, Block, Columns, nameless
from odometer.domain.errors import NotFound
from odometer.storage.tenancy import (
    Tenancy,
    block_key,
    credential_key,
    packed_columns,
    unpacked_columns,
)


def erase(tenancy: Tenancy, organization: str, user_id: str, now: datetime) -> None:
    """Forget whoever has that id, or had it when an erasure of them was begun and not ended."""
    user = tenancy.change(organization, now, lambda draft: upsert.erase(draft, user_id))
    erased = tenancy.open(organization).head.erased
    users = {*begun(tenancy, organization, erased, user_id), user} - {None}
    if not users:
        raise NotFound(user_id)
    revoke(tenancy, organization, users)
    for number in sorted({user // BLOCK_ROWS for user in users if user is not None}):
        for family in ("profile", "names"):  # names last: until then the id is found again
            forget(tenancy, organization, erased, Block("users", family, number))


def begun(
    tenancy: Tenancy, organization: str, erased: Collection[int], user_id: str
) -> Iterator[int]:
    """Those who were erased and whose row has that id yet, in any copy of it."""
    for number in sorted({user // BLOCK_ROWS for user in erased}):
        for _, columns in copies(tenancy, organization, Block("users", "names", number)):
            for user, each in enumerate(columns.get("id", ()), number * BLOCK_ROWS):
                if each == user_id and user in erased:
                    yield user


def revoke(tenancy: Tenancy, organization: str, users: Collection[int | None]) -> None:
    """Remove the keys of users, which opened nothing any more since the head was flipped."""
    for credential in list(tenancy.credentials(organization)):
        if credential.user in users:
            tenancy.table.delete(organization, credential_key(credential.key_id))


def forget(tenancy: Tenancy, organization: str, erased: Collection[int], block: Block) -> None:
    """Take the names of those who were erased out of every copy of a block."""
    for key, columns in copies(tenancy, organization, block):
        left = nameless(block, columns, erased)
        if left != columns:
            tenancy.table.change(organization, key, {"columns": packed_columns(left)})


def copies(tenancy: Tenancy, organization: str, block: Block) -> Iterator[tuple[str, Columns]]:
    """Every copy of a block by its key: those of this version, of former ones and of none."""
    first, last = block_key(block, ""), block_key(block, "~")
    for item in tenancy.table.query(organization, first, last, consistent=True):
        yield str(item["sk"]), unpacked_columns(item)
