"""A whole deployment in this process: the template's tables on moto, every function at hand."""

import base64
import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import RLock
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore import session
from botocore.loaders import Loader, create_loader
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table as MotoTable

from odometer.access.keys import issue
from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.directory.columns import Row
from odometer.directory.upsert import Status
from odometer.domain.people import Role
from odometer.domain.time import instant_of_ms
from odometer.storage.aws import botocore_session
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Meter
from odometer.web.endpoint import Endpoint
from odometer.web.files import ROUTES as PAGE
from tests.support.memory_directory import ACME, NOON, new_head

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "DIRECTORY_TABLE": "directory",
    "USAGE_TABLE": "usage",
    "LOG_TABLE": "log",
    "ACTIVITY_TABLE": "activity",
    "SECRET_ID": "odometer",
    "WORK_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/work.fifo",
}
OTHER = "bb7cf840-9ca9-46a3-9778-9015d6580d51"
KEY_TYPES = {"pk": "HASH", "sk": "RANGE"}
TABLES = ("directory", "usage", "log", "activity")
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 29_000)


Copy = Mapping[str, list[dict[str, Any]]]
"""The items of tables, by the names of the tables."""


@dataclass(frozen=True)
class Reply:
    """An answer as a client sees it."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@cache
def endpoints() -> dict[str, Endpoint]:
    return {name: each for name, each in functions().items() if isinstance(each, Endpoint)}


@cache
def functions() -> dict[str, Any]:
    """Every function by its folder, loaded as Lambda loads it."""
    return {
        f"{path.parent.parent.name}/{path.parent.name}": load(path).handler
        for path in sorted((ROOT / "functions").glob("*/*/app.py"))
    }


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("_".join(path.parts[-3:-1]), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Stack:
    """A deployment in this process, called like the gateway calls it."""

    directories: DirectoryStore
    keys: dict[str, str] = field(default_factory=dict)
    now: datetime | None = None
    """The time in functions; None is the real time."""

    def call(
        self,
        method: str,
        url: str,
        key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Reply:
        sent = {"authorization": f"Bearer {key}"} if key else {}
        if body is not None and not isinstance(body, str | bytes):
            body, sent = json.dumps(body), {**sent, "content-type": "application/json"}
        return self.answer(proxy_event(method, url, {**sent, **(headers or {})}, body))

    def answer(self, event: dict[str, Any]) -> Reply:
        return answer_to(event, self.now)

    def get(self, url: str, key: str | None = None, **headers: str) -> Reply:
        return self.call("GET", url, key, headers=headers)

    def put(self, key: str, document: Any) -> Reply:
        return self.call("PUT", "/v1/directory", key, body=document)

    def user(self, organization: str, **row: Any) -> str:
        return self.apply(organization, "user", row)

    def apply(self, organization: str, kind: str, row: Row) -> str:
        """Put one row past the API, at noon or when its state began, and return its id."""
        now = max(NOON, instant_of_ms(row.get("state_since", 0)))
        outcome = self.directories.change(organization, now, lambda edit: edit.apply(kind, row))
        assert outcome.status in (Status.CREATED, Status.UPDATED, Status.UNCHANGED), outcome
        return outcome.id or ""

    def key(
        self,
        organization: str,
        user_id: str,
        *scopes: Scope,
        expires_at: datetime | None = None,
        now: datetime = NOON,
    ) -> str:
        """A new key of a user, with every scope by default."""
        user = self.directories.open(organization).user_by_id(user_id)
        assert user
        key, credential = issue(
            organization,
            "test",
            user.ordinal,
            frozenset(scopes or Scope),
            process().secret,
            now,
            expires_at,
        )
        self.directories.add_credential(credential)
        return str(key)


def proxy_event(
    method: str, url: str, headers: Mapping[str, str], body: str | bytes | None = None
) -> dict[str, Any]:
    """What API Gateway passes on for a request: decoded once, empty maps null."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    query = parse_qs(parts.query, keep_blank_values=True)
    encoded = isinstance(body, bytes)
    return {
        "httpMethod": method,
        "path": path,
        "resource": path,
        "headers": dict(headers) or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "requestContext": {"requestId": "request-1"},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": encoded,
    }


def answer_to(event: dict[str, Any], now: datetime | None = None) -> Reply:
    """Route an event as the gateway does; the answer is as a client sees it."""
    handler, parameters = routed(event["httpMethod"], event["path"])
    if now:
        handler = replace(handler, clock=lambda: now)
    return reply_of(handler({**event, "pathParameters": parameters or None}, CONTEXT))


