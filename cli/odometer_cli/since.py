"""What became of directories since an instant, and what of it is done again after a restore.

Persons who were erased are erased again, lanes that were given are given again, and no version of
a directory is used twice, so that no cursor finds another directory under its number.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

from odometer.directory.snapshot import Directory
from odometer.domain.errors import Invalid, NotFound
from odometer.domain.stored import stored
from odometer.services.erasure import erase
from odometer.storage.directory import DirectoryStore, item_of
from odometer.storage.dynamo import Item, Table
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Refused
from odometer_cli.pausing import NOTES

OF: Final = "organization#"
ERASING: Final = "erasing#"


@dataclass(frozen=True)
class Since:
    """What happened to an organization since the instant to which its tables go back."""

    organization: str
    is_readable: bool = True
    """Whether its directory could be read before; else nobody knows what happened to it."""
    was_there: bool = True
    """Whether it was there at the instant."""
    version: int = 0
    lanes: int = 1
    users: int = 0
    """How many the directory knows before anything is folded again."""
    erased: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    """The keys that were made since."""

    def to_item(self) -> Item:
        values = asdict(self) | {"erased": list(self.erased), "keys": list(self.keys)}
        return {"pk": NOTES, "sk": f"{OF}{values.pop('organization')}", **values}

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        values: Any = {name: item[name] for name in item if name not in ("pk", "sk")}
        values |= {"erased": tuple(values["erased"]), "keys": tuple(values["keys"])}
        return cls(str(item["sk"]).removeprefix(OF), **values)


def since(
    organization: str, now: DirectoryStore, then: DirectoryStore | None, *, goes_back: bool
) -> Since:
    """Compare the directory of an organization with what it was; `then` may not be known."""
    try:
        present = now.open(organization)
        erased = present.erased
    except Exception:  # noqa: BLE001  whatever is damaged: this is why it is restored
        return Since(organization, is_readable=False)
    former = directory_in(then, organization)
    keys = made_since(organization, now, then) if then and goes_back else ()
    known = (former if goes_back else present) or present
    return Since(
        organization,
        was_there=not goes_back or former is not None,
        version=present.head.version,
        lanes=present.organization.lanes,
        users=known.head.sizes["users"],
        erased=tuple(sorted(erased - former.erased if former else erased)),
        keys=keys,
    )


def directory_in(store: DirectoryStore | None, organization: str) -> Directory | None:
    with suppress(NotFound):
        return store.open(organization) if store else None
    return None


def made_since(organization: str, now: DirectoryStore, then: DirectoryStore) -> tuple[str, ...]:
    present, former = (
        {each.key_id for each in store.credentials(organization)} for store in (now, then)
    )
    return tuple(sorted(present - former))


def noted_since(notes: Table) -> Iterator[Since]:
    return map(Since.from_item, notes.query(NOTES, OF, f"{OF}~", consistent=True))


def renew(deployment: Deployment, each: Since) -> None:
    """Give the lanes again that there were, and a version that no cursor has seen."""
    directories = deployment.directories
    if directory_in(directories, each.organization) is None or not each.is_readable:
        return
    deployment.engine.raise_lanes(each.organization, each.lanes, datetime.now(UTC))
    head = directories.open(each.organization).head
    if head.version <= each.version:
        newer = replace(head, version=each.version + 1)
        directories.table.put_if(item_of(newer), "version", head.version)


def erase_again(deployment: Deployment, notes: Table, each: Since, *, goes_back: bool) -> int:
    """Erase whoever was erased since, and whom only their events in the log made known again.

    Whose events are folded again, and who is not in the directory because they were erased, would
    be a new user by that name. Answers how many were erased and cannot be told from new users.
    """
    directory = directory_in(deployment.directories, each.organization)
    if directory is None or not each.erased:
        return 0
    wanted = each.erased if goes_back else range(each.users, directory.head.sizes["users"])
    there = range(each.users if goes_back else directory.head.sizes["users"])
    for number in wanted:
        if number in there and number not in directory.erased:
            note = {"pk": NOTES, "sk": f"{ERASING}{each.organization}#{number:07d}"}
            notes.put({**note, "id": directory.user(number).id})
    finish_erasures(deployment, notes, each.organization)
    return sum(number not in there for number in wanted)


def finish_erasures(deployment: Deployment, notes: Table, organization: str) -> None:
    """Erase those who are noted; a note goes when nothing is left of its user."""
    first = f"{ERASING}{organization}#"
    for item in list(notes.query(NOTES, first, f"{first}~", consistent=True)):
        try:
            now, trail = datetime.now(UTC), deployment.trail(organization)
            erase(deployment.directories, organization, str(item["id"]), now, trail)
        except NotFound:
            pass
        except Invalid as error:
            words = f"Make somebody else an Admin: odometer organization key {organization}"
            raise Refused(f"Somebody cannot be erased again: {error}", words) from error
        notes.delete(NOTES, str(item["sk"]))
