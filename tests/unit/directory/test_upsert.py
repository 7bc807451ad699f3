"""Changes to a directory, rule by rule."""

from datetime import timedelta
from typing import Any

import pytest

from odometer.api.v1.export import exported
from odometer.directory import registers, upsert
from odometer.directory.columns import BLOCK_ROWS, USER_FAMILIES, Row
from odometer.directory.people import User
from odometer.directory.upsert import DirectoryEdit, Outcome, Status
from odometer.directory.users import UserRegister
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import Role, State, UserType
from odometer.domain.time import epoch_ms
from odometer.engine.format.products import PLACES, RESERVED, TOTALS
from tests.support.memory_directory import NOON, MemoryDirectory

NOON_MS = epoch_ms(NOON)
HOUR_MS = 3_600_000
NO_UUID = "id: expected a UUID; one is made if it is left out"
CREATED, UPDATED, UNCHANGED, REJECTED = (
    Status.CREATED,
    Status.UPDATED,
    Status.UNCHANGED,
    Status.REJECTED,
)

D1, D2 = (f"d{number}b2c3d4-e5f6-7890-abcd-ef1234567890" for number in (1, 2))
APP, NEW = (f"f{number}b2c3d4-e5f6-7890-abcd-ef1234567890" for number in (1, 2))
IDS = [f"e{number}b2c3d4-e5f6-7890-abcd-ef1234567890" for number in (1, 2)]
JO: Row = {"id": "u1", "username": "jo", "user_key": "k1"}
SAM: Row = {"id": "u2", "username": "sam", "user_key": "k2"}


@pytest.fixture
def memory() -> MemoryDirectory:
    """Two teams, two departments, a product and two users."""
    memory = MemoryDirectory()
    memory.put(
        ("team", {"id": "t1", "name": "Core"}),
        ("team", {"id": "t2", "name": "Edge", "is_default": True}),
        ("department", {"id": D1, "name": "Research"}),
        ("department", {"id": D2, "name": "Sales"}),
        ("product", {"id": APP, "name": "Mail", "kind": "app"}),
        ("user", {**JO, "team": "t1"}),
        ("user", SAM),
    )
    return memory


def rejected(outcome: Outcome) -> tuple[str | None, str | None]:
    assert outcome.status is REJECTED
    return outcome.code, outcome.message


def statuses(memory: MemoryDirectory, *rows: tuple[str, Row]) -> list[Status]:
    return [outcome.status for outcome in memory.put(*rows)]


def jo(memory: MemoryDirectory) -> dict[str, Any]:
    return UserRegister(memory.directory).row(0)


# which user is meant


@pytest.mark.parametrize("row", [{"id": "u1"}, {"username": "jo"}, {"user_key": "k1"}, JO])
def test_a_user_is_found_by_any_of_their_names(memory: MemoryDirectory, row: Row) -> None:
    assert memory.user(**row, email="jo@example.com") == Outcome(UPDATED, "u1")
    assert jo(memory)["email"] == "jo@example.com"


def test_a_new_user_is_known_by_their_username_until_told_otherwise(
    memory: MemoryDirectory,
) -> None:
    made = memory.user(username="kim")
    assert made.status is CREATED
    kim = memory.directory.user_by_id(made.id or "")
    assert kim is not None
    assert kim.username == kim.user_key == "kim"
    assert kim.ordinal == 2
    assert (kim.email, kim.type, kim.role, kim.state, kim.team, kim.departments, kim.verified) == (
        "",
        UserType.ACCOUNT,
        Role.MEMBER,
        State.REGISTERED,
        None,
        [],
        False,
    )
    assert [*memory.directory.histories()][2] == [("registered", NOON_MS)]
    assert kim.updated_at == kim.created_at == kim.state_since == NOON_MS


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "u1", "username": "sam"}, "username: belongs to user u2"),
        ({"username": "jo", "user_key": "k2"}, "user_key: belongs to user u2"),
        ({"id": "u1", "user_key": "u2"}, "user_key: belongs to user u2"),
        ({"id": "u9", "username": "jo"}, "username: belongs to user u1"),
        ({"id": "u9", "username": "new", "user_key": "u2"}, "user_key: belongs to user u2"),
        ({"id": "jo", "username": "new"}, "id: belongs to user u1"),
        ({"username": "new", "user_key": "jo"}, "user_key: belongs to user u1"),
        ({"username": "k1"}, "username: belongs to user u1"),
        ({"username": "u1", "user_key": "new"}, "username: belongs to user u1"),
        (
            {"username": "k1", "user_key": "jo"},
            "username: belongs to user u1; user_key: belongs to user u1",
        ),
        ({"user_key": "jo"}, "user_key: belongs to user u1; username: required"),
        (
            {"id": "u3", "username": "sam", "user_key": "k1"},
            "username: belongs to user u2; user_key: belongs to user u1",
        ),
    ],
)
def test_a_row_that_would_make_a_subject_ambiguous_is_rejected(
    memory: MemoryDirectory, row: Row, reason: str
) -> None:
    before = memory.head
    assert rejected(memory.user(**row)) == ("conflict", reason)
    assert memory.head is before


