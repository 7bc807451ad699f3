"""A directory in memory: every change is a new version, as JSON as it would be stored."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from odometer.directory.columns import Block, Columns, DirectoryHead, Row
from odometer.directory.names import NameDigests
from odometer.directory.snapshot import Directory
from odometer.directory.upsert import NEW_ORGANIZATION, DirectoryEdit, Outcome

ACME = "aa7cf840-9ca9-46a3-9778-9015d6580d50"
NOON = datetime(2026, 2, 28, 12, tzinfo=UTC)


def new_head(organization: str, name: str) -> DirectoryHead:
    return DirectoryHead(1, {**NEW_ORGANIZATION, "id": organization, "name": name, "created_at": 0})


class MemoryDirectory:
    """The versions of one directory."""

    def __init__(self) -> None:
        self.head = new_head(ACME, "Acme Corp")
        self.kept: dict[tuple[Block, str], str] = {}
        self.digests = NameDigests()

    def read(self, organization: str, commits: Mapping[Block, str]) -> Mapping[Block, Columns]:
        assert organization == self.head.organization["id"]
        return {block: json.loads(self.kept[block, commit]) for block, commit in commits.items()}

    @property
    def directory(self) -> Directory:
        return Directory(self.head, self)

    def put(self, *rows: tuple[str, Row], now: datetime = NOON) -> list[Outcome]:
        edit = DirectoryEdit(self.directory, now)
        outcomes = [edit.apply(kind, row) for kind, row in rows]
        self.keep(edit)
        return outcomes

    def user(self, **row: Any) -> Outcome:
        return self.put(("user", row))[0]

    def erase(self, user_id: str, now: datetime = NOON) -> int | None:
        """Erase a user; older versions stay as they are."""
        edit = DirectoryEdit(self.directory, now)
        user = edit.erase(user_id)
        self.keep(edit)
        return user

    def keep(self, edit: DirectoryEdit) -> None:
        if edit.changed:
            commit = f"commit {self.head.version}"
            blocks = edit.changed_blocks
            self.head, pages = edit.head(dict.fromkeys(blocks, commit), commit)
            every = {**blocks, **pages}
            self.kept |= {(block, commit): json.dumps(each) for block, each in every.items()}
