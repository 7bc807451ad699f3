"""Changes to a directory: rows come in, each is created, updated, left alone or rejected.

Absent rows are left alone, absent fields keep their value, null clears. The same rows sent again
change nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from odometer.directory.columns import (
    FAMILIES,
    NAMES,
    PAGE_ROWS,
    Block,
    Columns,
    DirectoryHead,
    Register,
    Row,
)
from odometer.directory.history import as_values, history_of, history_with
from odometer.directory.kinds import NEW_KIND, changed, definition_of
from odometer.directory.people import Organization, default_email
from odometer.directory.registers import (
    CONFLICT,
    INVALID,
    LAST_ADMIN,
    MOST_REGISTERED,
    NEW_USER,
    NOT_FOUND,
    Registers,
    faults_of,
    kind_of,
    values_set,
)
from odometer.directory.users import UserRegister
from odometer.domain.acts import USUAL_TRAIL_DAYS
from odometer.domain.errors import Fault, Invalid
from odometer.domain.frozen import frozen
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import Role, State
from odometer.domain.values import NONE, OTHER, SentValue

NEW_ORGANIZATION: Row = {
    name: value
    for name, value in asdict(Organization(id="", name="")).items()
    if name not in ("id", "name", "created_at", "lanes", "trail_days")
}
"""What came with a later release is stored once it is set: the release before cannot read it."""
NEW_LICENSE: Row = {"audience": "", "features": [], "settings": {}}
NEW_TEAM: Row = {"is_default": False}
MOST_UNPAGED: Final = 98_304
MOST_ERASED_UNPAGED: Final = 8_192
Pages = dict[Block, Columns]
FIXED_KINDS: Final = frozenset({"test", "visual"})
NOT_IN_USAGE_REPORT: Final = (
    "the usage report shows its six products only; GET /v1/usage shows this one"
)
LONGEST_REASON: Final = 384  # so that 10,000 of them fit into one answer


class Status(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    NOT_ATTEMPTED = "not_attempted"


@frozen
class Outcome:
    """What became of one row, and why it was rejected if it was."""

    status: Status
    id: str | None = None
    code: str | None = None
    message: str | None = None
    note: str | None = None
    """What to know about a row that was taken."""

    @classmethod
    def rejected(cls, row_id: str | None, faults: Sequence[Fault]) -> "Outcome":
        code = faults[0].rule if faults[0].rule in (CONFLICT, NOT_FOUND) else INVALID
        return cls(Status.REJECTED, row_id, code, reason(faults))


def reason(faults: Sequence[Fault]) -> str:
    """All faults in words; if that is too long, the first one and the names of the others."""
    worded = [f"{fault.name}: {fault.message}" for fault in faults]
    if len(whole := "; ".join(worded)) <= LONGEST_REASON:
        return whole
    names = ", ".join(fault.name for fault in faults[1:])
    first = shortened(worded[0], LONGEST_REASON // 2)
    return shortened(f"{first}; also at fault: {names}" if names else whole, LONGEST_REASON)


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class DirectoryEdit(Registers):
    """A directory being changed: apply rows, then commit the changed blocks all at once."""

    def apply(self, kind: str, row: Row) -> Outcome:
        if faults := self.faults(kind, row):
            return Outcome.rejected(row.get("id"), faults)
        return APPLY[kind](self, row)

    def faults(self, kind: str, row: Row) -> list[Fault]:
        return faults_of(self, kind, row)

    def register(self, subject: str, since_ms: int) -> int | None:
        """The user whom a subject names; an unknown one is registered, so no usage is lost.

        None where events have registered as many users as they may.
        """
        known = self.user_names.get(subject)
        if known is not None or len(self.users) >= MOST_REGISTERED:
            return known
        return create_user(self, {"username": subject, "state_since": since_ms})

    def register_all(self, subjects: Iterable[str], since_ms: int) -> dict[str, int]:
        """The users whom subjects name, without those who cannot be registered."""
        self.user_names.meet(subjects)
        found = {subject: self.register(subject, since_ms) for subject in subjects}
        return {subject: number for subject, number in found.items() if number is not None}

    def register_values(self, sent: Iterable[SentValue]) -> dict[SentValue, int]:
        """The numbers of values of breakdowns; new ones are registered while there is room."""
        blocks = self.directory.blocks_of_values(sent)
        texts: defaultdict[Block, list[str]] = defaultdict(list)
        for value, block in blocks.items():
            if block:
                texts[block].append(value.text)
        known = self.directory.values_in(texts)
        now = {block: known[block].with_new(texts[block]) for block in texts}
        self.values |= {block: values for block, values in now.items() if values != known[block]}
        return {
            value: now[block].number(value.text) or OTHER if block else NONE
            for value, block in blocks.items()
        }

    def erase(self, user_id: str) -> int | None:
        """Anonymize a user and return their number; None if nobody has that id.

        The row stays as a deactivated account, so totals do not change.
        """
        number = self.user_with("id", user_id)
        if number is None:
            return None
        if self.is_last_admin(number):
            raise Invalid.parameter("user_id", LAST_ADMIN, user_id)
        user = self.users.row(number)
        ended = max(self.now_ms, user["state_since"])
        history = history_with(history_of(user), {"state": State.DEACTIVATED}, ended)
        account = {"role": Role.MEMBER, "email": None, "verified": False}
        self.users.change(number, {**account, **as_values(history, self.now_ms)})
        self.erased.add(number)
        return number

    def raise_lanes(self, number: int) -> int:
        """Give the organization so many lanes unless it has more; how many it has had."""
        before: int = self.organization.get("lanes", 1)
        if number > before:
            self.organization["lanes"] = number
        return before

    def set_limits(self, limits: Mapping[str, int]) -> Mapping[str, int]:
        """Give the organization limits of its own in place of those that it has."""
        self.limits = dict(limits)
        return self.limits

    @property
    def changed(self) -> bool:
        base = self.base
        small = (self.organization, self.license, self.limits) != (
            base.organization,
            base.license,
            base.limits,
        )
        return small or bool(self.erased or self.changed_blocks)

    @property
    def changed_blocks(self) -> dict[Block, Columns]:
        rows = {
            block: register.content(block)
            for register in self._registers()
            for block in sorted(register.touched)
        }
        values = {block: {"text": list(each.texts)} for block, each in self.values.items()}
        return {**rows, **values}

    def head(self, commits: Mapping[Block, str], commit: str) -> tuple[DirectoryHead, Pages]:
        """The head that follows once blocks are stored under their commits, and its new pages."""
        base = self.base
        head = DirectoryHead(
            version=base.version + 1,
            organization=self.organization,
            license=self.license,
            sizes=base.sizes | {each.name: len(each) for each in self._registers() if len(each)},
            blocks={**base.blocks, **commits},
            erased=base.erased | self.erased,
            limits=self.limits,
        )
        return self._with_pages(head, commit) if is_paged(head) else (head, {})

    def _with_pages(self, head: DirectoryHead, commit: str) -> tuple[DirectoryHead, Pages]:
        """The head whose users' blocks and erased users are left to pages."""
        paged = {block: name for block, name in head.blocks.items() if block.register == "users"}
        others = {block: name for block, name in head.blocks.items() if block not in paged}
        erased = {Block("pages", "users", user // PAGE_ROWS) for user in head.erased}
        touched = sorted({block.page for block in paged} | erased)
        before = self.base.blocks.keys() & touched
        named, gone = self.directory.pages(before), self.directory.erased_by_page(before)
        pages = {
            page: page_of(
                page,
                {**named.get(page, {}), **{b: n for b, n in paged.items() if b.page == page}},
                sorted({*gone.get(page, ()), *(u for u in head.erased if is_on(page, u))}),
            )
            for page in touched
        }
        blocks = {**others, **dict.fromkeys(pages, commit)}
        count = self.base.erased_on_pages + len(head.erased)
        return replace(head, blocks=blocks, erased=frozenset(), erased_on_pages=count), pages

    def _registers(self) -> tuple[UserRegister | Register, ...]:
        return (self.users, self.teams, self.departments, self.products, self.kinds)


def is_paged(head: DirectoryHead) -> bool:
    """Whether the users have pages; then they keep them."""
    many = head.sizes["users"] > MOST_UNPAGED or len(head.erased) > MOST_ERASED_UNPAGED
    return many or bool(head.pages)


def is_on(page: Block, user: int) -> bool:
    return user // PAGE_ROWS == page.number


def page_of(page: Block, blocks: Mapping[Block, str], erased: list[int]) -> Columns:
    """The content of a page: the commits of its blocks in their order, and who was erased."""
    columns: Columns = {"erased": erased}
    for family in FAMILIES["users"]:
        each = PAGE_ROWS // Block("users", family, 0).size
        numbers = range(page.number * each, (page.number + 1) * each)
        columns[family] = [blocks.get(Block("users", family, number)) for number in numbers]
    return columns


def apply_organization(edit: DirectoryEdit, row: Row) -> Outcome:
    before = dict(edit.organization)
    usual = {**NEW_ORGANIZATION, "trail_days": USUAL_TRAIL_DAYS}
    edit.organization.update(values_set(row, usual))
    return updated(edit.organization["id"], changed=edit.organization != before)


def apply_license(edit: DirectoryEdit, row: Row) -> Outcome:
    before = edit.license
    edit.license = {**(before or NEW_LICENSE), **values_set(row, NEW_LICENSE)}
    return Outcome(Status.CREATED) if before is None else updated(changed=edit.license != before)


def apply_named(register: Register, row: Row, new: Row) -> Outcome:
    number, values = register.find(row), values_set(row, new)
    if number is None:
        number = register.append({**new, "id": str(uuid4()), **values})
        return Outcome(Status.CREATED, register.columns["id"][number])
    return updated(register.columns["id"][number], changed=register.change(number, values))


def apply_user(edit: DirectoryEdit, row: Row) -> Outcome:
    number = edit.find_user(row)
    values = {**values_set(row, NEW_USER), **references(edit, row)}
    if number is None:
        number = create_user(edit, values)
        return Outcome(Status.CREATED, edit.users.value(number, "id"))
    changed = change_user(edit, number, values)
    return updated(edit.users.value(number, "id"), changed=changed)


def apply_kind(edit: DirectoryEdit, row: Row) -> Outcome:
    name: str = row["name"]
    before = edit.kind_named(name)
    if before and before.is_built_in:
        return Outcome(Status.UNCHANGED, name)
    kind = changed(before or NEW_KIND, row)
    return apply_named(edit.kinds, {"id": name, "definition": definition_of(kind)}, {})


def apply_product(edit: DirectoryEdit, row: Row) -> Outcome:
    outcome = apply_named(edit.products, row, {})
    kind = kind_of(edit, row, edit.products.position("id", outcome.id))
    if kind in FIXED_KINDS and outcome.id not in DEFAULT_PRODUCTS:
        return replace(outcome, note=NOT_IN_USAGE_REPORT)
    return outcome


APPLY: Mapping[str, Callable[[DirectoryEdit, Row], Outcome]] = {
    "organization": apply_organization,
    "license": apply_license,
    "team": lambda edit, row: apply_named(edit.teams, row, NEW_TEAM),
    "department": lambda edit, row: apply_named(edit.departments, row, {}),
    "kind": apply_kind,
    "product": apply_product,
    "user": apply_user,
}


def updated(row_id: str | None = None, *, changed: bool) -> Outcome:
    return Outcome(Status.UPDATED if changed else Status.UNCHANGED, row_id)


def references(edit: DirectoryEdit, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.get("team") is not None:
        found["team"] = edit.teams.named(row["team"])
    if row.get("departments") is not None:
        found["departments"] = sorted(set(map(edit.departments.named, row["departments"])))
    return found


def create_user(edit: DirectoryEdit, values: Row) -> int:
    user = {**NEW_USER, "id": str(uuid4()), **values}
    fill_in(user, user["username"])
    since = values.get("state_since", edit.now_ms)
    times = {"created_at": since, "state_since": since, "updated_at": edit.now_ms}
    number = edit.users.append({**user, "former": [], **times})
    index_names(edit, number)
    return number


def change_user(edit: DirectoryEdit, number: int, values: Row) -> bool:
    """Change a user; former states stay in the history."""
    before = edit.users.row(number)
    after = {name: value for name, value in values.items() if name != "state_since"}
    after.setdefault("email", before["email"])
    fill_in(after, after.get("username", before["username"]))
    history = history_of(before)
    if (following := history_with(history, values, edit.now_ms)) != history:
        after |= as_values(following, edit.now_ms)
        after["created_at"] = before["created_at"] if after["former"] else after["state_since"]
    if not edit.users.change(number, after):
        return False
    edit.users.change(number, {"updated_at": edit.now_ms})
    for name in NAMES:
        edit.user_names.set(before[name], None)
    index_names(edit, number)
    return True


def fill_in(values: dict[str, Any], username: str) -> None:
    for name, default in {"user_key": username, "email": default_email(username)}.items():
        if name in values and values[name] is None:
            values[name] = default


def index_names(edit: DirectoryEdit, number: int) -> None:
    for name in NAMES:
        edit.user_names.set(edit.users.value(number, name), number)
