"""What an endpoint takes and answers, by media type, as the annotations of its handler say it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from odometer.api.v1.events import BATCH
from odometer.web.endpoint import Endpoint
from odometer.web.messages import CSV, JSON, NDJSON
from odometer.web.models import Body, Timestamp
from odometer.web.report import Report

Schema = dict[str, Any]
LINES: Schema = {"type": "string", "description": "A JSON object in each line."}
TABLE: Schema = {"type": "string", "description": "Every row, without paging."}


class Event(BaseModel):
    """A CloudEvent 1.0: somebody used so much of a product at an instant."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    type: Literal["usage"]
    id: Annotated[str, Field(min_length=1, max_length=256)]
    source: Annotated[str, Field(min_length=1, max_length=128)]
    subject: Annotated[str, Field(min_length=1, max_length=128)]
    time: Timestamp
    data: "EventData"


class EventData(BaseModel):
    """How much of which product; numbers are read to their last digit."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | str | None]

    product: Annotated[str, Field(min_length=1, max_length=128)]


class Contents(NamedTuple):
    """The body that an operation takes and its answer, by media type."""

    body: Mapping[str, type[BaseModel] | Schema]
    answer: Mapping[str, type[BaseModel] | Schema]


def contents_of(endpoint: Endpoint) -> Contents:
    hints = get_type_hints(endpoint.handler, include_extras=True)
    answer = by_media_type(hints.pop("return"))
    return Contents({k: v for hint in hints.values() for k, v in sent_as(hint).items()}, answer)


def models_of(endpoint: Endpoint) -> Iterator[type[BaseModel]]:
    """The models that a document has by name: of bodies and of answers."""
    contents = contents_of(endpoint)
    if BATCH in contents.body:
        yield Event
    for content in (*contents.body.values(), *contents.answer.values()):
        if isinstance(content, type):
            yield content


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
