"""One version of a directory, read as far as it is asked."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

from odometer.directory.columns import (
    BLOCK_ROWS,
    FAMILIES,
    Block,
    Columns,
    DirectoryHead,
    Register,
    nameless,
)
from odometer.directory.people import (
    Department,
    License,
    Organization,
    Product,
    Team,
    User,
    default_email,
)
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, Kind
from odometer.domain.people import KeyOwner, Role, State, UserType
from odometer.domain.text import as_kept

APP = "app"
"""The kind of product whose use the app utilization API reports."""


class Blocks(Protocol):
    """Where blocks are kept."""

    def read(self, head: DirectoryHead, wanted: Sequence[Block]) -> Mapping[Block, Columns]: ...


class Directory:
    """A directory at one version: the same answers for as long as it is held."""

    def __init__(self, head: DirectoryHead, blocks: Blocks) -> None:
        self.head = head
        self._blocks = blocks

    @cached_property
    def organization(self) -> Organization:
        return Organization(**self.head.organization)

    @cached_property
    def license(self) -> License | None:
        return License(**self.head.license) if self.head.license else None

    @cached_property
    def teams(self) -> list[Team]:
        return [Team(*row) for row in self._rows("teams", "id", "name", "is_default")]

    @cached_property
    def departments(self) -> list[Department]:
        return [Department(*row) for row in self._rows("departments", "id", "name")]

    @cached_property
    def products(self) -> list[Product]:
        return [Product(*row) for row in self._rows("products", "id", "name", "kind")]

    @cached_property
    def apps(self) -> list[Product]:
        return [product for product in self.products if product.kind == APP]

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of every product, those that every organization has included."""
        return {**DEFAULT_PRODUCTS, **{each.id: KINDS[each.kind] for each in self.products}}

    @property
    def erased(self) -> frozenset[int]:
        """The ordinals of those who were erased: they count in what was used, and are nobody."""
        return self.head.erased

    @cached_property
    def users(self) -> list[User]:
        """Every user in the order of their ordinals, which leave out those who were erased."""
        columns = self.columns("users", *FAMILIES["users"])
        rows = enumerate(zip(*columns.values(), strict=True))
        everyone = (User(ordinal, **dict(zip(columns, row, strict=True))) for ordinal, row in rows)
        return [user for user in everyone if user.ordinal not in self.erased]

    @cached_property
    def team_sizes(self) -> Counter[int | None]:
        """How many users are in each team, whatever their state."""
        teams = self.columns("users", "roster")["team"]
        return Counter(team for user, team in enumerate(teams) if user not in self.erased)

    @property
    def shown_ids(self) -> list[str | None]:
        """The id of every user by ordinal; None is somebody who was erased."""
        return [each or None for each in self.columns("users", "names")["id"]]

    def user(self, ordinal: int) -> User:
        return self.users_at([ordinal])[0]

    def key_owner(self, ordinal: int) -> KeyOwner:
        """The user who owns a key, without the blocks that authentication does not need."""
        (row,) = self._rows_of_users([ordinal], "roster", "names")
        role, state = Role(row["role"]), State(row["state"])
        return KeyOwner(row["id"], row["username"], role, state, row["team"])

    def users_at(self, ordinals: Sequence[int]) -> list[User]:
        rows = self._rows_of_users(ordinals, *FAMILIES["users"])
        return [User(ordinal, **row) for ordinal, row in zip(ordinals, rows, strict=True)]

    def users_of_type(self, wanted: UserType) -> set[int]:
        types = self.columns("users", "roster")["type"]
        return {ordinal for ordinal, each in enumerate(types) if each == wanted}

    def members_of(self, department_ids: Collection[str]) -> set[int]:
        """The ordinals of the users in any of some departments; an unknown one has none."""
        numbers = {each.ordinal for each in self.departments if each.id in department_ids}
        memberships = self.columns("users", "roster")["departments"]
        return {user for user, those in enumerate(memberships) if not numbers.isdisjoint(those)}

    def users_of_team(self, team: int) -> set[int]:
        teams = self.columns("users", "roster")["team"]
        return {ordinal for ordinal, each in enumerate(teams) if each == team}

    def user_by_id(self, user_id: str) -> User | None:
        ids = self.columns("users", "names")["id"]
        return self.user(ids.index(user_id)) if user_id and user_id in ids else None

    def users_called(self, name: str) -> list[int]:
        """The ordinals of the users who have that id; else that username or user_key."""
        names = self.columns("users", "names")
        if name and name in names["id"]:
            return [names["id"].index(name)]
        pairs = enumerate(zip(names["username"], names["user_key"], strict=True))
        return [ordinal for ordinal, both in pairs if name and name in both]

    def team_by_id(self, team_id: str) -> Team | None:
        return next((team for team in self.teams if team.id == as_kept(team_id)), None)

    def app_by_id(self, app_id: str) -> Product | None:
        """The app with that id, in whatever case its hex digits are, if there is one."""
        return next((app for app in self.apps if app.id == as_kept(app_id)), None)

    def columns(self, register: str, *families: str) -> Columns:
        blocks = {family: self.head.blocks_of(register, family) for family in families}
        content = self._read(list(chain.from_iterable(blocks.values())))
        return {
            name: list(chain.from_iterable(content[block][name] for block in blocks[family]))
            for family in families
            for name in FAMILIES[register][family]
        }

    def register(self, name: str) -> Register:
        columns = self.columns(name, *FAMILIES[name])
        if name == "users":
            pairs = zip(columns["email"], columns["username"], strict=True)
            columns["email"] = [email or default_email(username) for email, username in pairs]
        return Register(name, columns)

    def _read(self, wanted: Sequence[Block]) -> Mapping[Block, Columns]:
        """Some blocks; whatever they hold yet, or this process has kept, nobody erased has a name.

        Everything that is read of a directory, and so all that is written back, comes through here.
        """
        content = self._blocks.read(self.head, wanted)
        return {block: nameless(block, each, self.erased) for block, each in content.items()}

    def _rows_of_users(self, ordinals: Sequence[int], *families: str) -> list[dict[str, Any]]:
        numbers = sorted({ordinal // BLOCK_ROWS for ordinal in ordinals})
        content = self._read(
            [Block("users", each, number) for each in families for number in numbers]
        )
        return [
            {
                name: column[ordinal % BLOCK_ROWS]
                for family in families
                for name, column in content[Block("users", family, ordinal // BLOCK_ROWS)].items()
            }
            for ordinal in ordinals
        ]

    def _rows(self, register: str, *names: str) -> list[tuple[Any, ...]]:
        columns = self.columns(register, "rows")
        ordinals = range(self.head.sizes[register])
        return list(zip(ordinals, *(columns[name] for name in names), strict=True))
