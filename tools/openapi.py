"""OpenAPI 3.1, one document for each family, written from the endpoints and their own models.

For tools and tests: no function imports this.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from odometer.api.v1.events import BATCH, LONGEST_KEY
from odometer.directory.people import Team, User
from odometer.directory.snapshot import Directory
from odometer.web.endpoint import Endpoint
from odometer.web.family import STATUS
from odometer.web.messages import CSV, JSON, NDJSON, Request
from odometer.web.models import Body, Query
from odometer.web.report import Report

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"

TITLES = {
    "app_utilization": "App utilization",
    "usage_metrics": "Usage metrics",
    "usage_report": "Usage report",
    "v1": "Events, directory and keys",
}
ALWAYS = ("internal_error", "unavailable", "timeout")
HEADERS = {
    "X-Request-Id": "Names the request; a valid one that the client sent is kept.",
    "Retry-After": "Seconds to wait before the request may succeed.",
    "WWW-Authenticate": "How to prove who is calling.",
    "ETag": "Names this answer; a partial one has none.",
    "Link": "The page that follows; or where a deprecation is explained.",
    "X-Data-Through": "Every batch accepted before this instant is in the answer.",
    "X-Query-Range": "From when up to when, in UTC; the comparison after a comma.",
    "X-Read-Units": "The DynamoDB read units that this answer took.",
    "Idempotent-Replayed": "`true` where this is the answer to an earlier request.",
    "Warning": "Only where nothing was accepted: `199 odometer`, and what the body says of it.",
}
OF_REPORTS = ("ETag", "Link", "X-Data-Through", "X-Query-Range", "X-Read-Units")
UNCHANGED: Schema = {"304": {"description": "As it was when it had the `ETag` that was sent."}}
IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer; 304 is answered while it is the same.",
    "required": False,
    "schema": {"type": "string"},
}
PATH: Mapping[str, Schema] = {
    "app_id": {"description": "An app, by its id.", "schema": {"type": "string", "format": "uuid"}},
    "client_id": {
        "description": "The organization of the caller, by its id.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "key_id": {"description": "A key, by its id.", "schema": {"type": "string"}},
    "teamId": {"description": "A team, by its id.", "schema": {"type": "string"}},
    "user_id": {"description": "A user, by their id.", "schema": {"type": "string"}},
}
"""What a path names."""
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this request for 24 hours; sent again with the same body, it gets the "
    "first answer again.",
    "required": False,
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
}

EMBED: Schema = {
    "type": "http",
    "scheme": "bearer",
    "description": "An embed token: for pages of the origins that it names, which may read the "
    "answer and its headers, and for requests without an `Origin`. Any other origin gets a 403.",
}
OPEN_TO_TOKENS: Schema = {"security": [{"bearer": []}, {"basic": []}, {"embed": []}]}


# errors, as each family publishes them


class EnvelopeFault(BaseModel):
    """What was wrong."""

    code: Literal[tuple(STATUS)]  # type: ignore[valid-type]
    message: str
    details: dict[str, Any]


class Envelope(BaseModel):
    """The common envelope."""

    error: EnvelopeFault


class Faults(BaseModel):
    """Every fault of the request."""

    errors: list[str]


class UsageMetricsError(BaseModel):
    """An error of the usage metrics API."""

    error: str
    message: str
    status: int = Field(ge=400, le=599)
    requestId: str  # noqa: N815  the published name
    details: Faults


class UsageReportError(BaseModel):
    """An error of the usage report API."""

    status: Literal["error"]
    message: str


ERRORS: Mapping[str, type[BaseModel]] = {
    "app_utilization": Envelope,
    "usage_metrics": UsageMetricsError,
    "usage_report": UsageReportError,
    "v1": Envelope,
}


class Contents(NamedTuple):
    """The body that an operation takes and its answer, by media type."""

    body: Mapping[str, type[BaseModel] | Schema]
    answer: Mapping[str, type[BaseModel] | Schema]


LINES: Schema = {"type": "string", "description": "A JSON object in each line."}
TABLE: Schema = {"type": "string", "description": "Every row, without paging."}


def documents(endpoints: Mapping[str, Endpoint]) -> dict[str, Schema]:
    """A document for each family, by its name; endpoints come by the names of their functions."""
    return {
        name: document(name, {each: it for each, it in endpoints.items() if it.family.name == name})
        for name in TITLES
    }


def document(family: str, endpoints: Mapping[str, Endpoint]) -> Schema:
    """The document of one family."""
    models = Models([ERRORS[family], *(m for each in endpoints.values() for m in models_of(each))])
    paths: dict[str, Schema] = {}
    for name, endpoint in endpoints.items():
        operations = paths.setdefault(endpoint.path, {})
        operations[endpoint.method.lower()] = operation(name, endpoint, models)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Odometer: {TITLES[family]}", "version": "1"},
        "security": [{"bearer": []}, {"basic": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": models.definitions,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access key."},
                "basic": {"type": "http", "scheme": "basic", "description": "Username: its key."},
                **({"embed": EMBED} if "'embed'" in str(paths) else {}),
            },
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in HEADERS.items()
                if f"headers/{name}'" in str(paths)
            },
        },
    }


class Published(GenerateJsonSchema):
    """Schemas without titles that repeat names; an integer without bounds has 64 bits."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def int_schema(self, schema: core_schema.IntSchema) -> Schema:
        found = super().int_schema(schema)
        return found if "maximum" in found else {**found, "format": "int64"}


