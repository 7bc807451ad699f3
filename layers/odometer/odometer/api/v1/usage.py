"""Any figure of any products: totals, and groups in order, each of them in blocks of time."""

from typing import Final

from odometer.access.policy import Caller
from odometer.api.v1.usage_answer import Row, UsageAnswer
from odometer.api.v1.usage_query import UsageQuery
from odometer.api.v1.usage_question import (
    What,
    When,
    explain_template,
    filter_asked,
    what_is_asked,
    when_is_asked,
)
from odometer.api.v1.usage_rows import Read, Rows
from odometer.domain.time import format_seconds, instant_at, instant_of_ms
from odometer.engine.format.products import PEOPLE, TOTALS
from odometer.reports.periods import text_in
from odometer.services import figures
from odometer.services.figures import Asked, Filter, GroupBy
from odometer.services.figures_by_value import ReportByValue
from odometer.services.usage import Usage
from odometer.web.cursors import USERS_NAMED, Chain, link_headers, next_cursor, restore_view
from odometer.web.endpoint import Subjects
from odometer.web.report import Report

NARROWED_BY: Final = ("from", "to", "granularity", "team", "department", "q")


def usage_in_groups(
    query: UsageQuery, subjects: Subjects, caller: Caller, usage: Usage, chain: Chain
) -> Report[UsageAnswer]:
    restore_view(chain, usage)
    what = what_is_asked(query, usage.directory, caller)
    when = when_is_asked(query, usage.view.head.zone, instant_at(chain.began), what)
    read = reading_of(what, when, filter_asked(query, what, subjects, usage.directory), usage)
    return report_of(
        Rows(query, what, when, usage, read), explain_template(query, what, subjects), chain
    )


def reading_of(what: What, when: When, users: Filter, usage: Usage) -> Read:
    """What answers the question; a breakdown is one of everybody's usage."""
    by, compared = what.group_by, when.compared_ends
    if isinstance(by, GroupBy):
        asked = Asked(what.products, when.edges, users, by, compared, what.counts_days)
        return figures.Report(usage, asked)
    asked = Asked(what.products, when.edges, compare=compared, days=what.counts_days)
    return ReportByValue(usage, asked, by)


def report_of(rows: Rows, explain: str, chain: Chain) -> Report[UsageAnswer]:
    ranking, usage = rows.ranked, rows.usage
    directory, by_user = usage.directory, rows.what.group_by is GroupBy.USER
    if by_user:
        chain = chain.after_erasures(ranking, len(directory.erased))
    most = 0 if chain.all_rows else rows.most_groups
    ahead = ranking.part(slice(chain.row, chain.row + most + USERS_NAMED))
    most = rows.affordable(ahead[:most])
    shown, ahead = ahead[:most], ahead[most:] if by_user else []
    pinned = [PEOPLE.id, TOTALS.id, *(product.id for product in rows.what.products)]
    following = next_cursor(chain, usage, directory, pinned, len(shown), len(ranking), ahead)
    return Report(
        UsageAnswer.of(content_of(rows, shown, following, explain)),
        rows.lines,
        rows.when.periods,
        rows.through_ms,
        columns=rows.columns,
        narrowed_by=NARROWED_BY,
        headers=link_headers({}, chain, following),
    )


def content_of(rows: Rows, shown: list[int], following: str | None, explain: str) -> Row:
    when, (total, groups) = rows.when, rows.page(shown)
    start, end = (text_in(edge, when.zone) for edge in (when.edges[0], when.edges[-1]))
    compared = [text_in(edge, when.zone) for edge in when.compared_ends or ()]
    return {
        "from": start,
        "to": end,
        "compare_from": compared[0] if compared else None,
        "compare_to": compared[1] if compared else None,
        "timezone": when.zone_name,
        "granularity": rows.query.granularity,
        "group_by": rows.query.group_by,
        "complete": rows.has_counted(when.edges[-1]),
        "data_through": format_seconds(instant_of_ms(rows.through_ms)),
        **total,
        "groups": groups,
        "total_groups": len(rows.ranked),
        "next_cursor": following,
        "explain": explain,
    }
