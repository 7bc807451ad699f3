"""Requests as models: one model per query or body defines its parameters.

The order of its fields is the order in which faults are reported; its schema is the OpenAPI.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from odometer.domain.errors import Fault, Invalid
from odometer.web.fields import FROM_QUERY_STRING

Model = TypeVar("Model", bound=BaseModel)
Asked = TypeVar("Asked", bound="Query")
LONGEST_NAME: Final = 256
"""So much is said of the name of an unknown field."""
PAGING: Final = frozenset({"page", "limit", "offset", "page_size", "cursor"})
"""The parameters that say which of all rows; in whatever family, they have no aliases."""


Timestamp = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant as it is published."""


class Query(BaseModel):
    """The parameters of a request, from its path and its query string."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    empty_is_missing: ClassVar[bool] = False
    refuses_unknown: ClassVar[bool] = False
    in_pages: ClassVar[bool] = False
    """Whether lines come in pages, too, because all rows may be too many for one answer."""


class Strict(Query):
    """A query that takes no parameter it does not know."""

    refuses_unknown: ClassVar[bool] = True


class Body(BaseModel):
    """A JSON body; a field that it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Answer(BaseModel):
    """A JSON answer; its field names are the published ones."""

    model_config = ConfigDict(
        frozen=True, validate_by_name=True, serialize_by_alias=True, defer_build=True
    )

    @classmethod
    def showing(cls, source: object, **others: Any) -> Self:
        """The fields that a source has by the same names, and others as they are given."""
        same = cls.model_fields.keys() - others.keys()
        return cls(**{name: getattr(source, name) for name in same}, **others)


def build_models() -> None:
    """Build every model that is defined, which otherwise happens when it is first used."""
    for base in (Query, Body, Answer):
        for model in below(base):
            model.model_rebuild()


def below(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from below(model)


def read_query(
    model: type[Asked], path: Mapping[str, str], query: Mapping[str, Sequence[str]]
) -> Asked:
    known = parameter_names(model)
    repeated = [
        Fault(name, "repeated", "sent more than once", values[-1])
        for name, values in query.items()
        if len(values) > 1 and name in known
    ]
    unknown = [
        Fault(name, "extra_forbidden", WORDS["extra_forbidden"], sent[-1])
        for name, sent in query.items()
        if model.refuses_unknown and (name in path or name not in known)
    ]
    values = {
        name: sent[0]
        for name, sent in query.items()
        if len(sent) == 1 and (sent[0] or not model.empty_is_missing)
    }
    try:
        filled = model.model_validate({**values, **path}, context=FROM_QUERY_STRING)
    except ValidationError as error:
        faults = [*faults_of(error), *unknown, *repeated]
    else:
        faults = [*unknown, *repeated]
    if faults:
        raise Invalid(*in_order(model, faults))
    return filled


def without_paging(
    model: type[Query], query: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    """The query without its paging parameters; a required one is set to 0."""
    fields = model.model_fields
    paging = PAGING & fields.keys()
    others = {name: values for name, values in query.items() if name not in paging}
    return {**others, **{name: ["0"] for name in paging if fields[name].is_required()}}


def in_order(model: type[BaseModel], faults: Sequence[Fault]) -> list[Fault]:
    published = {name: field.alias or name for name, field in model.model_fields.items()}
    named = [replace(fault, name=published.get(fault.name, fault.name)) for fault in faults]
    by_name = {fault.name: fault for fault in named}
    ranks = {name: rank for rank, name in enumerate(parameter_names(model))}
    return sorted(by_name.values(), key=lambda fault: ranks.get(fault.name, len(ranks)))


def parameter_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def read_body(model: type[Model], body: bytes) -> Model:
    content = read_json(body)
    if not isinstance(content, dict):
        raise Invalid.parameter("body", "expected a JSON object")
    return fill(model, content)


def fill(model: type[Model], content: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Invalid(*faults_of(error)) from None


def faults_of(error: ValidationError) -> list[Fault]:
    found = error.errors(include_url=False)
    return [
        Fault(
            name=".".join(map(str, each["loc"]))[:LONGEST_NAME],
            rule=each["type"],
            message=words_of(each),
            value=None if each["type"] == "missing" else each["input"],
            expected=str(each.get("ctx", {}).get("expected", "")),
        )
        for each in found
    ]


def words_of(found: ErrorDetails) -> str:
    """A finding in our words; those of `refuse` are already ours."""
    words = WORDS.get(found["type"])
    return found["msg"] if words is None else words.format_map(found.get("ctx", {}))


WORDS = {
    "missing": "required",
    "extra_forbidden": "unknown parameter",
    "string_type": "expected a string",
    "list_type": "expected an array",
    "too_short": "expected an array of at least {min_length}",
    "too_long": "expected an array of at most {max_length}",
    "dict_type": "expected an object",
    "model_type": "expected an object",
}


def read_json(body: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no repeated name in an object, bounded nesting."""
    try:
        content = json.loads(
            body.decode(),
            parse_constant=refuse_constant,
            parse_float=finite,
            object_pairs_hook=unique,
        )
        if b"\\u" in body:  # an escape can spell half a character, which is no UTF-8
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except RecursionError:
        raise Invalid.parameter("body", "nested too deeply") from None
    except ValueError as error:
        reason = str(error) if isinstance(error, Ambiguous) else "not valid JSON"
        raise Invalid.parameter("body", reason) from None


class Ambiguous(ValueError):
    """JSON that readers may understand differently."""


def refuse_constant(name: str) -> NoReturn:
    raise Ambiguous(f"{name} is not JSON")


def finite(digits: str) -> float:
    number = float(digits)
    return refuse_constant(digits) if math.isinf(number) else number


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise Ambiguous("a name stands twice in one object")
    return content
