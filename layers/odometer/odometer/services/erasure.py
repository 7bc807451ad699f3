"""Erasure: a person leaves the directory for good, and their names every copy of it that is kept.

The flip of the head is the decision: from then on no reader sees who the row was, in whatever copy
of a block it stands. Then the names go from the table. As long as one copy tells whose row it was,
the same id sent again goes on where it was left.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

from odometer.directory.columns import BLOCK_ROWS, Block, nameless
from odometer.domain.errors import NotFound
from odometer.storage.directory import (
    DirectoryStore,
    block_key,
    columns_of,
    compressed,
    credential_key,
)
from odometer.storage.dynamo import Item, backoff


def erase(directories: DirectoryStore, organization: str, user_id: str, now: datetime) -> None:
    """Forget whoever has that id, or had it when an erasure of them was begun and not ended."""
    user = directories.change(organization, now, lambda edit: edit.erase(user_id))
    erased = directories.open(organization).head.erased
    found = begun(directories, organization, erased, user_id)
    users = {each for each in (user, *found) if each is not None}
    if not users:
        raise NotFound(user_id)
    revoke(directories, organization, users)
    for number in sorted({user // BLOCK_ROWS for user in users}):
        for family in ("profile", "names"):  # names last: until then the id is found again
            forget(directories, organization, erased, Block("users", family, number))


def begun(
    directories: DirectoryStore, organization: str, erased: Collection[int], user_id: str
) -> Iterator[int]:
    """Those who were erased and whose row has that id yet, in any copy of it."""
    for number in sorted({user // BLOCK_ROWS for user in erased}):
        for item in copies(directories, organization, Block("users", "names", number)):
            ids = columns_of(item).get("id", ())
            for user, each in enumerate(ids, number * BLOCK_ROWS):
                if each == user_id and user in erased:
                    yield user


def revoke(directories: DirectoryStore, organization: str, users: Collection[int]) -> None:
    """Remove the keys of users, which opened nothing any more since the head was flipped."""
    for credential in list(directories.credentials(organization)):
        if credential.user in users:
            directories.table.delete(organization, credential_key(credential.key_id))


def forget(
    directories: DirectoryStore, organization: str, erased: Collection[int], block: Block
) -> None:
    """Take the names of those who were erased out of every copy of a block.

    A copy that somebody else has written meanwhile is looked at again: it may have lost more.
    """
    for pause in backoff():
        found = copies(directories, organization, block)
        if all(is_nameless(directories, block, item, erased) for item in found):
            return
        pause()


def is_nameless(
    directories: DirectoryStore, block: Block, item: Item, erased: Collection[int]
) -> bool:
    """Whether a copy of a block has no name of the erased, or had some that are gone now."""
    columns = columns_of(item)
    left = nameless(block, columns, erased)
    return left == columns or directories.table.change(
        str(item["pk"]),
        str(item["sk"]),
        {"columns": compressed(left)},
        columns=item["columns"],
    )


def copies(directories: DirectoryStore, organization: str, block: Block) -> Iterator[Item]:
    """Every copy of a block: those of this version, of former ones and of none."""
    first, last = block_key(block, ""), block_key(block, "~")
    return directories.table.query(organization, first, last, consistent=True)
