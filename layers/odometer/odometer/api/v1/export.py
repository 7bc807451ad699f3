"""The directory as it is exported: the lines that `PUT /v1/directory` takes, in pages."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain as joined
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from odometer.api.v1.directory import ROWS_SCHEMA, LicenseRow, OrganizationRow
from odometer.directory.columns import Row
from odometer.directory.kinds import row_of
from odometer.directory.people import User
from odometer.directory.snapshot import Directory
from odometer.domain.acts import Act, Action
from odometer.domain.errors import NotFound
from odometer.domain.kinds import KINDS
from odometer.domain.time import format_millis, instant_of_ms
from odometer.services.tasks import Tasks
from odometer.storage.directory import DirectoryStore
from odometer.storage.trail import Trail
from odometer.web.cursors import LONGEST_CURSOR, Chain, link_headers
from odometer.web.fields import Text
from odometer.web.messages import NDJSON, Response, as_json
from odometer.web.models import Body, Query

NEXT = "From the link to the next page, which the header `Link` of a page holds."
LARGEST_PAGE: Final = 4 * 1024 * 1024
"""So many bytes a page has at most, in the JSON that a function answers with."""

ExportedDirectory = Annotated[Response, {NDJSON: ROWS_SCHEMA}]


class ExportQuery(Query):
    """Which page of an export."""

    in_pages: ClassVar[bool] = True

    cursor: Annotated[Annotated[str, Text(LONGEST_CURSOR)] | None, Field(description=NEXT)] = None


def export(
    query: ExportQuery,
    chain: Chain,
    directory: Directory,
    directories: DirectoryStore,
    trail: Trail,
    tasks: Tasks,
) -> ExportedDirectory:
    """One page of a directory, in the version that the first page was made from.

    Before anybody gets the first page, the trail tells of the export.
    """
    told = tasks.begin(lambda: query.cursor or trail.commit(Act(Action.DIRECTORY_EXPORTED)))
    seen = directory if query.cursor is None else seen_by(chain, directory, directories)
    page, following = page_of(seen, chain.row)
    cursor = following and chain.cursor(following, seen.head.version, {})
    told.result()
    return Response(200, page, NDJSON, link_headers({}, chain, cursor or None))


def seen_by(chain: Chain, directory: Directory, directories: DirectoryStore) -> Directory:
    if chain.mark is None or chain.mark.directory == directory.head.version:
        return directory
    try:
        return directories.former(directory.organization.id, chain.mark.directory, directory)
    except NotFound:
        raise chain.expired from None


def page_of(directory: Directory, first: int) -> tuple[bytes, int | None]:
    """As many lines from one on as an answer may hold, and the number of the next, if any."""
    lines: list[bytes] = []
    size = 0
    for number, kind, row in rows_from(directory, first):
        line = as_json({"kind": kind, **row}) + b"\n"
        size += len(json.dumps(line.decode()))
        if size > LARGEST_PAGE and lines:
            return b"".join(lines), number
        lines.append(line)
    return b"".join(lines), None


def rows_from(directory: Directory, first: int) -> Iterator[tuple[int, str, Row]]:
    """The rows of a directory by their numbers, which do not change when somebody is erased."""
    directory.load("teams", "departments", "products")
    shared = list(exported_shared(directory))
    users = directory.users_from(max(0, first - len(shared)))
    return joined(
        ((number, *shared[number]) for number in range(first, len(shared))),
        ((len(shared) + user.ordinal, "user", exported_user(directory, user)) for user in users),
    )


def exported(directory: Directory) -> Iterator[tuple[str, Row]]:
    return ((kind, row) for _, kind, row in rows_from(directory, 0))


def exported_shared(directory: Directory) -> Iterator[tuple[str, Row]]:
    yield "organization", exported_fields(directory.head.organization, OrganizationRow)
    if directory.head.license:
        yield "license", exported_fields(directory.head.license, LicenseRow)
    counts = directory.value_counts
    for kind in (*KINDS.values(), *directory.own_kinds.values()):
        values = {name: counts[kind.name, at] for at, name in enumerate(kind.breakdowns)}
        yield "kind", {**row_of(kind), **({"values": values} if values else {})}
    for team in directory.teams:
        yield "team", {"id": team.id, "name": team.name, "is_default": team.is_default}
    for department in directory.departments:
        yield "department", {"id": department.id, "name": department.name}
    for product in directory.products:
        yield "product", {"id": product.id, "name": product.name, "product_kind": product.kind}


def exported_fields(values: Mapping[str, Any], row: type[Body]) -> Row:
    return {name: values[name] for name in row.model_fields if name in values}


def exported_user(directory: Directory, user: User) -> Row:
    return {
        "id": user.id,
        "username": user.username,
        "user_key": user.user_key,
        "email": user.email or None,
        "type": user.type,
        "role": user.role,
        "team": None if user.team is None else directory.teams[user.team].id,
        "departments": [directory.departments[number].id for number in user.departments],
        "verified": user.verified,
        "state": user.state,
        "state_since": format_millis(instant_of_ms(user.state_since)),
    }
