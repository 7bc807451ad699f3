"""One DynamoDB table: plain values, domain errors, units counted. The engine's `Store` is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from threading import Lock
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from odometer.domain.errors import NotConfigured, OdometerError, Unavailable
from odometer.domain.stored import stored
from odometer.engine.store import Item as StoredItem
from odometer.engine.store import KeyRange, Made, PagesOf, items_of
from odometer.storage.aws import (
    DICE,
    Call,
    Cancelled,
    ConditionFailed,
    LeanClient,
    answered,
    client_of,
    first_answers,
    sent,
)

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | bytes | int | bool | list[Any] | dict[str, Any] | None
Item = dict[str, Value]

BATCH_GET = 100
BATCH_WRITE = 25
BATCHES_AT_ONCE = 8
SENT_AT_ONCE = 16
"""So many key ranges are asked for before the first answer is read; readers read more."""
PATIENCE_SECONDS = 5.0
SERVER_ERROR = 500
TYPES = {str: "S", bool: "BOOL", int: "N", bytes: "B", list: "L", dict: "M", NoneType: "NULL"}
"""The name of each type in DynamoDB; the first that fits, for a bool is an int."""

PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


def connect() -> DynamoDBClient:
    with domain_errors():
        found: DynamoDBClient = client_of("dynamodb")
        return found


@dataclass(slots=True)
class Meter:
    """The capacity units and the calls that a request has used so far."""

    read_units: float = 0.0
    write_units: float = 0.0
    requests: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def figures(self) -> dict[str, float]:
        """What a line of the log says of them."""
        units = {"read_units": self.read_units, "write_units": self.write_units}
        return {**units, "storage_requests": self.requests}

    def count(self, consumed: Iterable[Mapping[str, Any]], *, write: bool) -> None:
        units = sum(float(each.get("CapacityUnits", 0)) for each in consumed)
        with self._lock:
            self.read_units += 0.0 if write else units
            self.write_units += units if write else 0.0
            self.requests += 1


class Unanswered(Unavailable):
    """No answer came, however often and long it was waited for."""


class Contested(Unavailable):
    """Somebody is writing the same item together with others."""


@contextmanager
def domain_errors() -> Iterator[None]:
    """Raise what goes wrong at AWS as an error of ours; botocore is imported by then, or never."""
    try:
        yield
    except OdometerError:
        raise
    except Exception as error:
        from botocore import exceptions as known

        match error:
            case known.ClientError():
                raise of_client_error(error) from error
            case (
                known.NoCredentialsError()
                | known.NoRegionError()
                | known.PartialCredentialsError()
                | known.ProfileNotFound()
            ):
                raise NotConfigured(str(error)) from error
            case known.BotoCoreError():
                raise Unanswered(type(error).__name__) from error
        raise


def of_client_error(error: ClientError) -> OdometerError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(code)
    if code == "TransactionCanceledException":
        return Cancelled(error.response.get("CancellationReasons", ()))
    if code == "TransactionConflictException":
        return Contested(code)
    if code in PASSING or status >= SERVER_ERROR:
        return Unavailable(code)
    return OdometerError(code)


def serialize(value: Value) -> dict[str, Any]:
    kind = TYPES.get(type(value)) or next(n for of, n in TYPES.items() if isinstance(value, of))
    match value:
        case list():
            return {kind: [serialize(each) for each in value]}
        case dict():
            return {kind: to_dynamodb(value)}
        case None:
            return {kind: True}
    return {kind: str(int(value)) if kind == "N" else value}


def deserialize(typed: Mapping[str, Any]) -> Value:
    """The plain value; a number is an `int`, for all of ours are whole."""
    ((kind, value),) = typed.items()
    match kind:
        case "N":
            return int(value)
        case "L":
            return [deserialize(each) for each in value]
        case "M":
            return plain(value)
        case "NULL":
            return None
    found: str | bytes | bool = value
    return found


def to_dynamodb(item: Mapping[str, Value]) -> dict[str, Any]:
    return {name: serialize(value) for name, value in item.items()}


def plain(typed: Mapping[str, Any]) -> Item:
    return {name: deserialize(value) for name, value in typed.items()}


from_dynamodb = stored(plain)
"""The plain values of an item."""


Each = TypeVar("Each")
Key = tuple[str, str]
Found = Mapping[Key, StoredItem]


COUNTED: Mapping[str, Any] = {"ReturnConsumedCapacity": "TOTAL"}
READS = ("get_item", "batch_get_item", "query")
IN_TRANSACTIONS = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}
FAILED, CONTESTED = "ConditionalCheckFailed", "TransactionConflict"
PASSING_REASONS = frozenset(
    {CONTESTED, "ProvisionedThroughputExceeded", "ThrottlingError", "None", FAILED}
)
"""Why writes may be cancelled that could be made a moment later."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write under a condition, to be made alone or together with others."""

    table: Table
    operation: str
    arguments: Mapping[str, Any]

    def make(self) -> bool:
        """Make it alone; return whether its condition holds."""
        return self.table.make(self)