class Models:
    """The schemas of all models of a document, each once."""

    def __init__(self, models: list[type[BaseModel]]) -> None:
        wanted = [(model, "validation") for model in dict.fromkeys(models)]
        found, schema = models_json_schema(
            wanted,  # type: ignore[arg-type]
            ref_template=REFERENCE,
            schema_generator=Published,
        )
        self._by_model = {model: content for (model, _), content in found.items()}
        self.definitions: Schema = schema.get("$defs", {})

    def __getitem__(self, content: type[BaseModel] | Schema) -> Schema:
        """Where the schema of a model stands; a schema is one already."""
        return content if isinstance(content, dict) else self._by_model[content]


def models_of(endpoint: Endpoint) -> Iterator[type[BaseModel]]:
    """The models that a document has by name: of bodies and of answers."""
    contents = contents_of(endpoint)
    for content in (*contents.body.values(), *contents.answer.values()):
        if isinstance(content, type):
            yield content


def contents_of(endpoint: Endpoint) -> Contents:
    """Body and answer of an endpoint, from the annotations of its handler."""
    hints = get_type_hints(endpoint.handler, include_extras=True)
    answer = by_media_type(hints.pop("return"))
    return Contents({k: v for hint in hints.values() for k, v in sent_as(hint).items()}, answer)


def sent_as(hint: Any) -> Mapping[str, type[BaseModel] | Schema]:
    """The body that a parameter of a handler stands for, if it stands for one."""
    is_model = isinstance(hint, type) and issubclass(hint, BaseModel)
    return {} if is_model and not issubclass(hint, Body) else by_media_type(hint)


def by_media_type(hint: Any) -> Mapping[str, type[BaseModel] | Schema]:
    """What an annotation says of a body or an answer: a model, a report, or its metadata."""
    if get_origin(hint) is Report:
        return {JSON: get_args(hint)[0], CSV: TABLE, NDJSON: LINES}
    if get_origin(hint) is Annotated:
        found: Mapping[str, type[BaseModel] | Schema] = hint.__metadata__[0]
        return found
    return {JSON: hint} if isinstance(hint, type) and issubclass(hint, BaseModel) else {}


def is_report(endpoint: Endpoint) -> bool:
    """Whether rows of the answer can also be had in lines."""
    return CSV in contents_of(endpoint).answer


def operation(name: str, endpoint: Endpoint, models: Models) -> Schema:
    """One route: its parameters, its body and everything that it may answer."""
    contents = contents_of(endpoint)
    return {
        "operationId": re.sub(r"[/_](\w)", lambda found: found[1].upper(), name),
        "summary": beginning_of(name).partition(": ")[2],
        **(OPEN_TO_TOKENS if endpoint.may and endpoint.may.embeds else {}),
        **(
            {"parameters": each}
            if (each := [*parameters(endpoint), *header_parameters(contents)])
            else {}
        ),
        **({"requestBody": request_body(contents, models)} if contents.body else {}),
        "responses": {
            **success(endpoint.status, contents, models),
            **{str(STATUS[code]): refusal(endpoint, code, models) for code in refusals(endpoint)},
        },
    }


