"""The tables of `docs/cost.md`, from counted units and list prices: `python -m tools.cost_page`."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from odometer_cli import prices
from odometer_cli.prices import LOOKED_UP, MILLION, PRICES, REGION, Price
from tools.billing import dollars, gb_seconds
from tools.counts import SIZES, Cost, Way, published_routes, published_steps, table
from tools.monthly_bill import (
    ACCEPT_CPU_MS,
    FOLD_CPU_MS,
    IN_PRODUCTION,
    LOADS,
    LOG_BYTES_OF_ANSWER,
    LOG_BYTES_OF_GATEWAY,
    LOG_BYTES_OF_LAMBDA,
    REPORT_CPU_MS,
    SETTLE_CPU_MS,
    WORKER_MB,
    Knobs,
    Load,
    Month,
)

PAGE: Final = Path(__file__).parents[1] / "docs" / "cost.md"
THOUSAND: Final = 1_000
LOG_GB_OF_REQUEST: Final = (
    LOG_BYTES_OF_ANSWER + LOG_BYTES_OF_GATEWAY + LOG_BYTES_OF_LAMBDA
) / prices.GB


def write() -> None:
    """Renew every table of the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def renewed(page: str) -> str:
    """The page with its tables as they must be."""
    for name, text in tables().items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}"
    return page


def tables() -> Mapping[str, str]:
    return {
        "prices": price_table(),
        "events": event_table(),
        "reports": report_table(),
        "months": month_table(),
        "knobs": knob_table(),
    }


def price_table() -> str:
    rows = [[each.service, each.of, each.per, f"{Decimal(str(each.dollars)):f}"] for each in PRICES]
    text = table(["service", "what", "for", f"$ in {REGION}"], rows, left=3)
    return f"Looked up on {LOOKED_UP}.\n\n{text}"


def event_table() -> str:
    head = ["batches of", "settled together", "step", "write units", "read units", "tables, $"]
    return table([*head, "functions, $", "API and logs, $"], list(event_rows()), left=3)


def event_rows() -> Iterator[list[str]]:
    """What a million events cost, step by step."""
    for way, steps in sorted(published_steps().items()):
        for step, cost in steps.items():
            reads = cost.read_units + (2 / way.batch if step == "accept" else 0)
            tables_cost = prices.READ_UNIT(reads) + prices.WRITE_UNIT(cost.write_units)
            units = [f"{MILLION * each:,.0f}" for each in (cost.write_units, reads)]
            paid = [tables_cost, function_dollars(step, way, cost.calls), asked(step, way)]
            name = [f"{way.batch:,}", f"{way.settled:,}", step]
            yield [*name, *units, *(money(MILLION * each) for each in paid)]


def function_dollars(step: str, way: Way, calls: float) -> float:
    """What functions cost for an event; an audit computes what a fold does, a rebuild settles."""
    together = way.batch if step in ("accept", "fold") else max(way.settled, 5_000)
    together = way.settled if step == "settle" else together
    memory = WORKER_MB if step in ("settle", "audit", "rebuild") else 1_024
    seconds = gb_seconds(calls * together, CPU_MS[step] * together, memory)
    return (prices.GB_SECOND(seconds) + prices.INVOCATION(1)) / together


def asked(step: str, way: Way) -> float:
    if step != "accept":
        return 0.0
    return (prices.REST_REQUEST(1) + prices.LOG_GB(LOG_GB_OF_REQUEST)) / way.batch


def report_table() -> str:
    both = [published_routes(users) for users in SIZES]
    rows = [
        [route, *(cell for found, users in zip(both, SIZES, strict=True)
                  for cell in report_cells(found[route], users))]
        for route in both[0]
    ]  # fmt: skip
    head = [f"{users:,} users: {words}" for users in SIZES for words in ("warm, $", "cold, $")]
    return table(["1,000 requests of", *head], rows)


def report_cells(costs: tuple[Cost, Cost], users: int) -> list[str]:
    cold, warm = costs
    return [money(THOUSAND * request_dollars(each, users)) for each in (warm, cold)]


def request_dollars(cost: Cost, users: int) -> float:
    """A whole request: the gateway, the function, the tables and the logs."""
    ours = dollars(cost.read_units, cost.hops, REPORT_CPU_MS[users])
    around = prices.REST_REQUEST(1) + prices.LOG_GB(LOG_GB_OF_REQUEST)
    return ours + prices.WRITE_UNIT(cost.write_units) + around