def make_together(writes: Sequence[Write]) -> list[int]:
    """Make writes all at once, or none; the places of those whose conditions do not hold.

    `Contested` says that others write the same items, or that there is no room now.
    """
    items = [{IN_TRANSACTIONS[each.operation]: dict(each.arguments)} for each in writes]
    try:
        writes[0].table.transact(items)
    except Cancelled as cancelled:
        if not PASSING_REASONS.issuperset(cancelled.codes):
            raise
        failed = [place for place, code in enumerate(cancelled.codes) if code == FAILED]
        if not failed:
            raise Contested(str(cancelled)) from cancelled
        return failed
    return []


@dataclass(slots=True)
class Table:
    """One table with `pk` and `sk`, both strings; every call is counted by the meter."""

    name: str
    meter: Meter
    client: DynamoDBClient
    readers: Executor | None = None
    """They read key ranges in parallel; without them they are read in turn."""

    def get(self, pk: str, sk: str) -> Item | None:
        key = key_of(pk, sk)
        answer = self._call("get_item", TableName=self.name, Key=key, ConsistentRead=True)
        item = answer.get("Item")
        return from_dynamodb(item) if item else None

    def get_each(self, pk: str, sks: Sequence[str]) -> list[StoredItem | None]:
        found = self.get_many([(pk, sk) for sk in sks], consistent=True)
        return [found.get((pk, sk)) for sk in sks]

    def get_many(self, keys: Sequence[Key], *, consistent: bool = False) -> dict[Key, Item]:
        """The items of many keys, as far as they exist, also where DynamoDB answers in part."""
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), BATCH_GET):
            wanted = [key_of(*key) for key in keys[start : start + BATCH_GET]]
            for item in self._get_batch(wanted, consistent=consistent):
                found[str(item["pk"]), str(item["sk"])] = item
        return found

    def get_with(
        self, keys: Sequence[Key], other: Table, others: Sequence[Key]
    ) -> tuple[Found, Found | None]:
        """Items as they are now, and in the same call those of another table.

        None in place of the others if they do not come at once: whoever needs them asks again, so
        that a table that fails does not fail those who do not need it.
        """
        wanted = {table.name: wanted_now(some) for table, some in ((self, keys), (other, others))}
        try:
            answer = self._call("batch_get_item", RequestItems=wanted)
        except Unanswered:
            raise
        except OdometerError:
            return self.get_many(keys, consistent=True), None
        left = answer.get("UnprocessedKeys", {})
        found, beside = (by_key(answer["Responses"].get(name, [])) for name in wanted)
        if self.name in left:
            rest = [(key["pk"]["S"], key["sk"]["S"]) for key in left[self.name]["Keys"]]
            found |= self.get_many(rest, consistent=True)
        return found, None if other.name in left else beside

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[StoredItem]]:
        return self.pages_of_each([PagesOf(key_range, items_of) for key_range in key_ranges])

    def query(
        self, pk: str, low: str, high: str, *, consistent: bool = False, limit: int | None = None
    ) -> Iterator[Item]:
        """The items of one partition with `low <= sk <= high`, in order, page by page."""
        return chain.from_iterable(self._pages(KeyRange(pk, low, high, consistent, limit)))

    def pages(self, key_range: KeyRange) -> Iterator[list[StoredItem]]:
        return map(list, self._pages(key_range))

    def begin_read(self, key_ranges: Sequence[KeyRange]) -> Call[list[list[StoredItem]]] | None:
        """Ask for key ranges and read the answers later; None where only `read` can ask."""
        return self._begin_pages([PagesOf(key_range, items_of) for key_range in key_ranges])

    def pages_of_each(self, several: Sequence[PagesOf[Made]]) -> list[Made]:
        begun = self._begin_pages(several) if len(several) > 1 else None
        return answered(begun) if begun else self._at_once(self._made, several)

    def _begin_pages(self, several: Sequence[PagesOf[Made]]) -> Call[list[Made]] | None:
        if len(several) > SENT_AT_ONCE or not isinstance(self.client, LeanClient):
            return None
        asked = [{**COUNTED, **self._page(each.key_range)} for each in several]
        calls = self.client.begin("query", asked)
        return sent(self._made_of_each(several, calls)) if calls else None

    def _made_of_each(
        self, several: Sequence[PagesOf[Made]], calls: Sequence[Call[Any]]
    ) -> Call[list[Made]]:
        """What is made of pages: the first ones are read here, and those that follow by readers."""
        yield
        pairs = list(zip(several, self._first_pages(calls), strict=True))
        if any(goes_on(answer, each.key_range.limit) for each, answer in pairs):
            return self._at_once(lambda pair: self._made(*pair), pairs)
        return [self._made(*pair) for pair in pairs]

    def _first_pages(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """The answers; from the first that takes other tries on, all are waited for at once."""
        found = [self._counted("query", answer) for answer in first_answers(calls)]
        return found + self._at_once(self._answered_query, calls[len(found) :])

    def _answered_query(self, call: Call[Any]) -> Any:
        with domain_errors():
            answer = answered(call)
        return self._counted("query", answer)

    def _made(self, each: PagesOf[Made], first: Any = None) -> Made:
        return each.make(map(list, self._pages(each.key_range, first)))

    def _page(self, wanted: KeyRange) -> dict[str, Any]:
        """The question for the first page of a key range."""
        ends = {":pk": wanted.pk, ":low": wanted.first, ":high": wanted.last}
        return {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": to_dynamodb(ends),
            "ConsistentRead": wanted.strong,
            "ScanIndexForward": not wanted.newest_first,
            **({"Limit": wanted.limit} if wanted.limit else {}),
        }

    def _pages(self, wanted: KeyRange, first: Any = None) -> Iterator[list[Item]]:
        """The pages of a key range, of which the first one may have been answered."""
        page, left = self._page(wanted), wanted.limit
        answer = self._call("query", **page) if first is None else first
        while True:
            yield [from_dynamodb(item) for item in answer["Items"]]
            if not goes_on(answer, left):
                return
            left = left and left - len(answer["Items"])
            page |= {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
            page |= {"Limit": left} if left else {}
            answer = self._call("query", **page)

    def put(self, item: Mapping[str, Value]) -> None:
        self._call("put_item", TableName=self.name, Item=to_dynamodb(item))

    def put_new(self, item: Mapping[str, Value]) -> bool:
        return self.write_new(item).make()

    def write_new(self, item: Mapping[str, Value]) -> Write:
        condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        return self._write("put_item", Item=to_dynamodb(item), **condition)

    def put_if(self, item: Mapping[str, Value], attribute: str, expected: Value) -> bool:
        """Replace an item if an attribute has the expected value; return whether it did."""
        return self.write_if(item, attribute, expected).make()

    def write_if(self, item: Mapping[str, Value], attribute: str, expected: Value) -> Write:
        return self._write_where("#attribute = :value", item, attribute, expected)

    def write_once(self, item: Mapping[str, Value], by: str) -> Write:
        """Store an item that is not there; done also if it is, with this value of an attribute.

        For then a first try has stored it, and its answer was lost.
        """
        condition = "attribute_not_exists(#attribute) OR #attribute = :value"
        return self._write_where(condition, item, by, item[by])

    def put_newer(self, item: Mapping[str, Value], by: str) -> bool:
        condition = "attribute_not_exists(#attribute) OR #attribute < :value"
        return self._write_where(condition, item, by, item[by]).make()

    def put_all(self, items: Iterable[Mapping[str, Value]]) -> None:
        """Store items of different keys, some batches at a time: no more are in memory."""
        self._write_all({"PutRequest": {"Item": to_dynamodb(item)}} for item in items)

    def delete_all(self, keys: Iterable[Key]) -> None:
        self._write_all({"DeleteRequest": {"Key": key_of(*key)}} for key in keys)

    def _write_all(self, requests: Iterable[dict[str, Any]]) -> None:
        left = iter(requests)
        while some := list(islice(left, BATCH_WRITE * BATCHES_AT_ONCE)):
            batches = [some[at : at + BATCH_WRITE] for at in range(0, len(some), BATCH_WRITE)]
            self._at_once(self._write_batch, batches)

    def put_all_newer(self, items: Iterable[Mapping[str, Value]], by: str) -> None:
        self._at_once(lambda item: self.put_newer(item, by), list(items))

    def change(self, pk: str, sk: str, values: Mapping[str, Value], **expected: Value) -> bool:
        """Set attributes of an item that exists and is as expected; return whether it was."""
        return self.write_change(pk, sk, values, **expected).make()

    def write_change(
        self, pk: str, sk: str, values: Mapping[str, Value], **expected: Value
    ) -> Write:
        changed = {f"s{index}": pair for index, pair in enumerate(values.items())}
        checked = {f"c{index}": pair for index, pair in enumerate(expected.items())}
        both = {**changed, **checked}
        conditions = ["attribute_exists(pk)", *(f"#{alias} = :{alias}" for alias in checked)]
        return self._write(
            "update_item",
            Key=key_of(pk, sk),
            UpdateExpression="SET " + ", ".join(f"#{alias} = :{alias}" for alias in changed),
            ConditionExpression=" AND ".join(conditions),
            ExpressionAttributeNames={f"#{alias}": name for alias, (name, _) in both.items()},
            ExpressionAttributeValues=to_dynamodb(
                {f":{alias}": value for alias, (_, value) in both.items()}
            ),
        )

    def add_missing(
        self, pk: str, sk: str, missing: Mapping[str, Value], values: Mapping[str, Value]
    ) -> None:
        """Set attributes of an item, and those that it lacks; make it if it is not there."""
        names = {f"#{name}": name for name in (*missing, *values)}
        sets = [f"#{name} = if_not_exists(#{name}, :{name})" for name in missing]
        sets += [f"#{name} = :{name}" for name in values]
        self._call(
            "update_item",
            TableName=self.name,
            Key=key_of(pk, sk),
            UpdateExpression=f"SET {', '.join(sets)}",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_dynamodb(
                {f":{name}": value for name, value in {**missing, **values}.items()}
            ),
        )

    def add(self, pk: str, sk: str, amounts: Mapping[str, int], **values: Value) -> Item:
        """Add to numbers of an item, which is made if it is not there; the item as it is then.

        A number is added twice where an answer was lost and the call was made again.
        """
        adds = {f"a{index}": pair for index, pair in enumerate(amounts.items())}
        sets = {f"s{index}": pair for index, pair in enumerate(values.items())}
        both = {**adds, **sets}
        answer = self._call(
            "update_item",
            TableName=self.name,
            Key=key_of(pk, sk),
            UpdateExpression=f"ADD {', '.join(f'#{each} :{each}' for each in adds)}"
            f" SET {', '.join(f'#{each} = :{each}' for each in sets)}",
            ExpressionAttributeNames={f"#{alias}": name for alias, (name, _) in both.items()},
            ExpressionAttributeValues=to_dynamodb(
                {f":{alias}": value for alias, (_, value) in both.items()}
            ),
            ReturnValues="ALL_NEW",
        )
        return from_dynamodb(answer["Attributes"])

    def replace(self, before: Mapping[str, Value], after: Mapping[str, Value]) -> bool:
        """Change the attributes that differ if nobody has changed them; return whether it did."""
        names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        new = {f":n{i}": after[name] for i, name in enumerate(names) if name in after}
        old = {f":o{i}": before[name] for i, name in enumerate(names) if name in before}
        sets = [f"#a{i} = :n{i}" for i, name in enumerate(names) if name in after]
        gone = [f"#a{i}" for i, name in enumerate(names) if name not in after]
        changes = [("SET", sets), ("REMOVE", gone)]
        return self._decided(
            "update_item",
            TableName=self.name,
            Key=key_of(str(before["pk"]), str(before["sk"])),
            UpdateExpression=" ".join(
                f"{verb} {', '.join(each)}" for verb, each in changes if each
            ),
            ConditionExpression=" AND ".join(unchanged(names, before)),
            ExpressionAttributeNames={f"#a{i}": name for i, name in enumerate(names)},
            ExpressionAttributeValues=to_dynamodb({**new, **old}),
        )

    def delete(self, pk: str, sk: str) -> None:
        self._call("delete_item", TableName=self.name, Key=key_of(pk, sk))

    def delete_unchanged(self, item: Mapping[str, Value]) -> bool:
        """Remove an item if nobody has changed it; return whether it did."""
        names = sorted(item.keys() - {"pk", "sk"})
        return self._decided(
            "delete_item",
            TableName=self.name,
            Key=key_of(str(item["pk"]), str(item["sk"])),
            ConditionExpression=" AND ".join(unchanged(names, item)),
            ExpressionAttributeNames={f"#a{i}": name for i, name in enumerate(names)},
            ExpressionAttributeValues=to_dynamodb(
                {f":o{i}": item[name] for i, name in enumerate(names)}
            ),
        )

    def _at_once(self, do: Callable[[Each], Made], several: Sequence[Each]) -> list[Made]:
        """What is done with each of several: with the last one here, with the others by readers."""
        if self.readers is None or not several:
            return list(map(do, several))
        *others, last = several
        begun = [self.readers.submit(do, each) for each in others]
        try:
            here = do(last)
            return [*(each.result() for each in begun), here]
        finally:
            for each in begun:
                each.cancel()

    def _get_batch(self, keys: list[dict[str, Any]], *, consistent: bool) -> Iterator[Item]:
        for pause in backoff():
            wanted = {"Keys": keys, "ConsistentRead": consistent}
            answer = self._call("batch_get_item", RequestItems={self.name: wanted})
            yield from map(from_dynamodb, answer["Responses"].get(self.name, []))
            left = answer.get("UnprocessedKeys", {}).get(self.name)
            if not left:
                return
            keys = left["Keys"]
            pause()

    def _write_batch(self, batch: list[Any]) -> None:
        for pause in backoff():
            answer = self._call("batch_write_item", RequestItems={self.name: batch})
            batch = answer.get("UnprocessedItems", {}).get(self.name, [])
            if not batch:
                return
            pause()

    def write_deletion(self, pk: str, sk: str) -> Write:
        return self._write(
            "delete_item", Key=key_of(pk, sk), ConditionExpression="attribute_exists(pk)"
        )

    def make(self, write: Write) -> bool:
        """Make one write; return whether its condition holds."""
        return self._decided(write.operation, **write.arguments)

    def transact(self, items: Sequence[Mapping[str, Any]]) -> None:
        self._call("transact_write_items", TransactItems=items)

    def _write(self, operation: str, **arguments: Any) -> Write:
        return Write(self, operation, {"TableName": self.name, **arguments})

    def _write_where(
        self, condition: str, item: Mapping[str, Value], attribute: str, value: Value
    ) -> Write:
        return self._write(
            "put_item",
            Item=to_dynamodb(item),
            ConditionExpression=condition,
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues=to_dynamodb({":value": value}),
        )

    def _decided(self, operation: str, **arguments: Any) -> bool:
        """Whether the condition of a write holds, once nobody else writes the item."""
        for pause in backoff():
            try:
                self._call(operation, **arguments)
            except ConditionFailed:
                return False
            except Contested:
                pause()
            else:
                return True
        raise Contested(operation)

    def _call(self, operation: str, **arguments: Any) -> Any:
        with domain_errors():
            answer = getattr(self.client, operation)(**COUNTED, **arguments)
        return self._counted(operation, answer)

    def _counted(self, operation: str, answer: Any) -> Any:
        found = answer.get("ConsumedCapacity", [])
        consumed = found if isinstance(found, list) else [found]
        self.meter.count(consumed, write=operation not in READS)
        return answer


def goes_on(answer: Mapping[str, Any], limit: int | None) -> bool:
    """Whether pages follow the one that was answered, of so many items at most."""
    return "LastEvaluatedKey" in answer and len(answer["Items"]) != limit


def key_of(pk: str, sk: str) -> dict[str, Any]:
    return to_dynamodb({"pk": pk, "sk": sk})


def wanted_now(keys: Iterable[Key]) -> dict[str, Any]:
    return {"Keys": [key_of(*key) for key in keys], "ConsistentRead": True}


def by_key(found: Iterable[Mapping[str, Any]]) -> dict[Key, Item]:
    return {(str(item["pk"]), str(item["sk"])): item for item in map(from_dynamodb, found)}


def unchanged(names: Sequence[str], before: Mapping[str, Value]) -> Iterator[str]:
    """The conditions that attributes are as they were, missing ones too."""
    yield "attribute_exists(pk)"
    for i, name in enumerate(names):
        yield f"#a{i} = :o{i}" if name in before else f"attribute_not_exists(#a{i})"


def backoff() -> Iterator[Callable[[], None]]:
    """Functions that wait, each longer than the last; storage is unavailable when time is up."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    ceiling_seconds = 0.05
    while time.monotonic() < gives_up_at:
        jitter = DICE.uniform(0.5, 1)
        yield partial(time.sleep, ceiling_seconds * jitter)
        ceiling_seconds = min(ceiling_seconds * 2, 1.0)
    raise Unavailable("items left unprocessed")
