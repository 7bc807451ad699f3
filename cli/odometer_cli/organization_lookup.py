"""Finds an organization by its id or its name."""

from collections.abc import Iterator
from typing import Annotated

import typer

from odometer.directory.columns import DirectoryHead
from odometer.domain.text import UUID
from odometer.storage.directory import DirectoryStore
from odometer_cli.failure import Refused
from odometer_cli.output import count_of

LIST = "See them all: odometer organization list"

Named = Annotated[str, typer.Argument(metavar="ORGANIZATION", help="Its id or its name.")]
NamedOrAll = Annotated[
    str | None,
    typer.Argument(metavar="[ORGANIZATION]", help="Its id or its name; all of them if left out."),
]


def id_of_organization(directories: DirectoryStore, organization: str) -> str:
    """The id of the one organization that is called so."""
    if UUID.fullmatch(organization):
        return str(directories.open(organization.lower()).organization.id)
    found = list(organizations_named(directories, organization))
    if not found:
        raise Refused(f"No organization is called {organization}.", LIST)
    if len(found) > 1:
        raise Refused(
            f"{len(found)} organizations are called {organization}:\n{describe(found)}",
            "Give the id of the one that you mean.",
        )
    return str(found[0].organization["id"])


def organizations_named(directories: DirectoryStore, name: str) -> Iterator[DirectoryHead]:
    """The organizations of a name; this reads every organization."""
    everyone = directories.heads(directories.organizations())
    return (head for head in everyone if head.organization["name"] == name)


def describe(heads: list[DirectoryHead]) -> str:
    """A line for each organization, with its id and its number of users."""
    return "\n".join(
        f"  {head.organization['id']}  {count_of(users_in(head), 'user')}" for head in heads
    )


def users_in(head: DirectoryHead) -> int:
    """How many users an organization has, without erased ones."""
    return head.users
