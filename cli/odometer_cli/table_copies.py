"""Copies of tables as they were, and what brings a table back to its copy.

The table keeps its name, its settings and its own history. Only items that differ are written, so
whatever was done before a run died is found equal by the next one.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import sleep, time
from typing import Any, Final

from botocore.exceptions import ClientError

from odometer.domain.time import format_seconds
from odometer.storage.dynamo import Item, Key, Table, domain_errors, from_dynamodb
from odometer_cli.failure import Refused
from odometer_cli.output import progress_bar
from odometer_cli.pausing import client

SEGMENT_BYTES: Final = 256 * 2**20
MOST_SEGMENTS: Final = 256
AT_ONCE: Final = 16
MOST_ROUNDS: Final = 5
ASKED_EVERY_SECONDS: Final = 5

Wanted = Callable[[Item | None, Item], Item]
"""What is to stand in a table, by the item there now and by that of the copy."""


def as_copied(_: Item | None, copied: Item) -> Item:
    return copied


def with_present_keys(now: Item | None, copied: Item) -> Item:
    """As copied, but an access key is left as it is: what was revoked or rotated stays so."""
    return now if now and str(copied["sk"]).startswith("KEY#") else copied


def copy_name(table: str, instant: datetime) -> str:
    return f"{table}-{instant:%Y%m%dT%H%M%SZ}"


def make_copy(table: str, instant: datetime) -> str:
    """Let AWS make a table as it was at an instant, unless it has; the name of that table."""
    name = copy_name(table, instant)
    dynamodb = client("dynamodb")
    with domain_errors():
        if not exists(name):
            refuse_out_of_reach(table, instant)
            dynamodb.restore_table_to_point_in_time(
                SourceTableName=table,
                TargetTableName=name,
                RestoreDateTime=instant,
                SSESpecificationOverride=encryption_of(table),
            )
    return name


def refuse_out_of_reach(table: str, instant: datetime) -> None:
    found = client("dynamodb").describe_continuous_backups(TableName=table)
    description = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if description["PointInTimeRecoveryStatus"] != "ENABLED":
        remedy = "Give a table that a backup was restored to: --usage-from, --directory-from."
        raise Refused(f"{table} has no point-in-time recovery.", remedy)
    first = description.get("EarliestRestorableDateTime", instant).replace(microsecond=0)
    last = description.get("LatestRestorableDateTime", instant) + timedelta(seconds=1)
    if not first <= instant <= last:
        reach = f"from {format_seconds(first)} to {format_seconds(last)}"
        raise Refused(f"{table} cannot be restored to that instant.", f"Give one {reach}.")


def encryption_of(table: str) -> Any:
    """A copy is encrypted as its table is: with the key of the account, or with one of ours."""
    described = client("dynamodb").describe_table(TableName=table)["Table"]
    key = described.get("SSEDescription", {}).get("KMSMasterKeyArn")
    if key:
        metadata = client("kms").describe_key(KeyId=key)["KeyMetadata"]
        if metadata.get("KeyManager") == "CUSTOMER":
            return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    return {"Enabled": True}


def exists(table: str) -> bool:
    return status_of(table) is not None


def status_of(table: str) -> str | None:
    try:
        found = client("dynamodb").describe_table(TableName=table)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return str(found["Table"]["TableStatus"])


def wait_for(tables: Sequence[str]) -> None:
    """Wait until copies are there, which takes AWS from minutes to hours."""
    with domain_errors(), progress_bar("Copies made", len(tables)) as progress:
        for table in tables:
            while (status := status_of(table)) != "ACTIVE":
                if status is None:
                    raise Refused(f"There is no table {table}.", "Give the name of a copy.")
                sleep(ASKED_EVERY_SECONDS)
            progress.advance(1)


def segments_of(table: str) -> int:
    """In how many parts a table is read; a part is some minutes of work."""
    with domain_errors():
        size = client("dynamodb").describe_table(TableName=table)["Table"]["TableSizeBytes"]
    return min(MOST_SEGMENTS, 1 + int(size) // SEGMENT_BYTES)


@dataclass(frozen=True)
class Differences:
    """How many items were written and removed, or would be."""

    put: int = 0
    removed: int = 0

    def __add__(self, other: "Differences") -> "Differences":
        return Differences(self.put + other.put, self.removed + other.removed)

    def __bool__(self) -> bool:
        return bool(self.put or self.removed)


@dataclass(frozen=True)
class Restoring:
    """Brings a table to what its copy has, segment by segment."""

    table: Table
    copy: Table
    wanted: Wanted = as_copied

    def put_back(self, segment: int, of: int, *, write: bool) -> Differences:
        """Put every item of the copy that is not there, or is another one."""
        count = 0
        for items in pages(self.copy, segment, of):
            now = self.table.get_many([key_of(item) for item in items], consistent=True)
            differing = [
                wanted
                for item in items
                if (wanted := self._wanted(now.get(key_of(item)), item)) != now.get(key_of(item))
                and wanted is not None
            ]
            if write:
                self.table.put_all(differing)
            count += len(differing)
        return Differences(put=count)

    def remove(self, segment: int, of: int, *, write: bool) -> Differences:
        """Remove every item that the copy does not have."""
        count = 0
        for items in pages(self.table, segment, of):
            keys = [key_of(item) for item in items]
            copied = self.copy.get_many(keys, consistent=True)
            gone = [key for key in keys if key not in copied]
            if write:
                self.table.delete_all(gone)
            count += len(gone)
        return Differences(removed=count)

    def _wanted(self, now: Item | None, copied: Item) -> Item | None:
        """What has expired since, and is not there any more, stays away."""
        if now is None and int(str(copied.get("ttl", 2**40))) <= time():
            return None
        return self.wanted(now, copied)


def key_of(item: Item) -> Key:
    return str(item["pk"]), str(item["sk"])


def pages(table: Table, segment: int, of: int) -> Iterator[list[Item]]:
    """All items of a segment, as they are now."""
    scan: dict[str, Any] = {"Segment": segment, "TotalSegments": of, "ConsistentRead": True}
    while True:
        with domain_errors():
            answer = table.client.scan(TableName=table.name, **scan)
        yield [from_dynamodb(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return
        scan["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@dataclass(frozen=True)
class Progress:
    """Which segments were done in which round: where a run goes on that died."""

    notes: Table
    partition: str
    title: str

    def done(self, number: int) -> dict[str, Differences]:
        item = self.notes.get(self.partition, self._round(number)) or {}
        return {
            name: Differences(*map(int, str(value).split("+")))
            for name, value in item.items()
            if name not in ("pk", "sk")
        }

    def total(self) -> Differences:
        """How many items were written in all rounds."""
        every = (each for number in range(MOST_ROUNDS) for each in self.done(number).values())
        return sum(every, Differences())

    def note(self, number: int, name: str, found: Differences) -> None:
        value = f"{found.put}+{found.removed}"
        self.notes.add_missing(self.partition, self._round(number), {}, {name: value})

    def _round(self, number: int) -> str:
        return f"round#{self.title}#{number}"


def restore_table(restoring: Restoring, progress: Progress, segments: int) -> Differences:
    """Bring a table to its copy, and look again until nothing differs."""
    total = Differences()
    for number in range(MOST_ROUNDS):
        found = one_round(restoring, progress, segments, number)
        total += found
        if not found:
            return total
    words = "Somebody writes to it. Stop whoever that is, and run this again."
    raise Refused(f"{restoring.table.name} differs again and again from its copy.", words)


def one_round(restoring: Restoring, progress: Progress, segments: int, number: int) -> Differences:
    """Bring every segment to its copy, but for those that were before a run died.

    A table that has grown since may have more segments, and then none of them was.
    """
    done = progress.done(number)
    work = {
        f"{how.__name__}{segment}of{segments}": (how, segment)
        for how in (restoring.put_back, restoring.remove)
        for segment in range(segments)
    }
    title = f"{restoring.table.name}, {'compared again' if number else 'put back'}"
    with progress_bar(title, len(work)) as shown, ThreadPoolExecutor(AT_ONCE) as pool:

        def one(name: str) -> Differences:
            how, segment = work[name]
            if name not in done:
                done[name] = how(segment, segments, write=True)
                progress.note(number, name, done[name])
            shown.advance(1)
            return done[name]

        return sum(pool.map(one, work), Differences())


def compared(restoring: Restoring, segments: int) -> Differences:
    """What would be written, without a change."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        both = [
            pool.submit(how, segment, segments, write=False)
            for how in (restoring.put_back, restoring.remove)
            for segment in range(segments)
        ]
        return sum((each.result() for each in both), Differences())
