"""The OpenAPI documents say what the code does; handlers, routes and documents are one list."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import is_valid
from openapi_spec_validator import validate

from odometer.api.routes import ROUTES
from odometer.domain.errors import Invalid
from odometer.web.models import Query, read_query
from tests.support.documents import compare
from tests.support.stack import ROOT, endpoints
from tools.openapi import TITLES, beginning_of, document, documents
from tools.whole import resolved, whole
from tools.words import Words

DOCUMENTS = documents(endpoints())
WHOLE = whole(DOCUMENTS)


def slug(family: str) -> str:
    return family.replace("_", "-")


@pytest.mark.parametrize("family", DOCUMENTS)
def test_a_document_is_published_as_the_code_has_it(family: str) -> None:
    text = json.dumps(DOCUMENTS[family], indent=1, ensure_ascii=False) + "\n"
    compare(ROOT / "docs" / "api" / f"{slug(family)}.json", text)


def test_one_document_of_all_is_published() -> None:
    """`functions/edge/page` answers `GET /openapi.json` with it."""
    text = json.dumps(WHOLE, indent=1, ensure_ascii=False) + "\n"
    compare(ROOT / "functions" / "edge" / "page" / "files" / "openapi.json", text)


@pytest.mark.parametrize("family", DOCUMENTS)
def test_the_document_of_all_says_of_each_operation_what_that_of_its_family_says(
    family: str,
) -> None:
    part = DOCUMENTS[family]
    for path, operations in part["paths"].items():
        assert resolved(WHOLE["paths"][path], WHOLE) == resolved(operations, part)


def test_the_document_of_all_is_valid_and_of_no_other_operations() -> None:
    validate(WHOLE)
    operations = [each for path in WHOLE["paths"].values() for each in path.values()]
    ids = {each["operationId"] for each in operations}
    assert len(ids) == len(operations) == sum(map(len, routed().values()))
    assert {tag for each in operations for tag in each["tags"]} == set(TITLES.values())
    assert [each["url"] for each in WHOLE["servers"]] == ["."]


def routed() -> dict[str, tuple[str, ...]]:
    """The verbs of every path, as the handlers have it."""
    pairs = sorted((each.path, each.method) for each in endpoints().values() if each.may)
    return {path: tuple(verb for other, verb in pairs if other == path) for path, _ in pairs}


def test_the_catch_all_knows_the_routes_of_the_handlers() -> None:
    compare(ROUTES, json.dumps(routed(), indent=1) + "\n")


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
    assert re.fullmatch(rf"{each.method} {re.escape(each.path)}: \w.+\.", beginning_of(name))


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
    for found in (put, export):
        assert "`product_kind`" in found["content"]["application/x-ndjson"]["schema"]["description"]


@pytest.mark.parametrize("family", DOCUMENTS)
def test_a_document_is_valid_openapi(family: str) -> None:
    validate(DOCUMENTS[family])


def parameters(family: str) -> dict[tuple[str, str, str], Any]:
    """Every parameter of a document by verb, path and name."""
    return {
        (verb, path, each["name"]): each
        for path, operations in DOCUMENTS[family]["paths"].items()
        for verb, operation in operations.items()
        for each in operation.get("parameters", ())
    }


@pytest.mark.parametrize("family", DOCUMENTS)
def test_every_parameter_has_a_description(family: str) -> None:
    assert [name for name, each in parameters(family).items() if not each.get("description")] == []


@pytest.mark.parametrize("family", DOCUMENTS)
def test_a_parameter_that_is_left_out_is_not_null(family: str) -> None:
    assert [name for name, each in parameters(family).items() if "null" in str(each)] == []


def test_the_ends_of_coverage_and_of_an_explanation_say_how_they_differ() -> None:
    found = parameters("v1")
    assert "is included, unlike" in found["get", "/v1/coverage", "to"]["description"]
    assert "is not included, unlike" in found["get", "/v1/explain", "to"]["description"]


@pytest.mark.parametrize("family", DOCUMENTS)
def test_every_parameter_has_an_example_that_its_schema_allows(family: str) -> None:
    for name, each in parameters(family).items():
        assert each.get("example") is not None, name
        assert is_valid(each["schema"], each["example"]), name


@pytest.mark.parametrize("name", [name for name, each in endpoints().items() if each.may])
def test_the_examples_of_an_operation_go_together(name: str) -> None:
    """All that are required, and each of the others with those that it needs."""
    each = endpoints()[name]
    found = {
        parameter["name"]: parameter
        for (verb, path, _), parameter in parameters(each.family.name).items()
        if (verb, path) == (each.method.lower(), each.path)
    }
    in_path = {name: it["example"] for name, it in found.items() if it["in"] == "path"}
    asked = {name: [str(it["example"])] for name, it in found.items() if it["in"] == "query"}
    needed = {name: sent for name, sent in asked.items() if found[name]["required"]}
    for query in (need for need in each.needs.values() if issubclass(need, Query)):
        for more in ((), *((other, *NEEDS.get(other, ())) for other in asked)):
            sent = {**needed, **{other: asked[other] for other in more}}
            assert [it for it in faults_of(query, in_path, sent) if it.rule != "either"] == []


def faults_of(query: type[Query], path: dict[str, str], sent: dict[str, list[str]]) -> Any:
    try:
        read_query(query, path, sent)
    except Invalid as refused:
        return refused.faults
    return ()


NEEDS = {
    "from": ("to",),
    "to": ("from",),
    "compare_from": ("compare_to",),
    "compare_to": ("compare_from",),
    "compare_start_date": ("compare_end_date",),
    "compare_end_date": ("compare_start_date",),
    "value": ("breakdown",),
}


@pytest.mark.parametrize("family", DOCUMENTS)
def test_every_field_has_a_description(family: str) -> None:
    assert [name for name, each in fields(family) if not each.get("description")] == []


@pytest.mark.parametrize("family", DOCUMENTS)
def test_every_field_has_examples_that_its_schema_allows(family: str) -> None:
    """The example of a field of another schema is that schema's."""
    for name, each in fields(family):
        assert "examples" in each or references(each), name
        for example in each.get("examples", ()):
            assert is_valid(with_parts(each, family), example), name