def test_a_name_of_a_user_may_be_another_name_of_theirs_too(memory: MemoryDirectory) -> None:
    same: Row = {"username": "jo", "user_key": "jo"}
    assert [memory.user(**same), memory.user(**same)] == [
        Outcome(UPDATED, "u1"),
        Outcome(UNCHANGED, "u1"),
    ]
    assert memory.user(username="joan", user_key="jo") == Outcome(UPDATED, "u1")
    assert memory.user(id="u1", username="jo", user_key="joan") == Outcome(UPDATED, "u1")


def test_a_former_name_is_free_again(memory: MemoryDirectory) -> None:
    assert memory.user(id="u1", username="joan", user_key="joan").status is UPDATED
    assert memory.user(id="u3", username="jo", user_key="k1").status is CREATED
    assert rejected(memory.user(id="u4", username="joan"))[0] == "conflict"


def test_a_new_user_needs_a_username(memory: MemoryDirectory) -> None:
    for row in ({"id": "u9"}, {"user_key": "k9"}, {"user_key": None}, {"email": "x@example.com"}):
        assert rejected(memory.user(**row)) == ("invalid_parameter", "username: required")
        assert rejected(MemoryDirectory().user(**row)) == (
            "invalid_parameter",
            "username: required",
        )


# what a row sets of a user


def test_absent_fields_keep_their_value_and_null_clears(memory: MemoryDirectory) -> None:
    full = {
        **JO,
        "email": "jo@example.com",
        "type": UserType.SERVICE,
        "role": Role.ADMIN,
        "team": "t2",
        "departments": [D2, "Research", D2],
        "verified": True,
    }
    assert memory.user(**full).status is UPDATED
    memory.user(id="u2", role=Role.ADMIN)
    before = jo(memory)
    assert (before["team"], before["departments"], before["role"]) == (1, [0, 1], "Admin")
    assert memory.user(id="u1").status is UNCHANGED
    assert jo(memory) == before
    cleared = dict.fromkeys(set(full) - {"id", "username"}, None)
    assert memory.user(id="u1", **cleared).status is UPDATED
    assert jo(memory) == {
        **before,
        "user_key": "jo",
        "email": None,
        "type": "account-user",
        "role": "Member",
        "team": None,
        "departments": [],
        "verified": False,
    }


def test_a_username_cannot_be_cleared(memory: MemoryDirectory) -> None:
    assert rejected(memory.user(id="u1", username=None)) == (
        "invalid_parameter",
        "username: cannot be cleared",
    )


def test_an_email_that_is_left_out_or_cleared_is_the_username_if_it_has_an_at(
    memory: MemoryDirectory,
) -> None:
    row = {"id": "u9", "username": "kim@example.com"}
    assert memory.user(**row).status is CREATED
    assert memory.user(**row, email="kim@example.com").status is UNCHANGED
    assert memory.user(**row, email="kim@home.example").status is UPDATED
    assert memory.user(id="u9", username="kim.b@example.com", email=None).status is UPDATED
    assert memory.user(id="u9", email="kim.b@example.com").status is UNCHANGED
    assert memory.user(id="u9", username="kim", email=None).status is UPDATED
    kim = memory.directory.user_by_id("u9")
    assert kim is not None
    assert kim.email == ""


