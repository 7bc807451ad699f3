"""The directory table: every key begins with the organization.

pk = organization   sk = HEAD                                        one version of the directory
                    sk = HEAD#version                                a former one, for cursors
                    sk = BLOCK#register#family#number#commit         up to 1,024 rows, immutable
                    sk = BLOCK#register#family#number#commit/2/1     the second half of large ones
                    sk = ERASING#number                              a user whose names are removed
                    sk = KEY#key id                                  a credential
"""

import json
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from operator import methodcaller
from sys import getsizeof
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from odometer.access.keys import Credential, Proof
from odometer.access.policy import Scope
from odometer.access.secret import NO_DIGEST, Secret
from odometer.directory.columns import BLOCK_ROWS, HISTORY_ROWS, Block, Columns, DirectoryHead
from odometer.directory.names import NameDigests
from odometer.directory.snapshot import Directory
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.acts import Commit
from odometer.domain.errors import Conflict, Corrupt, NotFound, Unauthenticated, Unavailable
from odometer.domain.stored import inflated, require, stored
from odometer.domain.time import KEPT_FOR_CURSORS, instant_at
from odometer.domain.values import SentValue
from odometer.storage.dynamo import BATCH_GET, Found, Item, Key, Table, Write, backoff

Answer = TypeVar("Answer")

HEAD = "HEAD"
ORGANIZATIONS = "ORGANIZATIONS"
LARGEST_SLICE = 350_000
"""A block that is larger, compressed, is stored in slices; an item has at most 400 kB."""
LARGEST_COLUMNS = 2**24
"""Bytes of a block or a head in JSON; the largest that is written has a tenth of it."""
KEPT_BYTES = 96 * 1024 * 1024
"""So much memory the blocks take that a process keeps."""
SAMPLED = 16
ALONE: Commit = methodcaller("make")
"""Makes a write of which no trail tells."""


def block_key(block: Block, commit: str) -> str:
    return f"BLOCK#{block.register}#{block.family}#{block.number:05d}#{commit}"


def slice_keys(block: Block, commit: str) -> list[str]:
    """The keys of a block's items; a commit ends with the number of slices if it has several."""
    key = block_key(block, commit)
    _, _, count = commit.partition("/")
    return [f"{key}/{place}" for place in range(slices_in(block, count))] if count else [key]


@stored
def slices_in(block: Block, count: str) -> int:
    require(1 <= int(count) <= block.size)
    return int(count)


