"""One DynamoDB table as the rest of storage sees it: plain values, domain errors, units counted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from odometer.domain.errors import NotConfigured, OdometerError, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | bytes | int | bool | list[Any] | dict[str, Any] | None
Item = dict[str, Value]

BATCH_GET = 100
BATCH_WRITE = 25
PATIENCE_SECONDS = 5.0
PATIENCE = Config(  # 3 tries of 5 s and 1 + 2 s between them: a call ends within 18 s
    connect_timeout=1,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
    user_agent_extra="odometer",
)
SERVER_ERROR = 500

PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

UNCONFIGURED = (NoCredentialsError, NoRegionError, PartialCredentialsError, ProfileNotFound)


def connect() -> DynamoDBClient:
    """A client that threads can share; its retries and time-outs are bounded."""
    with domain_errors():
        return boto3.client("dynamodb", config=PATIENCE)


@dataclass(slots=True)
class Meter:
    """Counts what a request costs: capacity units and calls."""

    read_units: float = 0.0
    write_units: float = 0.0
    requests: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count(self, consumed: Iterable[Mapping[str, Any]], *, write: bool) -> None:
        """Add one call and the units that its answer reports."""
        units = sum(float(each.get("CapacityUnits", 0)) for each in consumed)
        with self._lock:
            self.read_units += 0.0 if write else units
            self.write_units += units if write else 0.0
            self.requests += 1


class ConditionFailed(OdometerError):
    """A conditional write met an item that says otherwise; always handled inside storage."""


@contextmanager
def domain_errors() -> Iterator[None]:
    """Turn botocore's errors into the domain's; what is left is a fault of ours."""
    try:
        yield
    except ClientError as error:
        raise of_client_error(error) from error
    except UNCONFIGURED as error:
        raise NotConfigured(str(error)) from error
    except BotoCoreError as error:
        raise Unavailable(type(error).__name__) from error


def of_client_error(error: ClientError) -> OdometerError:
    """The domain error that a refused call means."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(code)
    if code in PASSING or status >= SERVER_ERROR:
        return Unavailable(code)
    return OdometerError(code)