def month_table() -> str:
    months = [Month(load) for load in LOADS]
    rows = [[f"{line.price.service}: {line.price.of}", line.about,
             *(cell for month in months for cell in line_cells(month, line.price))]
            for line in months[0].lines]  # fmt: skip
    total = ["**all**", "", *(cell for month in months
                              for cell in ("", f"**{month.dollars:,.2f}**"))]  # fmt: skip
    head = [f"{load.name}: {words}" for load in LOADS for words in ("counted", "$")]
    return table(["what", "of", *head], [*rows, total], left=2)


def line_cells(month: Month, price: Price) -> tuple[str, str]:
    (line,) = [each for each in month.lines if each.price == price]
    return counted(line.amount), f"{line.dollars:,.2f}"


def knob_table() -> str:
    head = ["turn", *(f"{load.name}, $ a month" for load in LOADS)]
    batches = [[words, *map(partial(of_batches, size), LOADS)] for words, size in BATCHES.items()]
    return table(head, [*batches, *([words, *changes(knobs)] for words, knobs in KNOBS.items())])


def of_batches(size: int, load: Load) -> str:
    """What batches of another size change, where as many events are settled together."""
    sent, usual = (load._replace(way=Way(each, 5_000)) for each in (size, 100))
    return change(Month(sent).dollars - Month(usual).dollars)


def changes(knobs: Knobs) -> list[str]:
    return [change(Month(load, knobs).dollars - Month(load).dollars) for load in LOADS]


def change(dollars_more: float) -> str:
    return f"{dollars_more:+,.2f}" if abs(dollars_more) >= A_CENT else "0.00"


A_CENT: Final = 0.005
BATCHES: Final = {"batches of 10 instead of 100": 10, "batches of 1,000 instead of 100": 1_000}


KNOBS: Final[Mapping[str, Knobs]] = {
    f"`LogRetentionDays` {IN_PRODUCTION['LogRetentionDays']} to 7": Knobs(log_days=7),
    "`ApplicationLogLevel=WARN`, and no metrics": Knobs(answers_logged=False, monitoring=False),
    "`SystemLogLevel=WARN`": Knobs(runs_logged=False),
    "no traces": Knobs(traced=False),
    "`Monitoring=false`": Knobs(monitoring=False),
    "no point-in-time recovery (`Production=false`)": Knobs(recovery=False),
    "no daily backups (`Backups=false`)": Knobs(backup_days=0),
    f"`BackupDays` {IN_PRODUCTION['BackupDays']} to 7": Knobs(backup_days=7),
    "`MemorySize` 1,024 to 512": Knobs(memory_mb=512),
    "`MemorySize` 1,024 to 1,769, a whole core": Knobs(memory_mb=1_769),
    "`Architecture=x86_64`": Knobs(gb_second=prices.GB_SECOND_X86),
    "`SnapStart=PublishedVersions`": Knobs(snapstart=True),
    "an HTTP API instead of the REST API": Knobs(request=prices.HTTP_REQUEST),
    "provisioned capacity, 70 % used": Knobs(
        read_unit=prices.READ_CAPACITY._replace(dollars=0.00013 / 3_600 / 0.7),
        write_unit=prices.WRITE_CAPACITY._replace(dollars=0.00065 / 3_600 / 0.7),
    ),
    "tables of infrequent access": Knobs(
        read_unit=prices.RARE_READ_UNIT,
        write_unit=prices.RARE_WRITE_UNIT,
        table_gb=prices.RARE_TABLE_GB,
    ),
}
CPU_MS: Final = {
    "accept": ACCEPT_CPU_MS,
    "fold": FOLD_CPU_MS,
    "settle": SETTLE_CPU_MS,
    "audit": FOLD_CPU_MS,
    "rebuild": SETTLE_CPU_MS,
}


def counted(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= THOUSAND else f"{amount:,.3g}"


def money(amount: float) -> str:
    """Dollars with as many digits as say something."""
    return f"{amount:,.2f}" if amount >= 1 or not amount else exact(f"{amount:.3g}")


def exact(digits: str) -> str:
    """A small number without an exponent."""
    return f"{Decimal(digits):f}"


if __name__ == "__main__":
    write()
