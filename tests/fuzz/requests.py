"""Every route, with requests of which something is not as it should be."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from local.sample_event import fill_placeholders
from odometer.bootstrap import process
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.web.endpoint import Endpoint
from odometer.web.models import Body, Query, parameter_names
from tests.fuzz.choices import Choices
from tests.fuzz.damage import TOKENS, damaged_bytes, damaged_json, damaged_text
from tests.fuzz.frozen_tables import FrozenTables
from tests.fuzz.target import Target, Wrong
from tests.support.memory_directory import ACME
from tests.support.people import people_of
from tests.support.stack import CONTEXT, OTHER, TABLES, copy_of_tables, endpoints, stack_on_moto
from tests.support.usage_sender import UsageSender, used

SAMPLES = Path(__file__).parents[2] / "events"
APP = "cc7cf840-9ca9-46a3-9778-9015d6580d52"
DAY = datetime(2026, 2, 3, tzinfo=UTC)
NOW = datetime(2026, 2, 12, 9, 30, tzinfo=UTC)
HEADERS = (
    *("authorization", "accept", "content-type", "idempotency-key", "origin", "if-none-match"),
    *("x-request-id", "accept-encoding", "cookie", "content-encoding"),
)
SAID = (
    *("application/json", "text/csv", "application/x-ndjson", "application/cloudevents+json"),
    *("application/cloudevents-batch+json", "*/*;q=0.1", "gzip;q=0", 'W/"5f"', "null"),
    *("https://app.example.com", "http://localhost:3000"),
)
LARGEST_HEADER = 10_240
SERVER_ERROR = 500

Event = dict[str, Any]


class World:
    """A deployment whose tables never change, and names of what is in it."""

    def __init__(self) -> None:
        with stack_on_moto() as stack, patch("odometer.logs.write"):
            people_of(stack, OTHER)
            us = people_of(stack, ACME)
            stack.apply(ACME, "product", {"id": APP, "name": "Mail", "kind": "app"})
            products = [*DEFAULT_PRODUCTS, APP]
            events = [used("acme-member", each, DAY, 1, 2, 3) for each in products]
            sender = UsageSender(ACME)
            sender.send(events, DAY)
            sender.settle(NOW)
            sender.send([used("acme-lead", "chat", DAY, 5)], NOW)
            self.names = {
                "ADMIN_TOKEN": us.key("admin"),
                "INGEST_TOKEN": us.key("admin"),
                "MANAGER_TOKEN": us.key("manager"),
                "MEMBER_TOKEN": us.key("member"),
                "TEAMLEAD_TOKEN": us.key("lead"),
                "EMBED_TOKEN": us.token(),
                "APP_ID": APP,
                "ORG_ID": ACME,
                "TEAM_ID": "acme-core",
                "USER_ID": "acme-member",
                "NEW_USER_ID": "acme-stranger",
                "DEMO_FROM": "2026-01-15",
                "DEMO_TO": "2026-02-10",
            }
            self.names["NEW_KEY_ID"] = self.names["MEMBER_TOKEN"][26:38]
            self.tables = FrozenTables(copy_of_tables(TABLES))
            self.process = process()
            self.process.secret  # noqa: B018  it is read while there is somebody to ask
        for threads in ("readers", "workers"):  # a process that is forked has none of them
            vars(self.process).pop(threads, None)


@cache
def world() -> World:
    return World()


@contextmanager
def at_work(said: list[Mapping[str, Any]]) -> Iterator[World]:
    """The process of functions is that of the world; what they log is kept."""
    there = world()
    there.process.__dict__["dynamodb"] = there.tables
    with (
        patch("odometer.web.endpoint.process", lambda: there.process),
        patch("odometer.triggers.process", lambda: there.process),
        patch("odometer.logs.write", said.append),
    ):
        yield there


def samples_of(name: str) -> list[str]:
    """The sample events of a function, with names that are there."""
    slug = name.replace("/", "-").replace("_", "-")
    return [path.read_text() for path in sorted(SAMPLES.glob(f"{slug}.*.json"))]


@cache
def filled(name: str) -> list[Event]:
    names = world().names
    known = {**dict.fromkeys(("EXPIRED_TOKEN", "REVOKED_TOKEN"), "odo_"), **names}
    several = [fill_placeholders(text, lambda it: known.get(it, "x")) for text in samples_of(name)]
    return [json.loads(text) for text in several]


def target_of(name: str, endpoint: Endpoint) -> Target:
    at_noon = replace(endpoint, clock=lambda: NOW)
    known = known_parameters(endpoint)

    def read(choices: Choices) -> str:
        event = changed(choices.of(filled(name)), known, choices)
        return answered(at_noon, event)

    return Target(f"{endpoint.method} {endpoint.path}", read, share=12, quick=20)


def known_parameters(endpoint: Endpoint) -> list[str]:
    models = [kind for kind in endpoint.needs.values() if issubclass(kind, Query | Body)]
    return [name for model in models for name in parameter_names(model)] or ["limit"]


def answered(endpoint: Endpoint, event: Event) -> str:
    """The status of an answer; one that the gateway could not pass on is wrong."""
    said: list[Mapping[str, Any]] = []
    with at_work(said):
        answer = endpoint(event, CONTEXT)
    status = answer["statusCode"]
    if status >= SERVER_ERROR:
        raise Wrong(str(said[-1].get("exception") or said[-1]))
    json.dumps(said)
    json.dumps(answer)
    for name, value in answer["headers"].items():
        if not f"{name}: {value}".isprintable() or len(value) > LARGEST_HEADER:
            raise Wrong(f"{name}: {value!r:.200}")
        value.encode("latin-1")
    return str(status)


# what is sent


def changed(sample: Event, known: list[str], choices: Choices) -> Event:
    event = {**sample}
    for _ in range(1 + choices.below(3)):
        match choices.below(8):
            case 0 | 1 | 2:
                with_other_query(event, known, choices)
            case 3:
                with_other_path(event, choices)
            case 4:
                with_other_header(event, choices)
            case 5:
                with_key_of_another(event, choices)
            case _:
                with_other_body(event, choices)
    return event


def with_other_query(event: Event, known: list[str], choices: Choices) -> None:
    query: dict[str, list[str]] = {**(event["multiValueQueryStringParameters"] or {})}
    name = choices.of([*known, *query])
    value = choices.of([*query.get(name, []), *(v for vs in query.values() for v in vs), "1"])
    match choices.below(6):
        case 0:
            query.pop(name, None)
        case 1:
            query[damaged_text(name, choices)] = [value]
        case 2:
            query[name] = [*query.get(name, []), damaged_text(value, choices)]
        case 3:
            query[name] = [choices.of(TOKENS)]
        case _:
            query[name] = [damaged_text(value, choices)]
    event["multiValueQueryStringParameters"] = query or None


def with_other_path(event: Event, choices: Choices) -> None:
    parameters = event["pathParameters"] or {}
    if parameters:
        name = choices.of(sorted(parameters))
        event["pathParameters"] = {**parameters, name: damaged_text(parameters[name], choices)}
    else:
        event["path"] = damaged_text(event["path"], choices)


def with_other_header(event: Event, choices: Choices) -> None:
    headers = {name.lower(): values for name, values in (event["multiValueHeaders"] or {}).items()}
    name = choices.of(HEADERS)
    value = choices.of([*headers.get(name, []), *SAID])
    others = headers.get(name, []) if choices.one_in(4) else []
    headers[name] = [*others, damaged_text(value, choices) if choices.below(3) else value]
    event["multiValueHeaders"] = headers


def with_key_of_another(event: Event, choices: Choices) -> None:
    names = world().names
    token = names[choices.of([name for name in sorted(names) if name.endswith("_TOKEN")])]
    basic = base64.b64encode(f"admin@acme.example:{token}".encode()).decode()
    said = choices.of([f"Bearer {token}", f"Basic {basic}"])
    event["multiValueHeaders"] = {**(event["multiValueHeaders"] or {}), "Authorization": [said]}


def with_other_body(event: Event, choices: Choices) -> None:
    text = event["body"] or "{}"
    if event["isBase64Encoded"]:
        body = damaged_bytes(base64.b64decode(text), choices)
    elif choices.below(4):
        event["body"] = damaged_json(text, choices)
        return
    else:
        body = damaged_bytes(text.encode(errors="surrogatepass"), choices)
    event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True


TARGETS = [target_of(name, endpoint) for name, endpoint in endpoints().items()]
