"""What policies of template.yaml grant, by item: partitions and attributes, not only verbs."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.support.storage_calls import Request
from tests.unit.test_template import policies_of, unconditional

TABLES = {
    "DirectoryTable": "directory",
    "ActivityTable": "activity",
    "LogTable": "log",
    "UsageTable": "usage",
}
ANY = ("*",)
CONDITIONS = ("LeadingKeys", "Attributes", "EnclosingOperation")


class Grant(NamedTuple):
    """One verb on one table, with the partitions and the attributes that it is granted for."""

    verb: str
    resource: str
    partitions: tuple[str, ...]
    attributes: tuple[str, ...]
    enclosing: tuple[str, ...]
    """The verb within which it is granted."""

    def admits(self, request: Request) -> bool:
        within = all(
            any(fnmatchcase(each, pattern) for pattern in self.partitions)
            for each in request.partitions
        )
        named = self.attributes == ANY or request.attributes <= {*self.attributes}
        together = self.enclosing in (ANY, (request.enclosing,))
        return (self.verb, self.resource) == request.call and within and named and together


def grants_of(policies: Iterable[str]) -> Iterator[Grant]:
    for statement in (each for policy in policies for each in unconditional(policy)):
        verbs = statement["Action"]
        resource = TABLES.get(str(statement["Resource"]["Fn::GetAtt"][0]))
        keys = {f"dynamodb:{name}": ANY for name in CONDITIONS}
        for operator in statement.get("Condition", {}).values():
            keys |= {name: tuple(values) for name, values in operator.items()}
        assert len(keys) == len(CONDITIONS)
        for verb in [verbs] if isinstance(verbs, str) else verbs:
            if resource:
                yield Grant(verb.partition(":")[2], resource, *keys.values())


def not_granted(function: str, requests: Iterable[Request]) -> list[Request]:
    """What a function asked of tables that no statement of its policies allows."""
    grants = list(grants_of(policies_of(function)))
    asked = [each for each in requests if each.call.resource in TABLES.values()]
    return [each for each in asked if not any(grant.admits(each) for grant in grants)]


def not_used(function: str, requests: Iterable[Request]) -> list[tuple[Grant, str]]:
    """Partitions that a function may ask for, and does not.

    What is granted alone is no more where it is granted together with other writes.
    """
    asked, grants = list(requests), list(grants_of(policies_of(function)))
    alone = {
        (each.verb, each.resource, one)
        for each in grants
        if each.enclosing == ANY
        for one in each.partitions
    }
    return [
        (grant, pattern)
        for grant in grants
        for pattern in grant.partitions
        if pattern != "*"
        and not (grant.enclosing != ANY and (grant.verb, grant.resource, pattern) in alone)
        and not any(grant.admits(each) and each.is_about(pattern) for each in asked)
    ]
