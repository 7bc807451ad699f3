"""The blocks of a directory, read as a directory."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from odometer.directory.columns import Block, Columns, DirectoryHead
from odometer.directory.names import NameDigests
from odometer.directory.snapshot import Directory, blocks_in
from odometer.domain.errors import OdometerError
from odometer.domain.people import Role
from tests.fuzz.choices import Choices
from tests.fuzz.damage import damaged_value
from tests.fuzz.target import Target
from tests.support.memory_directory import ACME, NOON, MemoryDirectory

KIND = {"name": "document", "measures": [{"name": "pages"}], "breakdowns": ["model"]}
PAGE = Block("pages", "users", 0)


@cache
def whole() -> MemoryDirectory:
    """A directory with one of everything, and somebody who was erased."""
    directory = MemoryDirectory()
    directory.put(
        ("license", {"exp": 1, "iat": 1, "seats": 5, "seats_cap": 6}),
        ("kind", KIND),
        ("team", {"id": "core", "name": "Core"}),
        ("department", {"id": "sales", "name": "Sales"}),
        ("product", {"id": "docs", "name": "Docs", "kind": "document"}),
        ("user", {"id": "7", "username": "ada", "role": Role.ADMIN, "team": "Core"}),
        ("user", {"id": "8", "username": "bob", "departments": ["Sales"], "state": "invited"}),
        ("user", {"id": "9", "username": "cy"}),
    )
    directory.put(("user", {"id": "8", "state": "deactivated"}), now=NOON.replace(month=3))
    directory.erase("9")
    return directory


class Damaged:
    """Blocks of which one is not what was written."""

    def __init__(self, directory: MemoryDirectory, block: Block, choices: Choices) -> None:
        self.digests = NameDigests()
        self._directory, self._block = directory, block
        content = directory.read(ACME, {block: directory.head.blocks[block]})[block]
        self._content = damaged_value(content, choices)

    def read(self, organization: str, commits: Mapping[Block, str]) -> Mapping[Block, Columns]:
        blocks = dict(self._directory.read(organization, commits))
        return blocks | ({self._block: self._content} if self._block in blocks else {})


def read_blocks(choices: Choices) -> None:
    directory = whole()
    block = choices.of(sorted(directory.head.blocks))
    read_all(Directory(directory.head, Damaged(directory, block, choices)))


def read_head(choices: Choices) -> None:
    """The content of a head, which is read as a directory."""
    head = whole().head
    document: dict[str, Any] = {"organization": head.organization, "license": head.license}
    other = damaged_value(json.loads(json.dumps(document)), choices)
    if isinstance(other, dict) and isinstance(other.get("organization"), dict):
        parts = {**document, **{name: other[name] for name in other if name in document}}
        changed = DirectoryHead(
            head.version, parts["organization"], parts["license"], head.sizes, head.blocks
        )
        directory = Directory(changed, whole())
        directory.organization, directory.license  # noqa: B018


def read_all(directory: Directory) -> None:
    """Everything that answers ask of a directory."""
    directory.organization, directory.license, directory.teams, directory.departments  # noqa: B018
    directory.kinds, directory.products, directory.apps, directory.value_counts  # noqa: B018
    directory.values("docs", 0), directory.users, list(directory.histories())
    directory.team_sizes, directory.shown_ids, directory.erased  # noqa: B018
    directory.key_owner(0, ["products"]), directory.users_at([0, 1]), directory.names_at([1])
    (
        directory.numbers_of(["ada", "8"]),
        directory.user_called("bob"),
        directory.members_of(["sales"]),
    )


def read_page(choices: Choices) -> None:
    """A page of users, which names their blocks."""
    columns: Columns = {
        "roster": ["c"],
        "names": ["c"],
        "profile": ["c"],
        "history": [None, "c"],
        "erased": [2],
    }
    head = DirectoryHead(1, {**whole().head.organization}, blocks={PAGE: "c"}, erased_on_pages=1)
    content = damaged_value(columns, choices)

    class OnePage(MemoryDirectory):
        def read(self, organization: str, commits: Mapping[Block, str]) -> Mapping[Block, Columns]:
            return dict.fromkeys(commits, content)

    directory = Directory(head, OnePage())
    directory.pages([PAGE]), directory.erased_by_page([PAGE]), directory.commits_known([PAGE])
    blocks_in(PAGE, columns)


TARGETS = [
    Target("blocks of a directory", read_blocks, (OdometerError,), share=20, quick=60),
    Target("organization and license", read_head, (OdometerError,)),
    Target("page of a directory", read_page, (OdometerError,)),
]