def test_a_user_key_that_is_cleared_is_the_username_again(memory: MemoryDirectory) -> None:
    assert memory.user(id="u1", username="joan", user_key=None).status is UPDATED
    assert jo(memory)["user_key"] == "joan"
    assert memory.user(username="kim", user_key=None).status is CREATED


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"team": "t9"}, "team: nothing is called t9"),
        ({"departments": [D1, "d9"]}, "departments.1: nothing is called d9"),
    ],
)
def test_a_row_that_refers_to_nothing_is_rejected(
    memory: MemoryDirectory, row: Row, reason: str
) -> None:
    before = memory.head
    assert rejected(memory.user(id="u1", email="new@example.com", **row)) == ("not_found", reason)
    assert memory.head is before


def test_a_team_is_referred_to_by_id_before_name(memory: MemoryDirectory) -> None:
    memory.put(("team", {"id": "t3", "name": "t1"}))
    assert memory.user(id="u1", team="t1").status is UNCHANGED
    assert memory.user(id="u1", team="Edge").status is UPDATED
    assert jo(memory)["team"] == 1


@pytest.mark.parametrize(
    ("kind", "field", "ids"), [("team", "team", ["t3", "t4"]), ("department", "departments", IDS)]
)
def test_a_name_that_several_have_refers_to_none_of_them(
    memory: MemoryDirectory, kind: str, field: str, ids: list[str]
) -> None:
    memory.put(*((kind, {"id": each, "name": "Twins"}) for each in ids))
    before = memory.head
    value = "Twins" if field == "team" else ["Twins"]
    place = field if field == "team" else f"{field}.0"
    reason = f"{place}: several are called Twins; refer to one by its id"
    assert rejected(memory.user(id="u1", **{field: value})) == ("conflict", reason)
    reason = "name: several are called Twins; refer to one by its id"
    assert rejected(memory.put((kind, {"name": "Twins"}))[0]) == ("conflict", reason)
    assert memory.head is before
    assert (
        memory.user(id="u1", **{field: ids[0] if field == "team" else [ids[0]]}).status is UPDATED
    )


def test_only_a_change_moves_the_time_of_the_last_change(memory: MemoryDirectory) -> None:
    later = NOON + timedelta(hours=1)
    assert memory.put(("user", JO), now=later)[0].status is UNCHANGED
    assert jo(memory)["updated_at"] == NOON_MS
    assert memory.put(("user", {**JO, "verified": True}), now=later)[0].status is UPDATED
    assert jo(memory)["updated_at"] == NOON_MS + HOUR_MS


# the states of a user


def test_a_change_of_state_keeps_the_states_that_were(memory: MemoryDirectory) -> None:
    steps: list[Row] = [
        {"state": State.DEACTIVATED},
        {"state": State.DEACTIVATED},
        {"state": State.REGISTERED, "state_since": NOON_MS + 3 * HOUR_MS},
    ]
    found = [
        memory.put(("user", {"id": "u1", **row}), now=NOON + timedelta(hours=hour))[0].status
        for hour, row in enumerate(steps, 1)
    ]
    assert found == [UPDATED, UNCHANGED, UPDATED]
    assert jo(memory)["state"] == "registered"
    assert next(memory.directory.histories()) == [
        ("registered", NOON_MS),
        ("deactivated", NOON_MS + HOUR_MS),
        ("registered", NOON_MS + 3 * HOUR_MS),
    ]


def test_the_beginning_of_the_present_state_can_be_corrected(memory: MemoryDirectory) -> None:
    memory.user(id="u1", state=State.DEACTIVATED, state_since=NOON_MS + 2)
    assert memory.user(id="u1", state_since=NOON_MS + 1).status is UPDATED
    assert next(memory.directory.histories()) == [
        ("registered", NOON_MS),
        ("deactivated", NOON_MS + 1),
    ]


