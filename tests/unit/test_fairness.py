"""What a quiet tenant gets beside a noisy one, and beside a stranger, in counts."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from odometer.access.limits import Limits
from tests.costs.costs import write_section
from tests.support.simulated_region import Account, Caller, Region
from tests.unit.test_template import TEMPLATE

DECISION = Path("docs/decisions/0078-an-organization-has-limits-that-processes-share.md")
TITLE = "What a quiet tenant gets"
NAMES = ("OrganizationRequests", "OrganizationReadUnits", "OrganizationEvents", "KeyPercent")
DEFAULTS = Limits(*(int(TEMPLATE["Parameters"][name]["Default"]) for name in NAMES))
BEFORE, LIMITED = Account(), Account(limits=DEFAULTS)
KEPT = LIMITED._replace(intake=10)
FIREWALL = KEPT._replace(firewall=6000)

REPORT = "GET /v1/usage"
EVENTS = "POST /v1/events"
QUIET = (
    Caller("quiet", REPORT, 0.5, seconds=0.1, units=20),
    Caller("quiet", EVENTS, 0.5, seconds=0.03, units=2),
)
CASES: Mapping[str, tuple[Caller, ...]] = {
    "nobody": (),
    "150 dear reports a second": (Caller("noisy", REPORT, 150, seconds=0.5, units=400),),
    "150 slow reports a second": (Caller("noisy", REPORT, 150, seconds=1.0, units=150),),
    "500 reports a second": (Caller("noisy", REPORT, 500, seconds=0.05, units=5),),
    "500 a second without a key": (Caller("noisy", REPORT, 500, has_key=False),),
}
SETTINGS: Mapping[str, Account] = {
    "none": BEFORE,
    "limits": LIMITED,
    "and kept executions": KEPT,
    "and a firewall": FIREWALL,
}


@cache
def minute(case: str, setting: str) -> Region:
    return Region(SETTINGS[setting]).run(*QUIET, *CASES[case])


def served(case: str, setting: str, what: str) -> float:
    """The part of a quiet tenant's requests that is served."""
    outcomes = minute(case, setting).outcomes[f"quiet {what}"]
    return outcomes["served"] / outcomes.total()


def test_alone_a_tenant_is_served() -> None:
    for setting in SETTINGS:
        assert served("nobody", setting, "reports") == served("nobody", setting, "events") == 1
        assert minute("nobody", setting).counts.writes == 0


def test_dear_reports_of_one_tenant_leave_the_tables_to_others() -> None:
    case = "150 dear reports a second"
    assert served(case, "none", "reports") < 0.9
    assert served(case, "limits", "reports") > 0.95
    noisy = minute(case, "limits").outcomes["noisy reports"]
    assert 0 < noisy["served"] * 400 < 2 * 60 * DEFAULTS.read_units
    assert minute(case, "limits").units < minute(case, "none").units / 2


def test_slow_reports_of_one_tenant_leave_executions_to_others() -> None:
    case = "150 slow reports a second"
    assert served(case, "none", "events") < 0.7
    assert served(case, "limits", "reports") > served(case, "none", "reports")
    assert served(case, "and kept executions", "events") == 1


def test_what_a_gateway_refuses_only_a_firewall_can_tell_apart() -> None:
    for case in ("500 reports a second", "500 a second without a key"):
        assert served(case, "none", "reports") < 0.6
        assert served(case, "limits", "reports") < 0.6
        assert served(case, "and a firewall", "reports") == 1
        for setting in SETTINGS:
            assert served(case, setting, "events") == 1, "another path has tokens of its own"


def test_a_stranger_costs_no_unit_and_hardly_an_execution() -> None:
    alone, beside = minute("nobody", "limits"), minute("500 a second without a key", "limits")
    assert beside.units <= alone.units
    assert beside.counts.writes == 0
    assert beside.most_executions < 15


def test_what_is_written_of_it_is_what_was_counted() -> None:
    table = "\n".join(f"| {row} |" for row in rows())
    write_section(DECISION, TITLE, TEXT + table)
    section = DECISION.read_text().partition(f"\n## {TITLE}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\|.*\|$", section, re.MULTILINE) == table.splitlines()


def rows() -> list[str]:
    head = ["beside", "set", "reports served", "events served", "noisy: served"]
    head += ["429 by a limit", "429 by the gateway", "429 by the firewall"]
    head += ["failed", "executions", "read units", "writes of counts"]
    return [" | ".join(head), " | ".join(["---", "---", *["---:"] * 10])] + [
        row(case, setting) for case in CASES for setting in SETTINGS if case != "nobody"
    ]


def row(case: str, setting: str) -> str:
    region = minute(case, setting)
    noisy = region.outcomes["noisy reports"]
    quiet = [f"{served(case, setting, what):.0%}" for what in ("reports", "events")]
    failed = noisy["table"] + noisy["no execution"]
    told = [noisy["served"], noisy["limit"], noisy["gateway"], noisy["firewall"], failed]
    used = [region.most_executions, region.units, region.counts.writes]
    return " | ".join([case, setting, *quiet, *(f"{each:,}" for each in (*told, *used))])


TEXT = """\
The second minute in which a quiet tenant asks for a report and sends events every two seconds,
beside somebody noisy (dear reports read 400 units in half a second, slow ones 150 in a second), in
an account of 100 executions whose table takes 40,000 read units a second. Counted by
`tests/unit/test_fairness.py` with the real limits and a simulated gateway, firewall and pool.

"""
