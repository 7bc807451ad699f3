"""One reported use of a product: what it must be to count, and what makes it the same event.

    specversion  id  source  type  subject  time  data{product, platform, measures…, breakdowns…}

Rules are checked in the order of the attributes; the first one broken is the event's error, with
the code by which a sender learns of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from odometer.domain.kinds import LEAST_MEASURES, MEASURE_LIMIT, Kind, Measure
from odometer.domain.numbers import TooManyDecimals, kept, shown
from odometer.domain.text import CONTROL, as_kept, fault_of_name, has_control, has_invisible
from odometer.domain.time import epoch_second, instant_at, read_second

Who = TypeVar("Who", str, int)
Texts: TypeAlias = tuple[str, str, str, str]
Data: TypeAlias = Mapping[str, Any]
Use: TypeAlias = tuple[str, int, tuple[int, ...], tuple[str, ...]]
"""What an event says in its data: product, platform, measures and values of breakdowns."""

LONGEST_ID: Final = 256
LONGEST_NAME: Final = 128
LONGEST_VALUE: Final = 64
MOST_NAMED: Final = 10
"""So many measures of a kind are named to whoever sends another one."""
AHEAD: Final = timedelta(minutes=5)
VERSION: Final = "1.0"
EVENT_TYPE: Final = "usage"
DIGEST_BYTES: Final = 12
_CONSTANTS: Final = itemgetter("specversion", "type")
_TEXTS: Final = itemgetter("id", "source", "subject", "time")
_DAY_SECONDS: Final = 86_400
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()


class Event(NamedTuple, Generic[Who]):
    """What one user did with one product in one second.

    `who` is a subject as it was sent, and an ordinal once the directory knows the user.
    """

    who: Who
    product: str
    source: str
    second: int
    """Whole seconds since 1970, cut from the time of the event."""
    platform: int
    """0, or the place of the platform among those of the kind, counted from 1."""
    measures: tuple[int, ...]
    """In the order of the kind, with zeros up to `LEAST_MEASURES`; any that are not there are 0."""
    digest: bytes
    values: tuple[str | int, ...] = ()
    """In the order of the kind's breakdowns: as they were sent, and numbers once they are folded.

    Empty where the event has none; otherwise "" or 0 stands for one that was left out."""

    @property
    def identity(self) -> tuple[date, bytes]:
        """What an organization counts once, whatever else is sent under it."""
        return utc_date(self.second), self.digest


_event: Final = Event[str]._make


def digest_of(source: str, event_id: str) -> bytes:
    """The part of an event's identity that its sender gives."""
    digest = _digest_of_source(source).copy()
    digest.update(event_id.encode())
    return digest.digest()


@lru_cache(maxsize=1024)
def _digest_of_source(source: str) -> blake2b:
    """The beginning of every digest of a source, to be copied."""
    name = source.encode()
    return blake2b(b"%d:%s" % (len(name), name), digest_size=DIGEST_BYTES)


