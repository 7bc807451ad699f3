"""Which form of an answer a client likes best: JSON unless it says otherwise."""

import re
from collections.abc import Iterator, Sequence

from odometer.domain.errors import Unacceptable
from odometer.web.messages import CSV, JSON, NDJSON, Request

OFFERED = (JSON, CSV, NDJSON)
WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def takes_every_row(request: Request) -> bool:
    """Whether the answer is lines, which are no page but all there is."""
    return chosen(request.header("accept"), otherwise=JSON) != JSON


def chosen(accept: str, otherwise: str | None = None) -> str:
    """The offered media type that the client likes best, and named most closely; else JSON.

    Where the client takes none of them, the answer is `otherwise`; without one it is refused.
    """
    wishes = list(wished(accept)) or [("*/*", 1.0)]
    liked = {offer: liking(offer, wishes) for offer in OFFERED}
    best = max(OFFERED, key=lambda offer: liked[offer])
    if liked[best][0]:
        return best
    if otherwise is None:
        raise Unacceptable
    return otherwise


def wished(accept: str) -> Iterator[tuple[str, float]]:
    """The ranges of an Accept header with their weights."""
    for each in filter(None, (part.strip().lower() for part in accept.split(","))):
        media_range, *parameters = (part.strip() for part in each.split(";"))
        weights = [weight_of(p[2:]) for p in parameters if p.startswith("q=")]
        yield media_range, weights[0] if weights else 1.0


def weight_of(text: str) -> float:
    """A weight from 0 to 1; what is none weighs nothing."""
    return float(text) if WEIGHT.fullmatch(text) else 0.0


def liking(offer: str, wishes: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """How much a client likes an offer by the closest range that it fits, and how close it is."""
    ranges = ("*/*", f"{offer.partition('/')[0]}/*", offer)
    fitting = [(ranges.index(wish), weight) for wish, weight in wishes if wish in ranges]
    closeness, weight = max(fitting, default=(0, 0.0))
    return weight, closeness
