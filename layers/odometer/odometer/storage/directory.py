"""The directory table: every key begins with the organization.

pk = organization   sk = HEAD                                        one version of the directory
                    sk = HEAD#version                                a former one, for cursors
                    sk = BLOCK#register#family#number#commit         up to 1,024 rows, immutable
                    sk = KEY#key id                                  a credential
"""

import json
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar, cast

from odometer.access.keys import Credential
from odometer.access.policy import Scope
from odometer.directory.columns import Block, Columns, DirectoryHead
from odometer.directory.snapshot import Directory
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.errors import Conflict, Corrupt, NotFound, Unavailable
from odometer.domain.time import KEPT_FOR_CURSORS
from odometer.storage.dynamo import BATCH_GET, Item, Key, Table, backoff

Answer = TypeVar("Answer")

HEAD = "HEAD"
ORGANIZATIONS = "ORGANIZATIONS"
KEPT_BLOCKS = 512


def block_key(block: Block, commit: str) -> str:
    return f"BLOCK#{block.register}#{block.family}#{block.number:05d}#{commit}"


def former_key(version: int) -> str:
    return f"{HEAD}#{version}"


def credential_key(key_id: str) -> str:
    return f"KEY#{key_id}"


class BlockCache:
    """The blocks that a process has read; they never change."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[Key, Columns] = OrderedDict()

    def known(self, keys: Iterable[Key]) -> dict[Key, Columns]:
        return {key: self._blocks[key] for key in keys if key in self._blocks}

    def keep(self, content: Mapping[Key, Columns]) -> None:
        """Keep the content of blocks, dropping those that were not used for longest."""
        for key, columns in content.items():
            self._blocks[key] = columns
            self._blocks.move_to_end(key)
        while len(self._blocks) > KEPT_BLOCKS:
            self._blocks.popitem(last=False)


class DirectoryStore:
    """The directories and credentials of all organizations."""

    def __init__(self, table: Table, cache: BlockCache) -> None:
        self.table = table
        self.cache = cache

    def open(self, organization: str) -> Directory:
        item = self.table.get(organization, HEAD)
        if item is None:
            raise NotFound(organization)
        return Directory(head_of(item), self)

    def former(self, organization: str, version: int, erased: frozenset[int]) -> Directory:
        """A former version of the directory, without the names of users erased since."""
        item = self.table.get(organization, former_key(version))
        if item is None:
            raise NotFound(organization)
        return Directory(replace(head_of(item), erased=erased), self)

    def enter(self, organization: str, key_id: str) -> tuple[Credential | None, Directory | None]:
        """A credential and its directory, which authentication needs, in one request."""
        keys = [(organization, credential_key(key_id)), (organization, HEAD)]
        found = self.table.get_many(keys, consistent=True)
        credential, head = (found.get(key) for key in keys)
        return (
            credential_of(credential) if credential else None,
            Directory(head_of(head), self) if head else None,
        )

    def read(self, head: DirectoryHead, wanted: Sequence[Block]) -> dict[Block, Columns]:
        organization = head.organization["id"]
        keys = {block: (organization, block_key(block, head.blocks[block])) for block in wanted}
        content = self.cache.known(keys.values())
        if unread := [key for key in keys.values() if key not in content]:
            content |= self._fetch(unread)
        self.cache.keep(content)
        return {block: content[key] for block, key in keys.items()}

    def create(self, head: DirectoryHead) -> None:
        self.table.put({"pk": ORGANIZATIONS, "sk": head.organization["id"]})
        if not self.table.put_new(item_of(head)):
            message = f"organization {head.organization['id']} exists"
            raise Conflict(message)

    def change(
        self, organization: str, now: datetime, apply: Callable[[DirectoryEdit], Answer]
    ) -> Answer:
        """Change a directory all at once: read, apply, put the blocks, replace the head.

        It starts again if the head is no longer the one that was read.
        """
        for pause in backoff():
            edit = DirectoryEdit(self.open(organization), now)
            answer = apply(edit)
            if not edit.changed or self._commit(edit, now):
                return answer
            pause()
        raise Unavailable(organization)

    def organizations(self, after: str = "") -> Iterator[str]:
        """Every organization, or those after one, for schedules and operators only."""
        return (str(item["sk"]) for item in self.table.query(ORGANIZATIONS, f"{after} ", "~"))

    def heads(self, organizations: Iterable[str]) -> Iterator[DirectoryHead]:
        each = iter(organizations)
        while keys := [(organization, HEAD) for organization in islice(each, BATCH_GET)]:
            found = self.table.get_many(keys)
            yield from (head_of(found[key]) for key in keys if key in found)

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        names = self.open(organization).columns("users", "names")
        known = {name: row for column in names.values() for row, name in enumerate(column)}
        if all(subject in known for subject in subjects):
            return {subject: known[subject] for subject in subjects}
        moment = datetime.fromtimestamp(at, UTC)
        return self.change(
            organization,
            moment,
            lambda edit: {each: edit.register(each, at * 1000) for each in subjects},
        )

    def credential(self, organization: str, key_id: str) -> Credential | None:
        item = self.table.get(organization, credential_key(key_id))
        return credential_of(item) if item else None

    def credentials(self, organization: str) -> Iterator[Credential]:
        first, last = credential_key(""), credential_key("~")
        return map(credential_of, self.table.query(organization, first, last, consistent=True))

    def add_credential(self, credential: Credential) -> None:
        if not self.table.put_new(credential_item(credential)):
            raise Conflict(credential.key_id)

    def change_credential(self, credential: Credential, *names: str, **expected: str) -> bool:
        """Store these attributes of a credential only, since others may change the rest.

        False if it is no longer as expected. The condition fails as well when a change is tried
        again because its answer was lost: then the change is found stored, which is true.
        """
        organization, key_id = credential.organization, credential.key_id
        item = credential_item(credential)
        changed = {name: item[name] for name in names}
        if self.table.change(organization, credential_key(key_id), changed, **expected):
            return True
        found = self.table.get(organization, credential_key(key_id)) or {}
        return changed.items() <= found.items()

    def _commit(self, edit: DirectoryEdit, now: datetime) -> bool:
        organization = edit.organization["id"]
        commit = secrets.token_hex(8)
        touched = edit.changed_blocks
        blocks = [block_item(organization, b, commit, c) for b, c in touched.items()]
        expiry: Item = {"ttl": int((now + KEPT_FOR_CURSORS).timestamp())}
        former = {**item_of(edit.base), "sk": former_key(edit.base.version), **expiry}
        self.table.put_all([*blocks, former])
        head = edit.head(commit)
        flipped = self.table.put_if(item_of(head), "version", edit.base.version)
        won = flipped or self._is_stored(head, commit)
        if won:
            self._retire(edit.base, list(touched), expiry)
        else:
            self._retire(head, list(touched), expiry | {"columns": compressed({})})
        return won

    def _is_stored(self, head: DirectoryHead, commit: str) -> bool:
        """Whether a commit is stored after all: a retry is refused if the first answer was lost."""
        organization = head.organization["id"]
        now = self.open(organization).head
        if now.version > head.version:
            now = self.former(organization, head.version, now.erased).head
        return commit in now.blocks.values()

    def _retire(self, head: DirectoryHead, blocks: Sequence[Block], values: Item) -> None:
        """Let replaced blocks expire once no cursor can name them.

        The blocks of a change that came too late are emptied at once: nobody reads them, and they
        may hold the names of somebody erased meanwhile. Blocks that cannot be changed now only
        stay longer, so this is no reason to fail: the change is made.
        """
        organization = head.organization["id"]
        with suppress(Unavailable):
            for block in blocks:
                if block in head.blocks:
                    place = block_key(block, head.blocks[block])
                    self.table.change(organization, place, values)

    def _fetch(self, keys: Sequence[Key]) -> dict[Key, Columns]:
        """Blocks never change, so a stale read can only miss some: those are read strongly."""
        found = self.table.get_many(keys)
        if missed := [key for key in keys if key not in found]:
            found |= self.table.get_many(missed, consistent=True)
        if lost := [key for key in keys if key not in found]:
            raise Corrupt(lost)
        return {key: columns_of(item) for key, item in found.items()}


def compressed(columns: Any) -> bytes:
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode(), 6)


def columns_of(item: Item) -> Columns:
    return cast("Columns", json.loads(zlib.decompress(cast("bytes", item["columns"]))))


def block_item(organization: str, block: Block, commit: str, columns: Columns) -> Item:
    return {"pk": organization, "sk": block_key(block, commit), "columns": compressed(columns)}


def item_of(head: DirectoryHead) -> Item:
    document = {
        "organization": head.organization,
        "license": head.license,
        "sizes": head.sizes,
        "blocks": [[*block, commit] for block, commit in head.blocks.items()],
        "erased": sorted(head.erased),
    }
    return {
        "pk": head.organization["id"],
        "sk": HEAD,
        "version": head.version,
        "columns": compressed(document),
    }


def head_of(item: Item) -> DirectoryHead:
    document: Any = columns_of(item)
    blocks = {Block(*words): commit for *words, commit in document.pop("blocks")}
    erased = frozenset(document.pop("erased", ()))
    return DirectoryHead(
        version=cast("int", item["version"]), blocks=blocks, erased=erased, **document
    )


INSTANTS = ("created_at", "expires_at", "revoked_at", "former_until")


def credential_item(credential: Credential) -> Item:
    values = asdict(credential)
    values["scopes"] = sorted(credential.scopes)
    for name in INSTANTS:
        values[name] = int(values[name].timestamp()) if values[name] else None
    return {"pk": credential.organization, "sk": credential_key(credential.key_id), **values}


def credential_of(item: Item) -> Credential:
    values: dict[str, Any] = {name: item[name] for name in item if name not in ("pk", "sk")}
    for name in INSTANTS:
        seconds = values[name]
        values[name] = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return Credential(**{**values, "scopes": frozenset(map(Scope, values["scopes"]))})
