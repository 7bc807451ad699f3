"""Which products a query of `/v1` names, by their ids or by their kinds."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from odometer.access.policy import Caller
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Invalid, NotFound
from odometer.domain.kinds import KINDS, Kind
from odometer.domain.text import as_kept
from odometer.engine.format.products import MeteredProduct

MOST_PRODUCTS: Final = 100
"""Each is read by itself, so more at once would cost too much and take too long."""


def products_asked(
    product: str | None, kind: str | None, directory: Directory, caller: Caller
) -> list[MeteredProduct]:
    """Those of some ids or of some kinds, or all, as far as the caller may ask about them."""
    kinds = directory.kinds
    if product is not None:
        names = names_sent(product, kinds)
        caller.products_among(names, named=True)
        return [MeteredProduct(name, found("product", name, kinds)) for name in names]
    known = {**KINDS, **directory.own_kinds}
    wanted = list(known) if kind is None else names_sent(kind, known)
    names = [name for name, of in kinds.items() if of.name in wanted]
    open_ones = caller.products_among(names, named=False)
    for name in wanted:
        found("kind", name, known)
    return [MeteredProduct(name, kinds[name]) for name in open_ones]


def check_number(number: int, product: str | None, kind: str | None = None) -> None:
    """Refuse a question about more products than are read at once, by whatever names them."""
    if number > MOST_PRODUCTS:
        name, sent = ("product", product) if kind is None else ("kind", kind)
        words = f"{number} products, of which at most {MOST_PRODUCTS} are answered at once"
        raise Invalid.parameter(name, f"{words}: expected some of them by product", sent)


def names_sent(given: str, known: Collection[str]) -> list[str]:
    """The names that were sent, each once; one that has a comma of its own is found whole."""
    with_commas = sorted((name for name in known if "," in name), key=len, reverse=True)
    one = "|".join([*map(re.escape, with_commas), "[^,]*"])
    return list(dict.fromkeys(map(as_kept, re.findall(rf"(?:^|,)({one})(?=,|\Z)", given))))


def found(parameter: str, name: str, known: Mapping[str, Kind]) -> Kind:
    if name not in known:
        raise NotFound(name, parameter)
    return known[name]
