"""OpenAPI 3.1, one document for each family, written from the endpoints and their own models.

For tools and tests: no function imports this.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from odometer.api.v1.events import BATCH, LONGEST_KEY
from odometer.web.endpoint import Endpoint
from odometer.web.family import STATUS
from odometer.web.messages import CSV, JSON, NDJSON
from odometer.web.models import Query
from tools.contents import Contents, Schema, contents_of, models_of
from tools.refusals import answered, codes_of, speakers
from tools.words import Words, who_may

REFERENCE = "#/components/schemas/{model}"
VERSION = "1"
TITLES = {
    "v1": "Usage, events, directory and keys",
    "usage_report": "Usage report",
    "usage_metrics": "Usage metrics",
    "app_utilization": "App utilization",
}
SERVERS = [{"url": ".", "description": "The deployment that this document comes from."}]
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
TEXT: Schema = {"type": "string"}
IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer; 304 is answered while it is the same.",
    "required": False,
    "schema": TEXT,
}
PATH: Mapping[str, Schema] = {
    "app_id": {"description": "An app, by its id.", "schema": {**TEXT, "format": "uuid"}},
    "client_id": {
        "description": "The organization of the caller, by its id.",
        "schema": {**TEXT, "format": "uuid"},
    },
    "key_id": {"description": "A key, by its id.", "schema": TEXT},
    "teamId": {"description": "A team, by its id.", "schema": TEXT},
    "user_id": {"description": "A user, by their id.", "schema": TEXT},
}
"""What a path names."""
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this request for 24 hours; sent again with the same body, it gets the "
    "first answer again.",
    "required": False,
    "schema": {**TEXT, "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
}
SCHEMES: Mapping[str, Schema] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access key: `Authorization: Bearer odo_…`.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The username of the key's owner, and the key as the password.",
    },
    "embed": {
        "type": "http",
        "scheme": "bearer",
        "description": "An embed token: for pages of the origins that it names, which may read "
        "the answer and its headers, and for requests without an `Origin`. Any other origin gets "
        "a 403.",
    },
}


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


def documents(endpoints: Mapping[str, Endpoint]) -> dict[str, Schema]:
    """A document for each family, by its name; endpoints come by the names of their functions."""
    words = Words()
    return {
        name: document(
            name, {each: it for each, it in endpoints.items() if it.family.name == name}, words
        )
        for name in TITLES
    }


def document(family: str, endpoints: Mapping[str, Endpoint], words: Words) -> Schema:
    """The document of one family."""
    named = [each for endpoint in endpoints.values() for each in models_of(endpoint)]
    models = Models([Envelope, ERRORS[family], *named])
    paths: dict[str, Schema] = {}
    for name, endpoint in endpoints.items():
        operations = paths.setdefault(endpoint.path, {})
        operations[endpoint.method.lower()] = operation(name, endpoint, models, words)
    content = {
        **beginning(TITLES[family], [family], words),
        "paths": dict(sorted(paths.items())),
        "components": components(models, str(paths), words),
    }
    tell_differences(content, family, words)
    return content


def beginning(title: str, families: Iterable[str], words: Words) -> Schema:
    """What stands at the head of a document."""
    tags = [
        {"name": TITLES[each], "description": words.find("families", each)} for each in families
    ]
    about = words.find("families", "all")
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Odometer: {title}", "version": VERSION, "description": about},
        "servers": SERVERS,
        "tags": tags,
    }


def components(models: "Models", paths: str, words: Words) -> Schema:
    """What the operations of a document refer to."""
    return {
        "schemas": {name: told(name, it, words) for name, it in models.definitions.items()},
        "securitySchemes": {name: it for name, it in SCHEMES.items() if f"{{'{name}'" in paths},
        "headers": {
            name: {"description": text, **words.find("headers", name), "schema": TEXT}
            for name, text in HEADERS.items()
            if f"headers/{name}'" in paths
        },
    }


def told(model: str, schema: Schema, words: Words) -> Schema:
    """A schema, and the meaning and an example of each of its fields."""
    fields = schema.get("properties", {})
    named = {
        name: words.explained(it, "fields", f"{model}.{name}", name) for name, it in fields.items()
    }
    return {**words.explained(schema, "schemas", model), **({"properties": named} if named else {})}


def tell_differences(content: Schema, family: str, words: Words) -> None:
    """Say at each parameter and field, or at every operation, how it differs from the original."""
    operations = [each for path in content["paths"].values() for each in path.values()]
    for topic, here, places in words.differences(family, TITLES[family]):
        for place in places:
            for each in found_at(place, operations, content["components"]["schemas"]):
                each["description"] += f"\n\n**Differs from the original** ({topic}): {here}"


def found_at(place: str, operations: list[Schema], schemas: Schema) -> list[Schema]:
    """The parameters of a name, a field as `Model.field`, or operations."""
    model, _, field = place.partition(".")
    if field:
        return [schemas[model]["properties"][field]]
    named = [each for each in operations if place in ("*", each["operationId"])]
    parameters = [it for each in operations for it in each.get("parameters", ())]
    return named or [each for each in parameters if each["name"] == place]


class Published(GenerateJsonSchema):
    """Schemas without titles that repeat names; an integer without bounds has 64 bits."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def int_schema(self, schema: core_schema.IntSchema) -> Schema:
        found = super().int_schema(schema)
        return found if "maximum" in found else {**found, "format": "int64"}