@pytest.mark.parametrize("state", [State.DEACTIVATED, State.REGISTERED])
def test_a_state_cannot_begin_before_the_one_that_came_before(
    memory: MemoryDirectory, state: State
) -> None:
    memory.user(id="u1", state=State.DEACTIVATED, state_since=NOON_MS + 2)
    before = memory.head
    outcome = memory.user(id="u1", verified=True, state=state, state_since=NOON_MS - 1)
    assert rejected(outcome) == ("conflict", "state_since: before the state that came before")
    assert memory.head is before


MINUTES_MS = 5 * 60 * 1000


def test_a_state_begins_no_later_than_now_on_a_clock_that_is_a_little_ahead(
    memory: MemoryDirectory,
) -> None:
    before = memory.head
    late: Row = {"state": State.DEACTIVATED, "state_since": NOON_MS + MINUTES_MS + 1}
    reason = "state_since: more than 5 minutes ahead"
    assert rejected(memory.user(id="u1", **late)) == ("invalid_parameter", reason)
    assert rejected(memory.user(username="kim", **late)) == ("invalid_parameter", reason)
    assert memory.head is before
    soon: Row = {"state": State.DEACTIVATED, "state_since": NOON_MS + MINUTES_MS}
    assert memory.user(id="u1", **soon).status is UPDATED
    assert memory.user(username="kim", **soon).status is CREATED


def test_to_correct_the_first_state_is_to_correct_when_a_user_was_created(
    memory: MemoryDirectory,
) -> None:
    years_ago = NOON_MS - 10**11
    assert memory.user(id="u1", state_since=years_ago).status is UPDATED
    found = memory.directory.users[0]
    assert (found.created_at, found.updated_at) == (years_ago, NOON_MS)
    assert next(memory.directory.histories()) == [("registered", years_ago)]


def test_null_leaves_the_state_alone(memory: MemoryDirectory) -> None:
    memory.user(id="u1", state=State.DEACTIVATED)
    assert memory.user(id="u1", state=None, state_since=None).status is UNCHANGED


def test_a_user_is_deactivated_since_that_state_began(memory: MemoryDirectory) -> None:
    memory.user(id="u1", state=State.DEACTIVATED, state_since=NOON_MS + 5)
    assert [user.deactivated_at for user in memory.directory.users] == [NOON_MS + 5, None]


# the last Admin


@pytest.mark.parametrize(
    "row",
    [
        {"role": Role.MANAGER},
        {"role": None},
        {"state": State.DEACTIVATED},
        {"role": Role.MEMBER, "state": State.DEACTIVATED},
    ],
)
def test_nobody_takes_the_last_admin_away(memory: MemoryDirectory, row: Row) -> None:
    memory.user(id="u1", role=Role.ADMIN)
    gone = {"role": Role.ADMIN, "state": State.DEACTIVATED}
    memory.user(id="u3", username="gone", **gone)
    before = memory.head
    field = "role" if "role" in row else "state"
    reason = f"{field}: user u1 is the last Admin; make somebody else one first"
    assert rejected(memory.user(id="u1", **row)) == ("conflict", reason)
    assert memory.head is before
    assert memory.user(id="u1", username="joan").status is UPDATED
    assert statuses(
        memory, ("user", {"id": "u2", "role": Role.ADMIN}), ("user", {"id": "u1", **row})
    )
    assert [user.id for user in memory.directory.users if is_admin(user)] == ["u2"]


def is_admin(user: User) -> bool:
    return user.role == Role.ADMIN and user.state != State.DEACTIVATED


def test_where_nobody_is_an_admin_none_is_needed(memory: MemoryDirectory) -> None:
    assert memory.user(id="u1", role=Role.MANAGER).status is UPDATED
    assert memory.user(id="u1", state=State.DEACTIVATED).status is UPDATED


# everything that has a name


@pytest.mark.parametrize(
    ("kind", "row"), [("team", {}), ("department", {}), ("product", {"kind": "app"})]
)
def test_a_named_row_is_found_by_id_or_by_name(
    memory: MemoryDirectory, kind: str, row: Row
) -> None:
    made, found, renamed, again = memory.put(
        (kind, {"name": "New", **row}),
        (kind, {"name": "New", **row}),
        (kind, {"id": NEW, "name": "New", **row}),
        (kind, {"id": NEW, "name": "Newer"}),
    )
    assert [made.status, found.status, renamed.status, again.status] == [
        CREATED,
        UNCHANGED,
        CREATED,
        UPDATED,
    ]
    assert made.id == found.id != renamed.id == again.id == NEW


