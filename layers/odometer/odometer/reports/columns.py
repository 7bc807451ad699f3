"""The figures that are asked for by name, and what each of them is made of.

A column is a sum of measures, a ratio of two such sums, or how many users or days were active.
Products of several kinds add up where a measure has one name and one unit; a ratio is made of the
kinds that have it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from odometer.domain.errors import Invalid
from odometer.domain.kinds import ACTIVE_DAYS, ACTIVE_USERS, Kind, Measure, Ratio
from odometer.reports.figures import rounded

COUNTED: Final = (ACTIVE_USERS, ACTIVE_DAYS)
"""What is counted and no sum: distinct users, and distinct days of the kind's calendar."""
RATIO_DECIMALS: Final = 4
PARAMETER: Final = "measure"


class Counted(Protocol):
    """What some users did in a stretch of time."""

    @property
    def sums(self) -> Mapping[tuple[str, str], int]:
        """By kind and measure, as whole numbers of the measure's smallest unit."""

    @property
    def active_users(self) -> int | None: ...

    @property
    def active_days(self) -> int | None: ...


class Term(NamedTuple):
    """A measure of a kind, and what brings its whole numbers to the decimals of a sum."""

    kind: str
    measure: str
    factor: int


@dataclass(frozen=True)
class Sum:
    """A sum of measures, as a whole number of 10**-decimals."""

    terms: Sequence[Term]
    decimals: int = 0

    def of(self, counted: Counted) -> int:
        """What was used; of a kind without products, nothing."""
        return sum(counted.sums.get(term[:2], 0) * term.factor for term in self.terms)


@dataclass(frozen=True)
class Count:
    """How many users or days were active; None where nobody can tell."""

    name: str
    decimals: int = 0

    def of(self, counted: Counted) -> int | None:
        return counted.active_users if self.name == ACTIVE_USERS else counted.active_days


@dataclass(frozen=True)
class Quotient:
    """A sum divided by another, or by a count, with four decimals; None where that is 0."""

    dividend: Sum
    divisor: Sum | Count
    decimals: int = RATIO_DECIMALS

    def of(self, counted: Counted) -> int | None:
        divisor = self.divisor.of(counted)
        if not divisor:
            return None
        up = 10 ** (self.decimals + self.divisor.decimals)
        return rounded(self.dividend.of(counted) * up, divisor * 10**self.dividend.decimals)


class Column(NamedTuple):
    """A figure by its published name."""

    name: str
    value: Sum | Count | Quotient

    @property
    def decimals(self) -> int:
        return self.value.decimals

    @property
    def counts(self) -> Sequence[str]:
        """Which counts have to be known for it."""
        used = (self.value, getattr(self.value, "divisor", None))
        return [each.name for each in used if isinstance(each, Count)]


def columns_of(names: Sequence[str] | None, kinds: Iterable[Kind]) -> list[Column]:
    """The columns of these names, each once; all measures and the active users without names."""
    each = list({kind.name: kind for kind in kinds}.values())
    if names is None:
        measures = dict.fromkeys(name for kind in each for name in kind.measures)
        names = [*measures, ACTIVE_USERS]
    return [column_of(name, each) for name in dict.fromkeys(names)]


def column_of(name: str, kinds: Sequence[Kind]) -> Column:
    if name in COUNTED:
        return Column(name, count_of(name, kinds))
    measuring = [kind for kind in kinds if name in kind.measures]
    ratios = {kind: ratio for kind in kinds for ratio in kind.ratios if ratio.name == name}
    if not (measuring or ratios):
        raise Invalid.parameter(PARAMETER, f"expected some of {', '.join(known(kinds))}", name)
    if measuring and ratios:
        raise differs(name, [*measuring, *ratios])
    return Column(name, sum_of([name], measuring) if measuring else quotient_of(ratios, kinds))


def known(kinds: Sequence[Kind]) -> list[str]:
    """Every name that may be asked for."""
    measures = (name for kind in kinds for name in kind.measures)
    ratios = (ratio.name for kind in kinds for ratio in kind.ratios)
    return [*dict.fromkeys([*measures, *ratios]), *COUNTED]


def count_of(name: str, kinds: Sequence[Kind]) -> Count:
    if name == ACTIVE_DAYS and len({kind.local_days for kind in kinds}) > 1:
        words = (
            f"expected {name} of kinds whose days are of one calendar: some of these are UTC days"
        )
        raise Invalid.parameter(PARAMETER, words, name)
    return Count(name)


def sum_of(names: Sequence[str], kinds: Sequence[Kind]) -> Sum:
    """The sum of measures of some kinds, at the finest of their decimals."""
    found = [(kind, each) for kind in kinds for each in kind.described if each.name in names]
    if len({each.unit for _, each in found}) > 1 and len(names) == 1:
        raise differs(names[0], kinds)
    decimals = max(each.decimals for _, each in found)
    return Sum([term_of(kind, each, decimals) for kind, each in found], decimals)


def term_of(kind: Kind, measure: Measure, decimals: int) -> Term:
    return Term(kind.name, measure.name, 10 ** (decimals - measure.decimals))


def quotient_of(ratios: Mapping[Kind, Ratio], kinds: Sequence[Kind]) -> Quotient:
    (ratio, *others) = {ratio._replace(label="") for ratio in ratios.values()}
    of_users = ratio.per in COUNTED
    if others or (of_users and len(ratios) < len(kinds)):
        raise differs(ratio.name, kinds)
    dividend = sum_of([ratio.of], list(ratios))
    divisor = count_of(ratio.per, kinds) if of_users else sum_of(ratio.divisors, list(ratios))
    return Quotient(dividend, divisor)


def differs(name: str, kinds: Iterable[Kind]) -> Invalid:
    names = ", ".join(dict.fromkeys(kind.name for kind in kinds))
    words = f"{name} is not the same in the kinds {names}: ask for one of them"
    return Invalid.parameter(PARAMETER, words, name)
