"""Which products a query of `/v1` names, by their ids or by their kinds."""

import re
from collections.abc import Collection, Mapping

from odometer.access.policy import Caller
from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound
from odometer.domain.kinds import KINDS, Kind
from odometer.domain.text import as_kept
from odometer.engine.format.products import MeteredProduct


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


def names_sent(given: str, known: Collection[str]) -> list[str]:
    """The names that were sent, each once; one that has a comma of its own is found whole."""
    with_commas = sorted((name for name in known if "," in name), key=len, reverse=True)
    one = "|".join([*map(re.escape, with_commas), "[^,]*"])
    return list(dict.fromkeys(map(as_kept, re.findall(rf"(?:^|,)({one})(?=,|\Z)", given))))


def found(parameter: str, name: str, known: Mapping[str, Kind]) -> Kind:
    if name not in known:
        raise NotFound(name, parameter)
    return known[name]