def reply_of(answer: Mapping[str, Any]) -> Reply:
    body = answer["body"]
    text = base64.b64decode(body).decode() if answer["isBase64Encoded"] else body
    return Reply(answer["statusCode"], answer["headers"], text)


def routed(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """The function of a path: static segments win, the catch-all takes the rest."""
    found = [
        (endpoint, parameters)
        for endpoint in endpoints().values()
        if endpoint.method == method != "OPTIONS"
        and (parameters := matched(endpoint.path, path)) is not None
    ]
    if method == "OPTIONS" and path in embedded():
        return endpoints()["edge/preflight"], {}
    if method == "GET" and (path in PAGE or path.startswith("/page/")):
        return endpoints()["edge/page"], {"file": path.removeprefix("/page/")}
    if not found:
        return endpoints()["edge/not_found"], {"proxy": path.lstrip("/")}
    return min(found, key=lambda pair: len(pair[1]))


def embedded() -> set[str]:
    """The paths that embed tokens open."""
    return {each.path for each in endpoints().values() if each.may and each.may.embeds}


def matched(route: str, path: str) -> dict[str, str] | None:
    """The path parameters, or None if the route does not match."""
    wanted, sent = route.split("/"), path.split("/")
    pairs = list(zip(wanted, sent, strict=False))
    named = {one[1:-1]: other for one, other in pairs if one.startswith("{")}
    same = all(one == other or (one.startswith("{") and other) for one, other in pairs)
    return named if same and len(wanted) == len(sent) else None


@contextmanager
def stack_on_moto() -> Iterator[Stack]:
    """The template's tables and secret, in a process that remembers nothing."""
    with (
        patch.dict(os.environ, ENVIRONMENT),
        patch.object(session, "create_loader", loader_of_all_tests),
        mock_aws(),
        one_call_at_a_time(),
        queries_of_one_partition(),
    ):
        create_tables(boto3.client("dynamodb"))
        boto3.client("secretsmanager").create_secret(Name="odometer", SecretString="not a secret")
        yield new_stack()


@cache
def loader_of_all_tests(search_path: str | None = None) -> Loader:
    """What botocore's clients are made of is parsed once, which takes as long as all else here."""
    return create_loader(search_path)


@contextmanager
def one_call_at_a_time() -> Iterator[None]:
    """No thread changes the tables of moto while another one reads them, which moto fails at."""
    answer, lock = BotocoreStubber.process_request, RLock()

    def answer_alone(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return answer(stubber, request)

    with patch.object(BotocoreStubber, "process_request", answer_alone):
        yield


@contextmanager
def queries_of_one_partition() -> Iterator[None]:
    """A query does not sort all items of its table first, as moto's does."""
    query = MotoTable.query

    def query_partition(table: MotoTable, hash_key: DynamoType, *rest: Any, **others: Any) -> Any:
        partition = {hash_key: table.items.get(hash_key, {})}
        with patch.object(table, "items", partition):
            return query(table, hash_key, *rest, **others)

    with patch.object(MotoTable, "query", query_partition):
        yield


def new_stack() -> Stack:
    """A deployment with two organizations that have no users."""
    process.cache_clear()
    botocore_session.cache_clear()
    stack = Stack(process().directories(Meter()))
    stack.directories.create(new_head(ACME, "Acme Corp"))
    stack.directories.create(new_head(OTHER, "Other Corp"))
    return stack


def create_tables(client: Any, names: Iterable[str] = TABLES) -> None:
    """Tables with the one key schema that all have."""
    for name in names:
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in KEY_TYPES
            ],
            KeySchema=[{"AttributeName": key, "KeyType": KEY_TYPES[key]} for key in KEY_TYPES],
        )


def items_of(table: str) -> list[dict[str, Any]]:
    return process().dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]


def copy_of_tables(names: Iterable[str] = ("directory", "log", "usage")) -> Copy:
    """All items of some tables, by default those that the engine works on."""
    return {name: items_of(name) for name in names}


def restore_tables(copy: Copy) -> None:
    """Make tables again under their names, with the items of a copy and no others."""
    client = process().dynamodb
    for table, items in copy.items():
        client.delete_table(TableName=table)
        create_tables(client, [table])
        for item in items:
            client.put_item(TableName=table, Item=item)


def admin_of(stack: Stack, organization: str) -> str:
    user = stack.user(organization, username=f"admin@{organization[:4]}.example", role=Role.ADMIN)
    return stack.key(organization, user)
