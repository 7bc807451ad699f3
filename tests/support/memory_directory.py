"""A directory in memory: every change is a new version, as JSON as it would be stored."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from odometer.directory.columns import Block, Columns, DirectoryHead, Row
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

    def read(self, head: DirectoryHead, wanted: Sequence[Block]) -> Mapping[Block, Columns]:
        return {block: json.loads(self.kept[block, head.blocks[block]]) for block in wanted}

    @property
    def directory(self) -> Directory:
        return Directory(self.head, self)

    def put(self, *rows: tuple[str, Row], now: datetime = NOON) -> list[Outcome]:
        edit = DirectoryEdit(self.directory, now)
        outcomes = [edit.apply(kind, row) for kind, row in rows]
        self._keep(edit)
        return outcomes

    def user(self, **row: Any) -> Outcome:
        return self.put(("user", row))[0]

    def erase(self, user_id: str, now: datetime = NOON) -> int | None:
        """Erase a user; older versions stay as they are."""
        edit = DirectoryEdit(self.directory, now)
        user = edit.erase(user_id)
        self._keep(edit)
        return user

    def _keep(self, edit: DirectoryEdit) -> None:
        if edit.changed:
            commit = f"commit {self.head.version}"
            self.kept |= {(b, commit): json.dumps(each) for b, each in edit.changed_blocks.items()}
            self.head = edit.head(commit)