class Models:
    """The schemas of all models of a document, each once, without a title that repeats its name."""

    def __init__(self, models: list[type[BaseModel]]) -> None:
        wanted = [(model, "validation") for model in dict.fromkeys(models)]
        found, schema = models_json_schema(
            wanted,  # type: ignore[arg-type]
            ref_template=REFERENCE,
            schema_generator=Published,
        )
        self._by_model = {model: content for (model, _), content in found.items()}
        self.definitions: Schema = {
            name: {key: each for key, each in content.items() if key != "title"}
            for name, content in schema.get("$defs", {}).items()
        }

    def __getitem__(self, content: type[BaseModel] | Schema) -> Schema:
        """Where the schema of a model stands; a schema is one already."""
        return content if isinstance(content, dict) else self._by_model[content]


def operation(name: str, endpoint: Endpoint, models: Models, words: Words) -> Schema:
    """One route: its parameters, its body and everything that it may answer."""
    contents, operation_id = contents_of(endpoint), operation_id_of(name)
    asked = [
        explained(each, operation_id, words)
        for each in [*parameters(endpoint), *header_parameters(contents)]
    ]
    body = request_body(contents, models, words.find("bodies", operation_id))
    return {
        "operationId": operation_id,
        "tags": [TITLES[endpoint.family.name]],
        "summary": summary_of(name),
        "description": described(endpoint, words.find("operations", operation_id)),
        "security": security(endpoint),
        **({"parameters": asked} if asked else {}),
        **({"requestBody": body} if contents.body else {}),
        "responses": {
            **success(endpoint.status, contents, models),
            **{str(STATUS[it]): refusal(endpoint, it, models, words) for it in codes_of(endpoint)},
        },
    }


def summary_of(function: str) -> str:
    """What a function answers, as a sentence."""
    text = beginning_of(function).partition(": ")[2]
    return text[:1].upper() + text[1:]


def operation_id_of(function: str) -> str:
    return re.sub(r"[/_](\w)", lambda found: found[1].upper(), function)


def described(endpoint: Endpoint, more: str | None) -> str:
    who = [who_may(endpoint.may)] if endpoint.may else []
    return "\n\n".join([*([more] if more else []), *who])


def security(endpoint: Endpoint) -> list[Schema]:
    """What proves who is calling, and which scope it needs."""
    scopes = [endpoint.may.scope.value] if endpoint.may else []
    tokens: list[Schema] = [{"embed": []}] if endpoint.may and endpoint.may.embeds else []
    return [{"bearer": scopes}, {"basic": scopes}, *tokens]


def beginning_of(name: str) -> str:
    """The first line of a function: verb, path and what it answers."""
    text = Path(__file__).parents[1].joinpath("functions", name, "app.py").read_text()
    return text.partition("\n")[0].strip('"')


def request_body(contents: Contents, models: Models, example: Any) -> Schema:
    """What is sent; it may be left out where an empty object would do."""
    needed = any(
        isinstance(each, dict) or any(field.is_required() for field in each.model_fields.values())
        for each in contents.body.values()
    )
    content = {
        kind: {"schema": models[each], **({} if example is None else {"example": example[kind]})}
        for kind, each in contents.body.items()
    }
    return {"required": needed, "content": content}


def explained(parameter: Schema, operation_id: str, words: Words) -> Schema:
    """A parameter with an example."""
    name = parameter["name"]
    example = words.example(parameter["schema"], "parameters", f"{operation_id}.{name}", name)
    return {**parameter, "example": example}


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
        del schema["default"]
        branches = schema.pop("anyOf")
        schema |= next(each for each in branches if each != {"type": "null"})
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


def refusal(endpoint: Endpoint, code: str, models: Models, words: Words) -> Schema:
    """One kind of error in the shape of the family."""
    named = {
        "unauthorized": "WWW-Authenticate",
        "unavailable": "Retry-After",
        "too_many_requests": "Retry-After",
    }
    shapes = [
        Envelope if each else ERRORS[endpoint.family.name] for each in speakers(endpoint, code)
    ]
    schemas = [models[each] for each in dict.fromkeys(shapes)]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {
        "description": f"`{code}`: {words.errors[code]}",
        "headers": headers("X-Request-Id", *([named[code]] if code in named else [])),
        "content": {JSON: {"schema": schema, "example": answered(endpoint, code)}},
    }


def headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