def beginning_of(name: str) -> str:
    """The first line of a function: verb, path and what it answers."""
    text = Path(__file__).parents[1].joinpath("functions", name, "app.py").read_text()
    return text.partition("\n")[0].strip('"')


def request_body(contents: Contents, models: Models) -> Schema:
    """What is sent; it may be left out where an empty object would do."""
    needed = any(
        isinstance(each, dict) or any(field.is_required() for field in each.model_fields.values())
        for each in contents.body.values()
    )
    content = {kind: {"schema": models[each]} for kind, each in contents.body.items()}
    return {"required": needed, "content": content}


def parameters(endpoint: Endpoint) -> Iterator[Schema]:
    """The parameters of the path and of the query, in the order in which they are checked."""
    in_path = re.findall(r"\{(\w+)\}", endpoint.path)
    for name in in_path:
        yield {"name": name, "in": "path", "required": True, **PATH[name]}
    for query in (need for need in endpoint.needs.values() if issubclass(need, Query)):
        described = query.model_json_schema(schema_generator=Published)
        for name in [each for each in described.get("properties", ()) if each not in in_path]:
            yield in_query(name, described)


def in_query(name: str, described: Schema) -> Schema:
    """A parameter of a query; one that may be left out is never null."""
    schema = dict(described["properties"][name])
    description = schema.pop("description", "")
    if schema.get("default", ...) is None:
        schema = next(each for each in schema["anyOf"] if each != {"type": "null"})
    required = name in described.get("required", ())
    return {
        "name": name,
        "in": "query",
        "description": description,
        "required": required,
        "schema": schema,
    }


def header_parameters(contents: Contents) -> list[Schema]:
    """The headers that a request may have."""
    if BATCH in contents.body:
        return [IDEMPOTENCY_KEY]
    return [IF_NONE_MATCH] if CSV in contents.answer else []


def success(status: int, contents: Contents, models: Models) -> Schema:
    """The answer to a request that has no fault."""
    if not contents.answer:
        return {"204": {"description": "Done.", "headers": headers("X-Request-Id")}}
    content = {kind: {"schema": models[each]} for kind, each in contents.answer.items()}
    of_pages = ["Link"] if NDJSON in contents.answer else []
    named = ["X-Request-Id", *(OF_REPORTS if CSV in contents.answer else of_pages)]
    named += ["Idempotent-Replayed", "Warning"] if BATCH in contents.body else []
    answer = {"description": "Answered.", "headers": headers(*named), "content": content}
    return {str(status): answer, **(UNCHANGED if CSV in contents.answer else {})}


def refusals(endpoint: Endpoint) -> list[str]:
    """The codes of everything that can be wrong with a request to an endpoint."""
    needs = set(endpoint.needs.values())
    takes = [need for need in needs if issubclass(need, Query | Body)]
    contents = contents_of(endpoint)
    found = {*ALWAYS, "unauthorized", "forbidden"}
    found |= {"invalid_parameter"} if takes or contents.body or NDJSON in contents.answer else set()
    found |= {"unsupported_media_type"} if contents.body else set()
    found |= {"payload_too_large"} if Request in needs or NDJSON in contents.answer else set()
    found |= {error.code for error in endpoint.raises}
    names = "{" in endpoint.path
    found |= {"not_found"} if names or needs & {Directory, Team, User} else set()
    found |= (
        {"not_acceptable"}
        if CSV in contents.answer and endpoint.family.fallback_type is None
        else set()
    )
    return sorted(found, key=lambda code: STATUS[code])


def refusal(endpoint: Endpoint, code: str, models: Models) -> Schema:
    """One kind of error in the shape of the family."""
    named = {"unauthorized": "WWW-Authenticate", "unavailable": "Retry-After"}
    return {
        "description": code.replace("_", " ").capitalize() + ".",
        "headers": headers("X-Request-Id", *([named[code]] if code in named else [])),
        "content": {JSON: {"schema": models[ERRORS[endpoint.family.name]]}},
    }


def headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
