"""Erasure: a user's names leave the directory and every stored copy of it for good.

The new head is the decision: from then on no reader sees the names, in whatever copy of a block.
Then they are removed from the table. An erasure that failed on the way is finished by sending
the same id again, which is found as long as one copy still has it.
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
    user = directories.change(organization, now, lambda edit: edit.erase(user_id))
    erased = directories.open(organization).head.erased
    unfinished = unfinished_erasures(directories, organization, erased, user_id)
    users = {each for each in (user, *unfinished) if each is not None}
    if not users:
        raise NotFound(user_id)
    revoke(directories, organization, users)
    for number in sorted({user // BLOCK_ROWS for user in users}):
        for family in ("profile", "names"):  # names last: until then the id is found again
            remove_names(directories, organization, erased, Block("users", family, number))


def unfinished_erasures(
    directories: DirectoryStore, organization: str, erased: Collection[int], user_id: str
) -> Iterator[int]:
    for number in sorted({user // BLOCK_ROWS for user in erased}):
        for item in copies(directories, organization, Block("users", "names", number)):
            ids = columns_of(item).get("id", ())
            for user, each in enumerate(ids, number * BLOCK_ROWS):
                if each == user_id and user in erased:
                    yield user


def revoke(directories: DirectoryStore, organization: str, users: Collection[int]) -> None:
    for credential in list(directories.credentials(organization)):
        if credential.user in users:
            directories.table.delete(organization, credential_key(credential.key_id))


def remove_names(
    directories: DirectoryStore, organization: str, erased: Collection[int], block: Block
) -> None:
    """Remove the names of erased users from every copy of a block.

    If another writer was faster with a copy, all of them are looked at again.
    """
    for pause in backoff():
        found = copies(directories, organization, block)
        if all(remove_names_from(directories, block, item, erased) for item in found):
            return
        pause()


def remove_names_from(
    directories: DirectoryStore, block: Block, item: Item, erased: Collection[int]
) -> bool:
    """Remove the names of erased users from a copy; False if another writer was faster."""
    columns = columns_of(item)
    left = nameless(block, columns, erased)
    return left == columns or directories.table.change(
        str(item["pk"]), str(item["sk"]), {"columns": compressed(left)}, columns=item["columns"]
    )


def copies(directories: DirectoryStore, organization: str, block: Block) -> Iterator[Item]:
    """Every copy of a block: of this version, of former ones and of changes that failed."""
    first, last = block_key(block, ""), block_key(block, "~")
    return directories.table.query(organization, first, last, consistent=True)