def with_parts(schema: Any, family: str) -> Any:
    """A schema that brings what it refers to."""
    return {**schema, "components": DOCUMENTS[family]["components"]}


@pytest.mark.parametrize("family", DOCUMENTS)
def test_every_error_has_a_description_and_an_example(family: str) -> None:
    for name, status, answer in answers(family):
        if status >= 400:
            content = answer["content"]["application/json"]
            assert re.match(r"`[a-z_]+`: \w.+\.$", answer["description"]), (name, status)
            assert is_valid(with_parts(content["schema"], family), content["example"]), (
                name,
                status,
            )


def answers(family: str) -> Iterator[tuple[str, int, Any]]:
    """Every answer of a document: of which operation, with which status."""
    for operations in DOCUMENTS[family]["paths"].values():
        for each in operations.values():
            for status, answer in each["responses"].items():
                yield each["operationId"], int(status), answer


@pytest.mark.parametrize("family", DOCUMENTS)
def test_every_body_has_an_example_that_its_schema_allows(family: str) -> None:
    for operations in DOCUMENTS[family]["paths"].values():
        for each in operations.values():
            for content in each.get("requestBody", {"content": {}})["content"].values():
                assert is_valid(with_parts(content["schema"], family), content["example"])


def test_every_word_is_used_and_every_difference_is_said_somewhere() -> None:
    words = Words()
    for family in DOCUMENTS:
        own = {name: each for name, each in endpoints().items() if each.family.name == family}
        document(family, own, words)
    assert words.entries - words.used == {("differs", family) for family in DIFFERENT}
    unsaid = [
        (family, topic)
        for family in DIFFERENT
        for topic, _, places in words.differences(family, TITLES[family])
        if not places
    ]
    assert unsaid == []