@pytest.mark.parametrize("kind", ["team", "department", "product"])
def test_a_new_named_row_needs_a_name(memory: MemoryDirectory, kind: str) -> None:
    rows: list[Row] = [{"id": NEW, "kind": "app"}, {"kind": "app"}]
    for row in rows:
        wanted = row if kind == "product" else {name: row[name] for name in row if name != "kind"}
        code, message = rejected(memory.put((kind, wanted))[0])
        assert (code, message) == ("invalid_parameter", "name: required")


def test_a_name_cannot_be_cleared(memory: MemoryDirectory) -> None:
    before = memory.head
    for kind, name in (("team", "t1"), ("department", D1), ("product", APP)):
        outcome = memory.put((kind, {"id": name, "name": None}))[0]
        assert rejected(outcome) == ("invalid_parameter", "name: cannot be cleared")
    assert memory.head is before


def test_a_team_is_no_default_when_that_is_cleared(memory: MemoryDirectory) -> None:
    assert statuses(memory, ("team", {"id": "t2", "is_default": None})) == [UPDATED]
    assert [team.is_default for team in memory.directory.teams] == [False, False]


def test_a_product_keeps_its_kind(memory: MemoryDirectory) -> None:
    before = memory.head
    assert rejected(memory.put(("product", {"id": APP, "kind": "test"}))[0]) == (
        "conflict",
        "kind: is app and stays so",
    )
    assert rejected(memory.put(("product", {"id": APP, "kind": None}))[0]) == (
        "invalid_parameter",
        "kind: cannot be cleared",
    )
    assert rejected(memory.put(("product", {"id": "p2", "name": "New"}))[0]) == (
        "invalid_parameter",
        "kind: required",
    )
    assert memory.head is before
    assert memory.directory.products[0].kind == "app"


@pytest.mark.parametrize("kind", ["department", "product"])
def test_what_reports_name_by_a_uuid_has_none_but_a_uuid_for_its_id(
    memory: MemoryDirectory, kind: str
) -> None:
    before = memory.head
    row = {"name": "New", **({"kind": "app"} if kind == "product" else {})}
    for wrong in ("notes", f"{NEW}0", NEW[:-1]):
        outcome = memory.put((kind, {"id": wrong, **row}))[0]
        assert rejected(outcome) == ("invalid_parameter", NO_UUID)
    assert memory.head is before


def test_every_product_has_a_row_in_the_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PLACES[TOTALS] >= registers.MOST_PRODUCTS + RESERVED
    monkeypatch.setattr(registers, "MOST_PRODUCTS", 2)
    rows = [("product", {"name": name, "kind": "app"}) for name in ("a", "b", "c", "a")]
    taken = MemoryDirectory().put(*rows)
    assert [each.status for each in taken] == [CREATED, CREATED, REJECTED, UNCHANGED]
    assert taken[2].message == "product: an organization has at most 2 products"


def test_another_product_may_have_any_id() -> None:
    assert (
        MemoryDirectory().put(("product", {"id": "x", "name": "X", "kind": "chat"}))[0].status
        is CREATED
    )


@pytest.mark.parametrize("product", DEFAULT_PRODUCTS)
def test_a_product_that_everybody_has_is_of_its_own_kind(product: str) -> None:
    wrong = next(kind for kind in ("app", "test") if DEFAULT_PRODUCTS[product].name != kind)
    outcome = MemoryDirectory().put(("product", {"id": product, "name": "Mine", "kind": wrong}))[0]
    assert rejected(outcome)[0] == "conflict"


# the organization and its license