def utc_date(second: int) -> date:
    return date.fromordinal(_FIRST_DAY + second // _DAY_SECONDS)


class Refused(Exception):
    """This event does not count; the rest of its batch does."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Rules:
    """What depends on the organization and on the moment."""

    kinds: Mapping[str, Kind]
    """The organization's products and their kinds."""
    now: datetime
    retention_years: int

    @cached_property
    def seconds(self) -> range:
        """The seconds that are taken: of whole years, this one included, and a little ahead."""
        first = datetime(self.now.year - self.retention_years + 1, 1, 1, tzinfo=UTC)
        return range(epoch_second(first), epoch_second(self.now + AHEAD) + 1)

    def read(self, sent: Any) -> Event[str]:
        """The event that was sent, or why it does not count."""
        if not isinstance(sent, dict):
            raise Refused("not_an_event", "expected an object")
        check_constant(sent, "specversion", VERSION)
        event_id, source, subject, time = ordinary_texts(sent) or texts(sent)
        check_constant(sent, "type", EVENT_TYPE)
        second = self._second(time)
        data = sent.get("data")
        if not isinstance(data, dict):
            raise Refused("invalid_data", "data: expected an object")
        product, kind = self._product(data)
        platform = platform_of(kind, data)
        measures = measures_of(kind, data)
        values = values_of(kind, data) if kind.breakdowns else ()
        digest = digest_of(source, event_id)
        return Event(subject, product, source, second, platform, measures, digest, values)

    def read_together(self, several: Sequence[Any]) -> list[Event[str]] | None:
        """What `read` says of each event, found column by column; None if one is refused."""
        try:
            return self._read_columns(several)
        except (Refused, LookupError, TypeError):
            return None

    def _read_columns(self, several: Sequence[Any]) -> list[Event[str]] | None:
        if set(map(_CONSTANTS, several)) != {(VERSION, EVENT_TYPE)}:
            return None
        found = [ordinary_texts(sent) or texts(sent) for sent in several]
        ids, sources, subjects, times = zip(*found, strict=True)
        uses = self._uses([sent["data"] for sent in several])
        products, platforms, measures, values = zip(*uses, strict=True)
        seconds, digests = map(self._second, times), map(digest_of, sources, ids)
        columns = (subjects, products, sources, seconds, platforms, measures, digests, values)
        return list(map(_event, zip(*columns, strict=True)))

    def _uses(self, several: Sequence[Data]) -> Iterator[Use]:
        """What each event says in its data, read product by product."""
        products = [data["product"] for data in several]
        by_product: defaultdict[str, list[Data]] = defaultdict(list)
        for product, data in zip(products, several, strict=True):
            by_product[product].append(data)
        uses = {product: self._uses_of_one(own) for product, own in by_product.items()}
        return map(next, map(uses.__getitem__, products))

    def _uses_of_one(self, several: Sequence[Data]) -> Iterator[Use]:
        """The same of events of one product."""
        product, kind = self._product(several[0])
        platforms = [platform_of(kind, data) for data in several]
        values = [values_of(kind, data) for data in several] if kind.breakdowns else repeat(())
        return zip(repeat(product), platforms, measures_together(kind, several), values)

    def _second(self, time: str) -> int:
        try:
            second = read_second(time)
        except ValueError:
            raise Refused("invalid_time", "time: no such instant") from None
        if second is None:
            raise Refused("invalid_time", "time: expected an instant like 2026-02-28T17:42:00Z")
        if second >= self.seconds.stop:
            raise Refused("time_ahead", "time: more than 5 minutes ahead")
        if second < self.seconds.start:
            first = instant_at(self.seconds.start)
            raise Refused("time_too_old", f"time: before {first:%Y-%m-%d}, as far as usage is kept")
        return second

    def _product(self, data: Mapping[str, Any]) -> tuple[str, Kind]:
        sent = data.get("product")
        if isinstance(sent, str) and sent.isascii() and sent in self.kinds:
            return sent, self.kinds[sent]
        product = as_kept(text(data, "product", LONGEST_NAME))
        kind = self.kinds.get(product)
        if kind is None:
            raise Refused("unknown_product", f"product: {product} is not in the directory")
        return product, kind


def check_constant(sent: Mapping[str, Any], name: str, expected: str) -> None:
    if sent.get(name) != expected:
        raise Refused(f"invalid_{name}", f'{name}: expected "{expected}"')


def ordinary_texts(sent: Mapping[str, Any]) -> Texts | None:
    """Id, source, subject and time, if one look at all of them finds nothing to look at closer."""
    try:
        found: Texts = _TEXTS(sent)
        together = "".join(found)
    except (LookupError, TypeError):
        return None
    plain = together.isascii() and together.isprintable() and " " not in together
    return found if plain and len(together) <= LONGEST_NAME and all(found) else None


def texts(sent: Mapping[str, Any]) -> Texts:
    """The same, each checked in its turn; the type has its place between source and subject."""
    event_id = text(sent, "id", LONGEST_ID)
    source = text(sent, "source", LONGEST_NAME)
    if has_invisible(source):
        raise Refused("invalid_source", "source: expected text without invisible characters")
    check_constant(sent, "type", EVENT_TYPE)
    subject = text(sent, "subject", LONGEST_NAME)
    if fault := fault_of_name(subject):
        raise Refused("invalid_subject", f"subject: {fault}")
    return event_id, source, subject, text(sent, "time", LONGEST_NAME)


def text(sent: Mapping[str, Any], name: str, longest: int) -> str:
    """A required attribute: text without control characters, of bounded size."""
    value = sent.get(name)
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and 0 < len(value) <= longest
    ):
        return value
    if value is None or value == "":
        raise Refused(f"missing_{name}", f"{name}: required")
    if not isinstance(value, str) or has_control(value):
        raise Refused(f"invalid_{name}", f"{name}: expected text without control characters")
    if len(value.encode()) > longest:
        raise Refused(f"invalid_{name}", f"{name}: longer than {longest} bytes")
    return value


