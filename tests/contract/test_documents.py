"""The OpenAPI documents say what the code does; handlers, routes and documents are one list."""

import json
import re
from typing import Any

import pytest

from odometer.api.openapi import documents
from odometer.api.routes import ROUTES
from tests.support.documents import compare
from tests.support.stack import ROOT, endpoints

DOCUMENTS = documents(endpoints())


def slug(family: str) -> str:
    return family.replace("_", "-")


@pytest.mark.parametrize("family", DOCUMENTS)
def test_a_document_is_published_as_the_code_has_it(family: str) -> None:
    text = json.dumps(DOCUMENTS[family], indent=1, ensure_ascii=False) + "\n"
    compare(ROOT / "docs" / "api" / f"{slug(family)}.json", text)


def routed() -> dict[str, tuple[str, ...]]:
    """The verbs of every path, as the handlers have it."""
    pairs = sorted((each.path, each.method) for each in endpoints().values() if each.may)
    return {path: tuple(verb for other, verb in pairs if other == path) for path, _ in pairs}


def test_routes_are_those_of_the_handlers() -> None:
    assert {path: tuple(sorted(verbs)) for path, verbs in ROUTES.items()} == routed()


def test_documents_are_of_all_handlers() -> None:
    paths = {
        path: tuple(sorted(verb.upper() for verb in operations))
        for document in DOCUMENTS.values()
        for path, operations in document["paths"].items()
    }
    assert paths == routed()


@pytest.mark.parametrize("name", [name for name, each in endpoints().items() if each.may])
def test_a_function_begins_by_saying_what_it_answers(name: str) -> None:
    each = endpoints()[name]
    first = str(each.handler.__globals__["__doc__"]).splitlines()[0]
    assert re.fullmatch(rf"{each.method} {re.escape(each.path)}: \w.+\.", first)


def references(content: Any) -> set[str]:
    if isinstance(content, dict):
        own = {content["$ref"]} if "$ref" in content else set()
        return own.union(*map(references, content.values()))
    return set().union(*map(references, content)) if isinstance(content, list) else set()


@pytest.mark.parametrize("family", DOCUMENTS)
def test_a_document_refers_to_what_it_has_and_has_what_it_refers_to(family: str) -> None:
    document = DOCUMENTS[family]
    components = document["components"]
    there = {f"#/components/schemas/{name}" for name in components["schemas"]}
    headers = {f"#/components/headers/{name}" for name in components["headers"]}
    assert references(document) == there | headers


def test_what_a_line_calls_otherwise_than_the_document_is_told() -> None:
    paths = DOCUMENTS["v1"]["paths"]
    put = paths["/v1/directory"]["put"]["requestBody"]
    export = paths["/v1/directory/export"]["get"]["responses"]["200"]
    for told in (put, export):
        assert "`product_kind`" in told["content"]["application/x-ndjson"]["schema"]["description"]
