"""Erasure: a user's names leave the directory and every stored copy of it for good.

The new head is the decision, and the trail tells of it by the user's number: from then on no reader
sees the names, in whatever copy of a block.
Then they are removed from the table. An erasure that failed on the way is finished by sending
the same id again, which is found as long as one copy still has it.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from odometer.directory.columns import BLOCK_ROWS, Block, nameless
from odometer.directory.registers import MOST_USERS
from odometer.directory.snapshot import Directory
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.acts import Act, Action, Recorder
from odometer.domain.errors import NotFound, Unavailable
from odometer.domain.stored import stored
from odometer.storage.directory import (
    DirectoryStore,
    block_key,
    columns_of,
    compressed,
    credential_key,
    erasing_key,
    first_row,
)
from odometer.storage.dynamo import Item, backoff


def erase(
    directories: DirectoryStore, organization: str, user_id: str, now: datetime, trail: Recorder
) -> None:
    user = directories.change(
        organization,
        now,
        lambda edit: decide(directories, edit, user_id),
        lambda _, user, write: trail.commit(Act(Action.USER_ERASED, user=user), write),
    )
    directory = directories.open(organization)
    users = {
        *([] if user is None else [user]),
        *unfinished_erasures(directories, directory, user_id, among_all=user is None),
    }
    if not users:
        raise NotFound(user_id)
    revoke(directories, organization, users)
    for number in sorted({user // BLOCK_ROWS for user in users}):
        for family in ("profile", "names"):  # names last: until then the id is found again
            remove_names(
                directories, organization, directory.erased, Block("users", family, number)
            )
    with suppress(Unavailable):  # a note that is left only costs a look
        for each in users:
            directories.table.delete(organization, erasing_key(each))


def decide(directories: DirectoryStore, edit: DirectoryEdit, user_id: str) -> int | None:
    """Erase a user from the directory, with a note of it for whoever has to finish it."""
    user = edit.erase(user_id)
    if user is not None:
        directories.table.put({"pk": edit.organization["id"], "sk": erasing_key(user)})
    return user


def unfinished_erasures(
    directories: DirectoryStore, directory: Directory, user_id: str, *, among_all: bool
) -> Iterator[int]:
    """Users of that id whose erasure was begun and not noted as finished.

    All who were erased are only looked at where nobody has the id now: that reads many blocks.
    """
    organization, erased = directory.organization.id, directory.erased
    noted = erased if among_all else erased & set(erasing(directories, organization))
    for number in sorted({user // BLOCK_ROWS for user in noted}):
        block = Block("users", "names", number)
        for item in copies(directories, organization, block):
            ids = columns_of(item).get("id", ())
            for user, each in enumerate(ids, first_row(block, str(item["sk"]))):
                if each == user_id and user in erased:
                    yield user


def erasing(directories: DirectoryStore, organization: str) -> Iterator[int]:
    first, last = erasing_key(0), erasing_key(MOST_USERS)
    for item in directories.table.query(organization, first, last, consistent=True):
        yield erased_in(item)


@stored
def erased_in(item: Mapping[str, Any]) -> int:
    """The user that a note is about."""
    return int(str(item["sk"]).rpartition("#")[2])


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
    left = nameless(block, columns, erased, first_row(block, str(item["sk"])))
    return left == columns or directories.table.change(
        str(item["pk"]), str(item["sk"]), {"columns": compressed(left)}, columns=item["columns"]
    )


def copies(directories: DirectoryStore, organization: str, block: Block) -> Iterator[Item]:
    """Every copy of a block: of this version, of former ones and of changes that failed."""
    first, last = block_key(block, ""), block_key(block, "~")
    return directories.table.query(organization, first, last, consistent=True)