def test_the_organization_keeps_what_is_absent_and_resets_what_is_null(
    memory: MemoryDirectory,
) -> None:
    row: Row = {"time_zone": "Europe/Berlin", "domains": ["example.com"], "retention_years": 5}
    assert statuses(memory, ("organization", row), ("organization", row)) == [UPDATED, UNCHANGED]
    cleared = dict.fromkeys(row, None)
    assert statuses(memory, ("organization", cleared), ("organization", {})) == [UPDATED, UNCHANGED]
    organization = memory.directory.organization
    assert (organization.name, organization.time_zone, organization.domains) == (
        "Acme Corp",
        "UTC",
        [],
    )
    assert organization.retention_years == 3


def test_the_name_of_the_organization_cannot_be_cleared(memory: MemoryDirectory) -> None:
    outcome = memory.put(("organization", {"name": None}))[0]
    assert rejected(outcome) == ("invalid_parameter", "name: cannot be cleared")


LICENSE: Row = {"exp": 2, "iat": 1, "seats": 3, "seats_cap": 4}


def test_a_license_begins_whole_and_changes_in_part(memory: MemoryDirectory) -> None:
    assert rejected(memory.put(("license", {"exp": 1, "iat": 1}))[0]) == (
        "invalid_parameter",
        "seats: required; seats_cap: required",
    )
    assert memory.directory.license is None
    assert statuses(
        memory, ("license", LICENSE), ("license", LICENSE), ("license", {"seats": 9})
    ) == [CREATED, UNCHANGED, UPDATED]
    license_ = memory.directory.license
    assert license_ is not None
    assert (license_.exp, license_.seats, license_.features) == (2, 9, [])


@pytest.mark.parametrize("name", LICENSE)
def test_what_a_license_needs_cannot_be_cleared(memory: MemoryDirectory, name: str) -> None:
    memory.put(("license", LICENSE))
    outcome = memory.put(("license", {name: None}))[0]
    assert rejected(outcome) == ("invalid_parameter", f"{name}: cannot be cleared")


# all faults of a row


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        (
            "user",
            {
                "id": "u1",
                "username": "sa:m",
                "user_key": "k2",
                "team": "t9",
                "departments": ["d8", D1, "d9"],
                "state": State.DEACTIVATED,
                "state_since": NOON_MS + HOUR_MS,
            },
            (
                "user_key: belongs to user u2; "
                "username: a colon would end it in a Basic header; "
                "team: nothing is called t9; "
                "departments.0: nothing is called d8; "
                "departments.2: nothing is called d9; "
                "state_since: more than 5 minutes ahead; "
                "state: user u1 is the last Admin; make somebody else one first"
            ),
        ),
        ("product", {"id": "notes", "kind": "app"}, f"{NO_UUID}; name: required"),
        (
            "product",
            {"id": APP, "name": None, "kind": "chat"},
            "kind: is app and stays so; name: cannot be cleared",
        ),
        ("department", {"id": "d9"}, f"{NO_UUID}; name: required"),
        (
            "license",
            {"exp": None, "iat": 1, "seats": None},
            "exp: cannot be cleared; seats: cannot be cleared; seats_cap: required",
        ),
    ],
)
def test_a_row_is_rejected_whole_with_all_its_faults(
    memory: MemoryDirectory, kind: str, row: Row, reason: str
) -> None:
    memory.user(id="u1", role=Role.ADMIN)
    before = memory.head
    (outcome,) = memory.put((kind, row))
    assert rejected(outcome)[1] == reason
    assert memory.head is before


def test_where_all_faults_are_too_long_the_first_is_told_and_the_others_named(
    memory: MemoryDirectory,
) -> None:
    row: Row = {"id": "u9", "user_key": "k2", "team": "t" * 256, "departments": ["d" * 256]}
    assert rejected(memory.user(**row)) == (
        "conflict",
        "user_key: belongs to user u2; also at fault: username, team, departments.0",
    )
    long = {"id": "u1", "team": "t" * 256, "departments": ["d" * 256]}
    found = rejected(memory.user(**long))[1] or ""
    assert found.startswith("team: nothing is called ttt")
    assert found.endswith("t…; also at fault: departments.0")
    assert len(found) <= upsert.LONGEST_REASON


# all at once