class Plain(TypeDeserializer):
    """DynamoDB's typed values as plain ones: numbers here are whole, bytes are bytes."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)

    def _deserialize_b(self, value: bytes) -> bytes:
        return value


serialize = TypeSerializer().serialize
deserialize = Plain().deserialize


def packed(item: Mapping[str, Value]) -> dict[str, Any]:
    """An item as DynamoDB takes it."""
    return {name: serialize(value) for name, value in item.items()}


def unpacked(item: Mapping[str, Any]) -> Item:
    """An item as DynamoDB gives it, in plain values."""
    return {name: deserialize(value) for name, value in item.items()}


Key = tuple[str, str]


class Table:
    """One table with `pk` and `sk`, both strings; every call is counted by the meter."""

    def __init__(self, name: str, meter: Meter, client: DynamoDBClient) -> None:
        self.name = name
        self.meter = meter
        self.client = client

    def get(self, pk: str, sk: str, *, consistent: bool = False) -> Item | None:
        """One item, or None."""
        answer = self._read(
            "get_item", TableName=self.name, Key=packed_key(pk, sk), ConsistentRead=consistent
        )
        item = answer.get("Item")
        return unpacked(item) if item else None

    def get_many(self, keys: Sequence[Key], *, consistent: bool = False) -> dict[Key, Item]:
        """The items of many keys; all that exist, however often the engine answers in part."""
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), BATCH_GET):
            wanted = [packed_key(*key) for key in keys[start : start + BATCH_GET]]
            for item in self._get_batch(wanted, consistent=consistent):
                found[str(item["pk"]), str(item["sk"])] = item
        return found

    def query(
        self, pk: str, low: str, high: str, *, consistent: bool = False, limit: int | None = None
    ) -> Iterator[Item]:
        """The items of one partition with `low <= sk <= high`, in order, page after page."""
        page: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": packed({":pk": pk, ":low": low, ":high": high}),
            "ConsistentRead": consistent,
            **({"Limit": limit} if limit else {}),
        }
        found = 0
        while True:
            answer = self._read("query", **page)
            yield from map(unpacked, answer["Items"])
            found += len(answer["Items"])
            if "LastEvaluatedKey" not in answer or found == limit:
                return
            page["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            page |= {"Limit": limit - found} if limit else {}

    def put(self, item: Mapping[str, Value]) -> None:
        """Write an item whatever stands there."""
        self._write("put_item", TableName=self.name, Item=packed(item))

    def put_new(self, item: Mapping[str, Value]) -> bool:
        """Write an item where none stands; False when one does."""
        return self._decided(
            "put_item",
            TableName=self.name,
            Item=packed(item),
            ConditionExpression="attribute_not_exists(pk)",
        )

    def put_if(self, item: Mapping[str, Value], attribute: str, expected: Value) -> bool:
        """Replace an item whose attribute has the expected value; False when it has another."""
        return self._decided(
            "put_item",
            TableName=self.name,
            Item=packed(item),
            ConditionExpression="#attribute = :expected",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues=packed({":expected": expected}),
        )

    def put_newer(self, item: Mapping[str, Value], attribute: str) -> bool:
        """Write an item unless the one that stands there has as much or more of an attribute."""
        return self._decided(
            "put_item",
            TableName=self.name,
            Item=packed(item),
            ConditionExpression="attribute_not_exists(pk) OR #attribute < :mine",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues=packed({":mine": item[attribute]}),
        )

    def put_many(self, items: Sequence[Mapping[str, Value]]) -> None:
        """Write many items, all of them or an error; the keys must differ."""
        for start in range(0, len(items), BATCH_WRITE):
            batch = [{"PutRequest": {"Item": packed(item)}} for item in items[start:][:BATCH_WRITE]]
            self._write_batch(batch)

    def change(self, pk: str, sk: str, values: Mapping[str, Value], **expected: Value) -> bool:
        """Set some attributes of an item that exists; False when it does not, or is another."""
        marks = {f"s{index}": name for index, name in enumerate(values)}
        held = {f"c{index}": name for index, name in enumerate(expected)}
        conditions = ["attribute_exists(pk)", *(f"#{mark} = :{mark}" for mark in held)]
        return self._decided(
            "update_item",
            TableName=self.name,
            Key=packed_key(pk, sk),
            UpdateExpression="SET " + ", ".join(f"#{mark} = :{mark}" for mark in marks),
            ConditionExpression=" AND ".join(conditions),
            ExpressionAttributeNames={f"#{mark}": name for mark, name in {**marks, **held}.items()},
            ExpressionAttributeValues=packed(
                {f":{mark}": values[name] for mark, name in marks.items()}
                | {f":{mark}": expected[name] for mark, name in held.items()}
            ),
        )

    def delete(self, pk: str, sk: str) -> None:
        """Remove an item; removing it again is nothing."""
        self._write("delete_item", TableName=self.name, Key=packed_key(pk, sk))

    def _get_batch(self, keys: list[dict[str, Any]], *, consistent: bool) -> Iterator[Item]:
        for pause in pauses():
            answer = self._read(
                "batch_get_item",
                RequestItems={self.name: {"Keys": keys, "ConsistentRead": consistent}},
            )
            yield from map(unpacked, answer["Responses"].get(self.name, []))
            left = answer.get("UnprocessedKeys", {}).get(self.name)
            if not left:
                return
            keys = left["Keys"]
            pause()

    def _write_batch(self, batch: list[Any]) -> None:
        for pause in pauses():
            answer = self._write("batch_write_item", RequestItems={self.name: batch})
            batch = answer.get("UnprocessedItems", {}).get(self.name, [])
            if not batch:
                return
            pause()

    def _decided(self, operation: str, **arguments: Any) -> bool:
        try:
            self._write(operation, **arguments)
        except ConditionFailed:
            return False
        return True

    def _read(self, operation: str, **arguments: Any) -> Any:
        return self._call(operation, arguments, write=False)

    def _write(self, operation: str, **arguments: Any) -> Any:
        return self._call(operation, arguments, write=True)

    def _call(self, operation: str, arguments: dict[str, Any], *, write: bool) -> Any:
        with domain_errors():
            answer = getattr(self.client, operation)(ReturnConsumedCapacity="TOTAL", **arguments)
        consumed = answer.get("ConsumedCapacity", [])
        self.meter.count(consumed if isinstance(consumed, list) else [consumed], write=write)
        return answer


def packed_key(pk: str, sk: str) -> dict[str, Any]:
    """A primary key as DynamoDB takes it."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def pauses() -> Iterator[Callable[[], None]]:
    """Growing, jittered waits between tries; out of patience, storage is unavailable."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    ceiling_seconds = 0.05
    while time.monotonic() < gives_up_at:
        jitter = random.uniform(0.5, 1)  # noqa: S311  it hides nothing
        yield partial(time.sleep, ceiling_seconds * jitter)
        ceiling_seconds = min(ceiling_seconds * 2, 1.0)
    raise Unavailable("items left unprocessed")