@stored
def first_row(block: Block, key: str) -> int:
    """The first row in an item of a block."""
    _, *places = key.split("/")
    if not places:
        return block.number * block.size
    count, place = map(int, places)
    require(0 <= place < count)
    return block.number * block.size + place * (block.size // count)


def former_key(version: int) -> str:
    return f"{HEAD}#{version}"


def erasing_key(user: int) -> str:
    return f"ERASING#{user:07d}"


def credential_key(key_id: str) -> str:
    return f"KEY#{key_id}"


class BlockCache:
    """The blocks that a process has read, and the digests of names; neither ever changes."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self.digests = NameDigests()
        self._most_bytes = most_bytes
        self.kept_bytes = 0
        self._blocks: OrderedDict[Key, tuple[Columns, int]] = OrderedDict()
        self._lock = Lock()

    def known(self, keys: Iterable[Key]) -> dict[Key, Columns]:
        with self._lock:
            return {key: self._blocks[key][0] for key in keys if key in self._blocks}

    def keep(self, content: Mapping[Key, Columns]) -> None:
        """Keep the content of blocks, dropping those that were not used for longest."""
        with self._lock:
            self._keep(content)

    def _keep(self, content: Mapping[Key, Columns]) -> None:
        for key, columns in content.items():
            if key not in self._blocks:
                self._blocks[key] = columns, memory_of(columns)
                self.kept_bytes += self._blocks[key][1]
            self._blocks.move_to_end(key)
        while self.kept_bytes > self._most_bytes:
            _, (_, size) = self._blocks.popitem(last=False)
            self.kept_bytes -= size


def memory_of(columns: Columns) -> int:
    """About the bytes that columns take, from every 16th value."""
    values = (value for column in columns.values() for value in column[::SAMPLED])
    return SAMPLED * sum(8 + getsizeof(value) + inner_bytes(value) for value in values)


def inner_bytes(value: object) -> int:
    return sum(8 + getsizeof(each) for each in value) if isinstance(value, list) else 0


class Beside(Protocol):
    """Items of another table that are asked for together with a credential."""

    store: Table

    @property
    def keys(self) -> Sequence[Key]: ...


class Entrance(NamedTuple):
    """What is stored under a key: a credential, nobody's where there is none, and the head."""

    credential: Credential
    head: Mapping[str, Any] | None
    store: "DirectoryStore"

    @property
    def version(self) -> int:
        """The version of the deployment's secret that the credential needs."""
        return self.credential.version

    def proved_by(self, key: Proof, secret: Secret, now: datetime) -> tuple[Credential, Directory]:
        """The credential and the directory, if the key is the right one.

        A head is only read for whoever has proved to be somebody. So an unknown key, a wrong one
        and one of an organization that is not there all take the same steps.
        """
        is_good = self.credential.accepts(key, secret, now)
        if not is_good or self.head is None or self.credential.key_id != key.key_id:
            raise Unauthenticated
        return self.credential, Directory(head_of(self.head), self.store)


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

    @property
    def digests(self) -> NameDigests:
        return self.cache.digests

    def former(self, organization: str, version: int, now: Directory) -> Directory:
        """A former version of the directory, without the names of users erased since."""
        item = self.table.get(organization, former_key(version))
        if item is None:
            raise NotFound(organization)
        return Directory(head_of(item), self, now)

    def enter(
        self, organization: str, key_id: str, beside: Beside | None = None
    ) -> tuple[Entrance, Found | None]:
        """What authentication needs, and what is asked beside it, in one request."""
        keys = [(organization, credential_key(key_id)), (organization, HEAD)]
        others = None
        if beside:
            found, others = self.table.get_with(keys, beside.store, beside.keys)
        else:
            found = self.table.get_many(keys, consistent=True)
        credential, head = (found.get(key) for key in keys)
        return Entrance(credential_of(credential or NOBODYS), head, self), others

    def read(self, organization: str, commits: Mapping[Block, str]) -> dict[Block, Columns]:
        keys = {
            block: [(organization, key) for key in slice_keys(block, commit)]
            for block, commit in commits.items()
        }
        every = list(chain.from_iterable(keys.values()))
        content = self.cache.known(every)
        if unread := [key for key in every if key not in content]:
            content |= self._fetch(unread)
        self.cache.keep(content)
        return {block: whole([content[key] for key in slices]) for block, slices in keys.items()}

    def create(self, head: DirectoryHead, commit: Commit = ALONE) -> None:
        self.table.put({"pk": ORGANIZATIONS, "sk": head.organization["id"]})
        if not commit(self.table.write_new(item_of(head))):
            message = f"organization {head.organization['id']} exists"
            raise Conflict(message)

    def change(
        self,
        organization: str,
        now: datetime,
        apply: Callable[[DirectoryEdit], Answer],
        commit: Callable[[DirectoryEdit, Answer, Write], bool] | None = None,
    ) -> Answer:
        """Change a directory all at once: read, apply, put the blocks, replace the head.

        It starts again if the head is no longer the one that was read. What a caller asks for is
        committed together with the entry of their trail; what events bring along has none.
        """
        for pause in backoff():
            edit = DirectoryEdit(self.open(organization), now)
            answer = apply(edit)
            make = partial(commit, edit, answer) if commit else ALONE
            if not edit.changed or self._commit(edit, now, make):
                return answer
            pause()
        raise Unavailable(organization)

    def organizations(self, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Every organization, or those after one, for schedules and operators only."""
        found = self.table.query(ORGANIZATIONS, f"{after} ", "~", limit=limit)
        return (str(item["sk"]) for item in found)

    def heads(self, organizations: Iterable[str]) -> Iterator[DirectoryHead]:
        each = iter(organizations)
        while keys := [(organization, HEAD) for organization in islice(each, BATCH_GET)]:
            found = self.table.get_many(keys)
            yield from (head_of(found[key]) for key in keys if key in found)

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        """The ordinals of subjects; unknown ones are registered, as many as there may be.

        A process that has seen all names reads the head and nothing else.
        """
        known = self.open(organization).numbers_of(subjects)
        unknown = [subject for subject in subjects if subject not in known]
        if not unknown:
            return known
        moment = datetime.fromtimestamp(at, UTC)
        registered = self.change(
            organization,
            moment,
            lambda edit: edit.register_all(unknown, at * 1000),
        )
        return known | registered

    def values(
        self, organization: str, sent: Sequence[SentValue], at: int
    ) -> Mapping[SentValue, int]:
        """The numbers of values of breakdowns; unknown ones are registered, all at once."""
        known = self.open(organization).numbers_of_values(sent)
        found = {value: number for value, number in known.items() if number is not None}
        if len(found) == len(known):
            return found
        moment = datetime.fromtimestamp(at, UTC)
        return self.change(organization, moment, lambda edit: edit.register_values(sent))

    def credential(self, organization: str, key_id: str) -> Credential | None:
        item = self.table.get(organization, credential_key(key_id))
        return credential_of(item) if item else None

    def credentials(
        self, organization: str, first: str = "", most: int | None = None
    ) -> Iterator[Credential]:
        """The credentials in the order of their ids, from one on, and so many at most."""
        low, high = credential_key(first), credential_key("~")
        items = self.table.query(organization, low, high, consistent=True, limit=most)
        return map(credential_of, items)

    def add_credential(self, credential: Credential, commit: Commit = ALONE) -> None:
        if not commit(self.table.write_once(new_credential_item(credential), by="digest")):
            raise Conflict(credential.key_id)

    def change_credential(
        self,
        credential: Credential,
        *names: str,
        commit: Commit = ALONE,
        **expected: str | None,
    ) -> bool:
        """Store these attributes of a credential only, since others may change the rest.

        False if it is no longer as expected. The condition fails as well when a change is tried
        again because its answer was lost: then the change is found stored, which is true.
        """
        organization, key_id = credential.organization, credential.key_id
        item = credential_item(credential)
        changed = {name: item[name] for name in names}
        write = self.table.write_change(organization, credential_key(key_id), changed, **expected)
        if commit(write):
            return True
        found = self.table.get(organization, credential_key(key_id)) or {}
        return changed.items() <= found.items()

    def _commit(self, edit: DirectoryEdit, now: datetime, make: Commit) -> bool:
        organization = edit.organization["id"]
        commit = secrets.token_hex(8)
        packed = {block: packed_slices(c) for block, c in edit.changed_blocks.items()}
        commits = {block: commit_name(commit, len(slices)) for block, slices in packed.items()}
        head, pages = edit.head(commits, commit)
        packed |= {page: [compressed(columns)] for page, columns in pages.items()}
        commits |= dict.fromkeys(pages, commit)
        expiry: Item = {"ttl": int((now + KEPT_FOR_CURSORS).timestamp())}
        former = {**item_of(edit.base), "sk": former_key(edit.base.version), **expiry}
        self.table.put_all([*block_items(organization, packed, commits), former])
        flipped = make(self.table.write_if(item_of(head), "version", edit.base.version))
        won = flipped or self._is_stored(head, commit)
        if won:
            self._retire(organization, edit.directory.commits_known(commits), expiry)
        else:
            self._retire(organization, commits, expiry | {"columns": compressed({})})
        return won

    def _is_stored(self, head: DirectoryHead, commit: str) -> bool:
        """Whether a commit is stored after all: a retry is refused if the first answer was lost."""
        organization = head.organization["id"]
        now = self.open(organization)
        if now.head.version > head.version:
            now = self.former(organization, head.version, now)
        return any(name.startswith(commit) for name in now.head.blocks.values())

    def _retire(self, organization: str, commits: Mapping[Block, str], values: Item) -> None:
        """Let replaced blocks expire once no cursor can name them.

        The blocks of a change that came too late are emptied at once: nobody reads them, and they
        may hold the names of somebody erased meanwhile. Blocks that cannot be changed now only
        stay longer, so this is no reason to fail: the change is made.
        """
        with suppress(Unavailable):
            for block, commit in commits.items():
                for key in slice_keys(block, commit):
                    self.table.change(organization, key, values)

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


@stored
def columns_of(item: Mapping[str, Any]) -> Columns:
    """The columns of a block, or of a slice of it."""
    columns: Columns = content_of(item)
    require(all(isinstance(column, list) for column in columns.values()))
    return columns


def content_of(item: Mapping[str, Any]) -> Any:
    return json.loads(inflated(item["columns"], LARGEST_COLUMNS))


@stored
def whole(slices: Sequence[Columns]) -> Columns:
    """The columns of a block from its slices."""
    if len(slices) == 1:
        return slices[0]
    return {name: list(chain.from_iterable(each[name] for each in slices)) for name in slices[0]}


def packed_slices(columns: Columns) -> list[bytes]:
    """A block, in as many slices of equally many rows as items need to hold it."""
    rows = BLOCK_ROWS if "former" not in columns else HISTORY_ROWS
    count = 1
    while True:
        each = rows // count
        parts = [
            {name: column[first : first + each] for name, column in columns.items()}
            for first in range(0, rows, each)
        ]
        slices = [compressed(part) for part in parts]
        if max(map(len, slices)) <= LARGEST_SLICE:
            return slices
        count *= 2


def commit_name(commit: str, slices: int) -> str:
    return commit if slices == 1 else f"{commit}/{slices}"


def block_items(
    organization: str, packed: Mapping[Block, Sequence[bytes]], commits: Mapping[Block, str]
) -> Iterator[Item]:
    for block, slices in packed.items():
        for key, content in zip(slice_keys(block, commits[block]), slices, strict=True):
            yield {"pk": organization, "sk": key, "columns": content}


def item_of(head: DirectoryHead) -> Item:
    document = {
        "organization": head.organization,
        "license": head.license,
        "sizes": head.sizes,
        "blocks": [[*block, commit] for block, commit in head.blocks.items()],
        "erased": sorted(head.erased),
        **({"erased_on_pages": head.erased_on_pages} if head.erased_on_pages else {}),
    }
    return {
        "pk": head.organization["id"],
        "sk": HEAD,
        "version": head.version,
        "columns": compressed(document),
        **({"limits": dict(head.limits)} if head.limits else {}),
    }


@stored
def head_of(item: Mapping[str, Any]) -> DirectoryHead:
    document = content_of(item)
    blocks = {
        Block(register, family, number): commit
        for register, family, number, commit in document.pop("blocks")
    }
    erased = frozenset(document.pop("erased", ()))
    require(set(map(type, erased)) <= {int})
    require(isinstance(document["organization"]["id"], str) and isinstance(document["sizes"], dict))
    require(all(isinstance(block.number, int) for block in blocks))
    return DirectoryHead(
        version=int(item["version"]),
        blocks=blocks,
        erased=erased,
        limits={**item.get("limits", {})},
        **document,
    )


INSTANTS = ("created_at", "expires_at", "revoked_at", "former_until", "earlier_until")
KNOWN = frozenset(field.name for field in fields(Credential))


def credential_item(credential: Credential) -> Item:
    values = asdict(credential)
    values["scopes"] = sorted(credential.scopes)
    values["earlier"] = list(credential.earlier)
    for name in INSTANTS:
        values[name] = int(values[name].timestamp()) if values[name] else None
    return {"pk": credential.organization, "sk": credential_key(credential.key_id), **values}


def new_credential_item(credential: Credential) -> Item:
    """A new credential, which has attributes of a rotation only while one is going on."""
    item = credential_item(credential)
    left_out = () if credential.earlier else ("earlier", "earlier_until")
    return {name: item[name] for name in item if name not in left_out}


NOBODYS: Final = new_credential_item(
    Credential(
        organization="",
        key_id="",
        name="",
        user=0,
        scopes=frozenset({Scope.READ_USAGE}),
        digest=NO_DIGEST,
        created_at=datetime.fromtimestamp(0, UTC),
    )
)
"""What stands for a credential that is not there; no text is known that has such a hash."""


@stored
def credential_of(item: Mapping[str, Any]) -> Credential:
    """A credential; attributes that a later release has added are left out."""
    values: dict[str, Any] = {name: item[name] for name in item if name in KNOWN}
    for name in INSTANTS:
        seconds = values.get(name)
        values[name] = None if seconds is None else instant_at(seconds)
    values["earlier"] = tuple(values.get("earlier", ()))
    return Credential(**{**values, "scopes": frozenset(map(Scope, values["scopes"]))})