DIFFERENT = ("usage_report", "usage_metrics", "app_utilization")


def test_the_spec_says_where_it_differs_from_the_original() -> None:
    found = parameters("usage_report")
    report = "/insights/api/v3/public/usage-report/summary"
    assert "92" in found["get", report, "to"]["description"]
    assert "+05:30" in found["get", report, "timezone"]["description"]


@pytest.mark.parametrize("name", [name for name, each in endpoints().items() if each.may])
def test_an_operation_says_what_proves_the_caller_and_which_scope_it_needs(name: str) -> None:
    each = endpoints()[name]
    assert each.may
    operation = DOCUMENTS[each.family.name]["paths"][each.path][each.method.lower()]
    scopes = [each.may.scope.value]
    tokens: list[Any] = [{"embed": []}] if each.may.embeds else []
    assert operation["security"] == [{"bearer": scopes}, {"basic": scopes}, *tokens]
    assert f"`{each.may.scope}`" in operation["description"]


def fields(family: str) -> Iterator[tuple[str, Any]]:
    """Every field of every schema of a document, as `Schema.field`."""
    for model, schema in DOCUMENTS[family]["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            yield f"{model}.{name}", field


def types(field: Any) -> Iterator[Any]:
    """Every schema in a field that has a type."""
    yield from (each for each in nodes(field) if isinstance(each.get("type"), str))


def nodes(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        yield content
    for each in content.values() if isinstance(content, dict) else content:
        if isinstance(each, dict | list):
            yield from nodes(each)


@pytest.mark.parametrize("family", DOCUMENTS)
def test_an_integer_has_64_bits_or_fits_32(family: str) -> None:
    integers = [(name, each) for name, field in fields(family) for each in types(field)]
    loose = [
        name
        for name, each in integers
        if each["type"] == "integer"
        and each.get("format") != "int64"
        and each.get("maximum", 2**31) >= 2**31
    ]
    assert loose == []


INSTANT = re.compile(r".*\.(.*(_at|At|_until|_since)|at|from|to|through)")


@pytest.mark.parametrize("family", ["app_utilization", "usage_metrics", "v1"])
def test_an_instant_is_a_date_time(family: str) -> None:
    """The usage report echoes wall clocks as they were sent: they are no instants."""
    instants = {name: field for name, field in fields(family) if INSTANT.fullmatch(name)}
    loose = [
        name
        for name, field in instants.items()
        for each in types(field)
        if each["type"] == "string" and each.get("format") != "date-time"
    ]
    assert instants
    assert loose == []


NULLABLE = {
    "app_utilization": {
        "ComparedDays.compare_start_date",
        "ComparedDays.compare_end_date",
        "MetricWithDelta.change_pct",
        "MetricWithDelta.compare_value",
        "LastActivity.at",
        "LastActivity.desktop_at",
        "LastActivity.web_at",
        "AppUsersAnswer.next_cursor",
        "AppsAnswer.next_cursor",
        "UsersAnswer.next_cursor",
    },
    "usage_metrics": {"Meta.next", "ListedUser.deactivatedAt"},
    "usage_report": set[str](),
}
"""The fields for which the published families know a null."""


@pytest.mark.parametrize("family", NULLABLE)
def test_nothing_is_null_but_what_the_published_families_say(family: str) -> None:
    found = {name for name, field in fields(family) if {"type": "null"} in nodes(field)}
    assert found == NULLABLE[family]


@pytest.mark.parametrize(
    ("path", "own"), [("organization", set[str]()), ("team", {"teamId"}), ("user", {"userId"})]
)
def test_each_report_of_usage_over_time_has_a_model_of_its_own(path: str, own: set[str]) -> None:
    answer = DOCUMENTS["usage_metrics"]["paths"][f"/api/v1/{path}/usage"]["get"]["responses"]["200"]
    model = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = DOCUMENTS["usage_metrics"]["components"]["schemas"][model]
    wanted = {"organizationId", "from", "to", "usage", *own}
    assert set(schema["properties"]) == set(schema["required"]) == wanted