def platform_of(kind: Kind, data: Mapping[str, Any]) -> int:
    """The place of the platform among those of the kind, counted from 1; 0 without one."""
    platform = data.get("platform") if kind.platforms else None
    if platform is None:
        return 0
    if platform not in kind.platforms:
        raise Refused("unknown_platform", f"platform: expected one of {', '.join(kind.platforms)}")
    return kind.platforms.index(platform) + 1


def measures_of(kind: Kind, data: Mapping[str, Any]) -> tuple[int, ...]:
    """The measures of the kind in their order; one that was left out is 0."""
    if not data.keys() <= kind.attributes:
        raise unknown(kind, next(name for name in data if name not in kind.attributes))
    if kind.is_built_in:
        measures = tuple([measure(name, data.get(name, 0)) for name in kind.measures])
    else:
        measures = tuple([own_measure(m, data.get(m.name, unsaid)) for m, unsaid in kind.unsaid])
    if not any(measures):
        raise Refused("no_usage", f"expected one of {', '.join(kind.measures)} above 0")
    return measures + (0,) * (LEAST_MEASURES - len(measures))


def measures_together(kind: Kind, several: Sequence[Data]) -> Sequence[tuple[int, ...]]:
    """The measures of events of one kind."""
    plain = plain_measures(kind, several) if kind.is_built_in else []
    return plain or [measures_of(kind, data) for data in several]


def plain_measures(kind: Kind, several: Sequence[Data]) -> Sequence[tuple[int, ...]]:
    """Measures of a built-in kind, if one look at all finds nothing to look at closer."""
    columns = [[data.get(name, 0) for data in several] for name in kind.measures]
    zeros = repeat((0,) * len(several), LEAST_MEASURES - len(columns))
    every = list(chain.from_iterable(columns))
    rows = list(zip(*columns, *zeros, strict=True))
    known = kind.attributes.issuperset(chain.from_iterable(several))
    whole = set(map(type, every)) == {int} and 0 <= min(every) <= max(every) <= MEASURE_LIMIT
    return rows if known and whole and all(map(any, rows)) else []


def unknown(kind: Kind, name: str) -> Refused:
    if name in kind.measures:
        words = f"{name}: counted by itself, events send nothing for it"
        return Refused("counted_measure", words)
    printable = CONTROL.sub("\N{REPLACEMENT CHARACTER}", name)[:64]
    known = [each for each in kind.measures if each in kind.attributes] or ["none to send"]
    words = ", ".join(known[:MOST_NAMED]) + ", …" * (len(known) > MOST_NAMED)
    return Refused("unknown_measure", f"{printable}: no measure of {kind.name}; it has {words}")


def measure(name: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= MEASURE_LIMIT:
        raise Refused("invalid_measure", f"{name}: expected an integer from 0 to {MEASURE_LIMIT}")
    return value


def own_measure(measure: Measure, value: object) -> int:
    """A measure of an organization's own kind, exactly, as a whole number of 10**-decimals."""
    if type(value) is int and 0 <= value <= MEASURE_LIMIT and not measure.decimals:
        return value
    try:
        whole = kept(value, measure.decimals)
    except TooManyDecimals:
        words = f"{measure.name}: more than {measure.decimals} decimals"
        raise Refused("too_many_decimals", words) from None
    if whole is None or not 0 <= whole <= MEASURE_LIMIT:
        most = shown(MEASURE_LIMIT, measure.decimals)
        raise Refused("invalid_measure", f"{measure.name}: expected a number from 0 to {most}")
    return whole


def values_of(kind: Kind, data: Mapping[str, Any]) -> tuple[str, ...]:
    """What an event says of each breakdown of its kind; nothing at all if it says nothing."""
    values = tuple([value_of(name, data.get(name)) for name in kind.breakdowns])
    return values if any(values) else ()


def value_of(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or has_control(value):
        words = f"{name}: expected text without control characters"
        raise Refused("invalid_breakdown", words)
    if len(value.encode()) > LONGEST_VALUE:
        raise Refused("invalid_breakdown", f"{name}: longer than {LONGEST_VALUE} bytes")
    return value
