"""JSON with exact decimals: Python's own writer would make floats of them."""

from collections.abc import Mapping
from json import dumps
from json.encoder import encode_basestring
from typing import Annotated, NamedTuple

from pydantic import WithJsonSchema

from odometer.domain.numbers import shown

Figure = Annotated[
    int, WithJsonSchema({"type": "number", "description": "Exact, in the decimals of the measure."})
]


class Decimal(NamedTuple):
    """A decimal number as it is written, without quotes."""

    text: str

    def __str__(self) -> str:
        return self.text


def number(kept: int, decimals: int) -> int | Decimal:
    """A whole number of 10**-decimals as it is answered."""
    return Decimal(shown(kept, decimals)) if decimals else kept


def as_exact_json(content: object, comma: str = ",", colon: str = ":") -> str:
    """The JSON of what answers are made of, in which decimals have the digits that they have."""
    match content:
        case str():
            return str(encode_basestring(content))
        case Decimal():
            return content.text
        case Mapping():
            pairs = (
                f"{encode_basestring(name)}{colon}{as_exact_json(value, comma, colon)}"
                for name, value in content.items()
            )
            return f"{{{comma.join(pairs)}}}"
        case list() | tuple():
            return f"[{comma.join(as_exact_json(each, comma, colon) for each in content)}]"
    return dumps(content)