def test_one_rejected_row_spoils_no_other(memory: MemoryDirectory) -> None:
    assert statuses(
        memory,
        ("user", {"id": "u1", "verified": True}),
        ("user", {"id": "u1", "username": "sam"}),
        ("user", {"id": "u2", "verified": True}),
    ) == [UPDATED, REJECTED, UPDATED]
    assert [user.verified for user in memory.directory.users] == [True, True]


def test_a_change_touches_only_the_blocks_that_it_changes(memory: MemoryDirectory) -> None:
    before = memory.head.blocks
    memory.put(("user", {"id": "u1", "role": Role.ADMIN}), now=NOON + timedelta(hours=1))
    after = memory.head.blocks
    changed = {(block.register, block.family) for block in after if after[block] != before[block]}
    assert changed == {("users", "roster"), ("users", "profile")}  # the profile: updated_at


def test_nothing_is_written_when_nothing_changes(memory: MemoryDirectory) -> None:
    before = memory.head
    rows = [(kind, renamed(row)) for kind, row in exported(memory.directory)]
    assert set(statuses(memory, *rows)) == {UNCHANGED}
    assert memory.head is before


def test_rows_go_on_in_the_next_block() -> None:
    memory = MemoryDirectory()
    count = 2 * BLOCK_ROWS + 1
    memory.put(*(("user", {"id": f"u{n}", "username": f"user {n}"}) for n in range(count)))
    assert len(memory.head.blocks) == 3 * len(USER_FAMILIES)
    for number in (0, BLOCK_ROWS - 1, BLOCK_ROWS, 2 * BLOCK_ROWS - 1, 2 * BLOCK_ROWS):
        user = memory.directory.user_by_id(f"u{number}")
        assert user is not None
        assert (user.ordinal, user.username) == (number, f"user {number}")
        assert memory.directory.key_owner(number).id == f"u{number}"
    before = memory.head.blocks
    memory.user(id=f"u{BLOCK_ROWS}", email="x@example.com")
    after = memory.head.blocks
    assert [block.number for block in after if after[block] != before[block]] == [1]
    assert [user.ordinal for user in memory.directory.users] == list(range(count))


def renamed(row: Row) -> Row:
    """An exported row as the wire reads it: a product's own kind, instants in ms."""
    values = dict(row)
    if "product_kind" in values:
        values["kind"] = values.pop("product_kind")
    values.pop("state_since", None)
    return values


# who was met in an event


@pytest.fixture
def met(memory: MemoryDirectory) -> Row:
    """Somebody with a colon in the name, whom an event has brought, as exported."""
    edit = DirectoryEdit(memory.directory, NOON)
    edit.register("urn:who:1", NOON_MS)
    memory.keep(edit)
    rows = [row for kind, row in exported(memory.directory) if kind == "user"]
    return {**rows[-1], "state_since": NOON_MS}


def test_a_stranger_with_a_colon_in_the_name_can_be_put_again_and_elsewhere(
    memory: MemoryDirectory, met: Row
) -> None:
    assert met["username"] == met["user_key"] == "urn:who:1"
    elsewhere = {**met, "team": None}
    assert statuses(memory, ("user", met), ("user", elsewhere)) == [UNCHANGED, UNCHANGED]
    assert statuses(MemoryDirectory(), ("user", elsewhere)) == [CREATED]


def test_a_colon_is_in_a_username_only_where_it_is_what_events_name_the_user_by(
    memory: MemoryDirectory, met: Row
) -> None:
    before = memory.head
    rows: list[Row] = [
        {"username": "a:b"},
        {"username": "a:b", "user_key": None},
        {"username": "a:b", "user_key": "b"},
        {"id": "u1", "username": "a:b"},
        {"username": "urn:who:1", "user_key": "who-1"},
        {"id": met["id"], "user_key": "who-1"},
    ]
    for row in rows:
        reason = "username: a colon would end it in a Basic header"
        assert rejected(memory.user(**row)) == ("invalid_parameter", reason)
    assert memory.head is before
    named = {"id": met["id"], "username": "Who", "user_key": "urn:who:1"}
    assert memory.user(**named).status is UPDATED
    assert memory.user(user_key="urn:who:1", email="who@example.com").status is UPDATED
