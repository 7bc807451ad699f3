"""One version of a directory, read as far as it is asked."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import chain, groupby
from typing import Any, Protocol

from odometer.directory.columns import (
    BLOCK_ROWS,
    FAMILIES,
    HISTORY,
    HISTORY_ROWS,
    PAGE_ROWS,
    USER_FAMILIES,
    VALUES,
    Block,
    Columns,
    DirectoryHead,
    Register,
    history_blocks,
    nameless,
    with_history_apart,
)
from odometer.directory.kinds import own_kind
from odometer.directory.names import AT_ONCE, NameDigests, groups
from odometer.directory.people import (
    Department,
    License,
    Organization,
    Product,
    Team,
    User,
)
from odometer.domain.kinds import BREAKDOWNS, DEFAULT_PRODUCTS, KINDS, Kind
from odometer.domain.people import KeyOwner, Role, State, UserType
from odometer.domain.stored import stored
from odometer.domain.text import as_kept
from odometer.domain.values import NONE, SentValue, Values

APP = "app"
"""The kind of product whose use the app utilization API reports."""
ATTRIBUTES = frozenset(each.name for each in fields(Organization))


class Blocks(Protocol):
    """Where blocks are kept, and the digests of the names in those that were read."""

    @property
    def digests(self) -> NameDigests: ...

    def read(self, organization: str, commits: Mapping[Block, str]) -> Mapping[Block, Columns]: ...


class Directory:
    """A directory at one version: the same answers for as long as it is held."""

    def __init__(self, head: DirectoryHead, blocks: Blocks, now: "Directory | None" = None) -> None:
        """A former version needs the present one, which knows who was erased since."""
        self.head = head
        self._blocks = blocks
        self._now = now or self

    @cached_property
    @stored
    def organization(self) -> Organization:
        """The organization; what a later release has stored of it is passed over."""
        stored = self.head.organization
        return Organization(**{name: stored[name] for name in stored.keys() & ATTRIBUTES})

    @property
    def limits(self) -> Mapping[str, int]:
        return self.head.limits

    @cached_property
    @stored
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
    @stored
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of every product, those that every organization has included."""
        known = {**KINDS, **self._kinds_with_products} if self.head.sizes.get("kinds") else KINDS
        return {**DEFAULT_PRODUCTS, **{each.id: known[each.kind] for each in self.products}}

    @property
    def _kinds_with_products(self) -> Mapping[str, Kind]:
        self.load("products")
        return self.own_kinds

    @cached_property
    @stored
    def own_kinds(self) -> Mapping[str, Kind]:
        """The kinds that the organization has beside the built-in ones, by name."""
        columns = self.columns("kinds", "rows")
        rows = zip(columns["id"], columns["definition"], strict=True)
        return {name: own_kind(name, definition) for name, definition in rows}

    def values(self, product: str, place: int) -> Values:
        """The values of a breakdown of the kind of a product."""
        block = self.block_of_values(product, place)
        return self.values_in([block])[block] if block else Values()

    def block_of_values(self, product: str, place: int) -> Block | None:
        """Where the values of a breakdown are; None where the kind of a product has no such."""
        kind = self.kinds.get(product)
        if kind is None or place >= len(kind.breakdowns):
            return None
        return self._block_of_breakdown(kind.name, place)

    def _block_of_breakdown(self, kind: str, place: int) -> Block:
        number = list(self.own_kinds).index(kind)
        return Block(VALUES, "rows", number * BREAKDOWNS + place)

    @property
    def value_counts(self) -> Mapping[tuple[str, int], int]:
        """How many values there are, by the name of an own kind and the place of a breakdown."""
        several = self.own_kinds.values()
        places = [(kind.name, at) for kind in several for at in range(len(kind.breakdowns))]
        blocks = {each: self._block_of_breakdown(*each) for each in places}
        known = self.values_in(blocks.values())
        return {each: len(known[block].texts) for each, block in blocks.items()}

    def blocks_of_values(self, sent: Iterable[SentValue]) -> dict[SentValue, Block | None]:
        several = list(sent)
        blocks = {each[:2]: self.block_of_values(*each[:2]) for each in several}
        return {value: blocks[value[:2]] for value in several}

    @stored
    def values_in(self, blocks: Collection[Block]) -> dict[Block, Values]:
        """The values of some breakdowns; a block is there when it has any."""
        content = self._read([block for block in blocks if block in self.head.blocks])
        return {
            block: Values(content[block]["text"] if block in content else ()) for block in blocks
        }

    def numbers_of_values(self, sent: Iterable[SentValue]) -> dict[SentValue, int | None]:
        """The numbers of values; None of those that are to be registered."""
        blocks = self.blocks_of_values(sent)
        known = self.values_in([*filter(None, dict.fromkeys(blocks.values()))])
        return {
            value: known[block].number(value.text) if block else NONE
            for value, block in blocks.items()
        }

    @cached_property
    def erased(self) -> frozenset[int]:
        """The ordinals of those who were erased: they count in what was used, and are nobody."""
        head = self._now.head
        return head.erased.union(*self._now.erased_by_page(head.pages).values())

    @stored
    def erased_by_page(self, pages: Collection[Block]) -> dict[Block, list[int]]:
        """Those who were erased, by the pages that say so."""
        commits = {page: self.head.blocks[page] for page in pages if page in self.head.blocks}
        content = self._blocks.read(self.head.organization["id"], commits)
        return {page: columns["erased"] for page, columns in content.items()}

    @property
    def users(self) -> list[User]:
        """Every user in the order of their ordinals, which leave out those who were erased."""
        return list(self.users_from(0))

    def users_from(self, ordinal: int) -> Iterator[User]:
        """Users in the order of their ordinals, a few blocks in memory at a time."""
        numbers = range(ordinal // BLOCK_ROWS, len(self.head.blocks_of("users", "roster")))
        for number, columns in self.stretches(numbers, USER_FAMILIES):
            for user in users_in(columns, number * BLOCK_ROWS):
                if user.ordinal >= ordinal and user.ordinal not in self.erased:
                    yield user

    def stretches(
        self, numbers: Sequence[int], families: Sequence[str]
    ) -> Iterator[tuple[int, Columns]]:
        """All columns of some families, 1,024 users at a time."""
        for some in groups(numbers):
            content = self._read(
                [block for number in some for block in blocks_of_users(number, families)]
            )
            for number in some:
                yield number, joined(content, number, families)

    def histories(self) -> Iterator[list[tuple[State, int]]]:
        """Every state that a user was in, with the ms in which it began, user by user."""
        numbers = range(len(self.head.blocks_of("users", "roster")))
        for _, columns in self.stretches(numbers, ("roster", "profile", HISTORY)):
            yield from histories_in(columns)

    @cached_property
    @stored
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

    @stored
    def key_owner(self, ordinal: int, registers: Iterable[str] = ()) -> KeyOwner:
        """The user who owns a key, without the blocks that authentication does not need.

        Registers that will be asked for next are read in the same call, and kept.
        """
        beside = self._blocks_of_registers(registers)
        (row,) = self._rows_of_users([ordinal], "roster", "names", beside=beside)
        role, state = Role(row["role"]), State(row["state"])
        return KeyOwner(row["id"], row["username"], role, state, row["team"])

    def load(self, *registers: str) -> None:
        """Read registers that will be asked for next in one call."""
        self._read(self._blocks_of_registers(registers))

    def _blocks_of_registers(self, registers: Iterable[str]) -> list[Block]:
        """All blocks of some registers, and of own kinds with the products.

        Of users the names, as far as a search would read them.
        """
        names = set(registers)
        rows = [*(names - {"users"}), *({"kinds"} if "products" in names else ())]
        users = self._unread_names if "users" in names else []
        return [*users, *(block for name in rows for block in self.head.blocks_of(name, "rows"))]

    @property
    def _unread_names(self) -> list[Block]:
        blocks = self.head.blocks_of("users", "names")
        if len(blocks) > AT_ONCE:
            return []
        return self._blocks.digests.unread(self.head.organization["id"], self.commits(blocks))

    @stored
    def users_at(self, ordinals: Sequence[int]) -> list[User]:
        rows = self._rows_of_users(ordinals, *USER_FAMILIES)
        return [User(ordinal, **row) for ordinal, row in zip(ordinals, rows, strict=True)]

    def names_at(self, ordinals: Sequence[int]) -> list[dict[str, str]]:
        """The id, the username and the user_key of users."""
        return self._rows_of_users(ordinals, "names")

    def ids_at(self, ordinals: Iterable[int]) -> Iterator[str]:
        """The ids of users whose ordinals ascend, with a few blocks in memory at a time."""
        by_block = groupby(ordinals, key=lambda ordinal: ordinal // BLOCK_ROWS)
        for some in groups((number, list(users)) for number, users in by_block):
            content = self._read([Block("users", "names", number) for number, _ in some])
            for number, users in some:
                ids = content[Block("users", "names", number)]["id"]
                yield from (ids[user % BLOCK_ROWS] for user in users)

    def users_of_type(self, wanted: UserType) -> set[int]:
        types = self.columns("users", "roster")["type"]
        return {ordinal for ordinal, each in enumerate(types) if each == wanted}

    @stored
    def members_of(self, department_ids: Collection[str]) -> set[int]:
        """The ordinals of the users in any of some departments; an unknown one has none."""
        numbers = self.departments_with(department_ids)
        memberships = self.columns("users", "roster")["departments"]
        return {user for user, those in enumerate(memberships) if not numbers.isdisjoint(those)}

    def departments_with(self, ids: Collection[str]) -> set[int]:
        return {each.ordinal for each in self.departments if each.id in ids}

    def users_of_team(self, team: int) -> set[int]:
        teams = self.columns("users", "roster")["team"]
        return {ordinal for ordinal, each in enumerate(teams) if each == team}

    def user_by_id(self, user_id: str) -> User | None:
        found = self.numbers_of([user_id]).get(user_id)
        user = None if found is None else self.user(found)
        return user if user and user.id == user_id else None

    def user_called(self, name: str) -> User | None:
        """The user who has that id, or else that username or user_key."""
        found = self.users_called(name)
        return self.user(found[0]) if found else None

    def users_called(self, name: str) -> list[int]:
        """The ordinals of the users who have that id; else that username or user_key.

        Nobody shares a name any more, but once they could.
        """
        found = sorted({number for _, number in self._named([name])})
        ids = dict(zip(found, self.ids_at(found), strict=True))
        return [user for user in found if ids[user] == name] or found

    def numbers_of(self, names: Collection[str]) -> dict[str, int]:
        """The ordinals of the users who have some names, as far as anybody has them.

        A process that knows the digests of all blocks reads none of them.
        """
        return dict(self._named(names))

    def _named(self, names: Collection[str]) -> Iterator[tuple[str, int]]:
        commits = self.commits(self.head.blocks_of("users", "names"))
        organization, digests = self.head.organization["id"], self._blocks.digests
        found = digests.find(organization, commits, names, self._read) if any(names) else ()
        return ((name, number) for name, number in found if number not in self.erased)

    def team_by_id(self, team_id: str) -> Team | None:
        return next((team for team in self.teams if team.id == as_kept(team_id)), None)

    def app_by_id(self, app_id: str) -> Product | None:
        """The app with that id, in whatever case its hex digits are, if there is one."""
        return next((app for app in self.apps if app.id == as_kept(app_id)), None)

    @stored
    def columns(self, register: str, *families: str) -> Columns:
        blocks = {family: self.head.blocks_of(register, family) for family in families}
        content = self._read(list(chain.from_iterable(blocks.values())))
        return {
            name: list(chain.from_iterable(content[block][name] for block in blocks[family]))
            for family in families
            for name in FAMILIES[register][family]
        }

    def register(self, name: str) -> Register:
        return Register(name, self.columns(name, *FAMILIES[name]))

    def commits(self, blocks: Sequence[Block]) -> dict[Block, str]:
        """The commits of blocks; a block of history exists only where it was needed."""
        named = self.commits_known(blocks)
        return {
            block: named[block] for block in blocks if block.family != HISTORY or block in named
        }

    def commits_known(self, blocks: Iterable[Block]) -> dict[Block, str]:
        """The commits of those of some blocks that exist."""
        wanted = set(blocks)
        named = self.pages(pages_of(wanted) & self.head.blocks.keys())
        every = [self.head.blocks, *named.values()]
        return {block: commits[block] for commits in every for block in wanted & commits.keys()}

    @stored
    def pages(self, pages: Collection[Block]) -> dict[Block, dict[Block, str]]:
        """The blocks that pages name."""
        commits = {page: self.head.blocks[page] for page in pages}
        content = self._blocks.read(self.head.organization["id"], commits) if commits else {}
        return {page: blocks_in(page, columns) for page, columns in content.items()}

    @stored
    def _read(self, wanted: Sequence[Block]) -> Mapping[Block, Columns]:
        """Some blocks; whatever they hold yet, or this process has kept, nobody erased has a name.

        Everything that is read of a directory, and so all that is written back, comes through here.
        """
        content = self._blocks.read(self.head.organization["id"], self.commits(wanted))
        erased = self._erased_among(content)
        return {
            block: with_history_apart(nameless(block, each, erased))
            for block, each in content.items()
        }

    def _erased_among(self, blocks: Iterable[Block]) -> Collection[int]:
        """Those who were erased, as far as pages of these blocks say so."""
        head = self._now.head
        pages = pages_of(blocks) & head.blocks.keys()
        return (
            head.erased.union(*self._now.erased_by_page(pages).values()) if pages else head.erased
        )

    @stored
    def _rows_of_users(
        self, ordinals: Sequence[int], *families: str, beside: Sequence[Block] = ()
    ) -> list[dict[str, Any]]:
        numbers = sorted({ordinal // BLOCK_ROWS for ordinal in ordinals})
        wanted = [Block("users", each, number) for each in families for number in numbers]
        content = self._read([*wanted, *beside])
        columns = {
            number: {
                name: rows[name]
                for family in families
                for rows in [content[Block("users", family, number)]]
                for name in FAMILIES["users"][family]
            }
            for number in numbers
        }
        return [
            {
                name: column[ordinal % BLOCK_ROWS]
                for name, column in columns[ordinal // BLOCK_ROWS].items()
            }
            for ordinal in ordinals
        ]

    @stored
    def _rows(self, register: str, *names: str) -> list[tuple[Any, ...]]:
        columns = self.columns(register, "rows")
        ordinals = range(self.head.sizes[register])
        return list(zip(ordinals, *(columns[name] for name in names), strict=True))


def pages_of(blocks: Iterable[Block]) -> set[Block]:
    """The pages that name some blocks of users."""
    starts = {block.number * block.size for block in blocks if block.register == "users"}
    return {Block("pages", "users", number) for number in {start // PAGE_ROWS for start in starts}}


def blocks_in(page: Block, columns: Columns) -> dict[Block, str]:
    """The blocks of users that a page names, with their commits."""
    found = {}
    for family in FAMILIES["users"]:
        first = page.number * (PAGE_ROWS // Block("users", family, 0).size)
        for number, commit in enumerate(columns[family], first):
            if commit:
                found[Block("users", family, number)] = commit
    return found


def blocks_of_users(number: int, families: Sequence[str]) -> list[Block]:
    blocks = [Block("users", family, number) for family in families if family != HISTORY]
    return [*blocks, *history_blocks(number)] if HISTORY in families else blocks


@stored
def users_in(columns: Columns, first: int) -> list[User]:
    """The users of a block; whoever was erased is nobody among them."""
    names = [name for family in USER_FAMILIES for name in FAMILIES["users"][family]]
    rows = zip(*(columns[name] for name in names), strict=True)
    return [
        User(user, **dict(zip(names, row, strict=True))) for user, row in enumerate(rows, first)
    ]


@stored
def histories_in(columns: Columns) -> list[list[tuple[State, int]]]:
    rows = zip(columns["former"], columns["state"], columns["state_since"], strict=True)
    return [
        [*((was, began) for was, began in former), (state, since)] for former, state, since in rows
    ]


@stored
def joined(content: Mapping[Block, Columns], number: int, families: Sequence[str]) -> Columns:
    """The columns of 1,024 users, former states among them if they were asked for."""
    columns: Columns = {}
    for family in families:
        if family != HISTORY:
            columns |= content[Block("users", family, number)]
    if HISTORY in families and "former" not in columns:
        rows = len(columns["state_since"])
        apart = [content.get(block, {}).get("former", []) for block in history_blocks(number)]
        padded = [each + [[]] * (HISTORY_ROWS - len(each)) for each in apart]
        columns["former"] = list(chain.from_iterable(padded))[:rows]
    return columns
