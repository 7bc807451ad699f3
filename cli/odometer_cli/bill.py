"""The bill of a deployment: what its parts did, times list prices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from odometer_cli import prices
from odometer_cli.cloudwatch import OURS, Metric, Sums
from odometer_cli.prices import GB, MILLION, SECONDS, Price
from odometer_cli.stack_parts import EVENTS, Function, Parts, Table

MONTH_DAYS: Final = prices.HOURS / 24
ENGINE: Final = "engine"
OF_QUEUES: Final = (
    *("NumberOfMessagesSent", "NumberOfMessagesDeleted"),
    *("NumberOfMessagesReceived", "NumberOfEmptyReceives"),
)
THOUSAND: Final = 1_000
NOT_SEEN: Final = (
    "data sent to the internet, support, taxes and free tiers",
    "starts of new processes, which Lambda counts in its logs only",
    "traces of X-Ray, Logs Insights queries, backups, and what a firewall or keys of your own cost",
)


class Line(NamedTuple):
    """A line of a bill; whose it is, if it is of one family."""

    price: Price
    about: str
    amount: float
    family: str = ""

    @property
    def dollars(self) -> float:
        return self.price(self.amount)


class Share(NamedTuple):
    """What one family took, and for what."""

    family: str
    done: float
    """Requests, or accepted events."""
    dollars: float
    per: int

    @property
    def rate(self) -> float | None:
        """Dollars for so many of them."""
        return self.dollars / self.done * self.per if self.done else None


@dataclass(frozen=True)
class Bill:
    """What a stack has cost in some days."""

    stack: str
    parts: Parts
    days: int
    sums: Sums
    of_ours: int
    """How many metrics functions write."""
    of_alarms: int

    @property
    def lines(self) -> list[Line]:
        return [line for line in self._lines() if line.amount]

    @property
    def dollars(self) -> float:
        return sum(line.dollars for line in self.lines)

    @property
    def month(self) -> float:
        """What a month like these days costs."""
        return self.dollars * MONTH_DAYS / self.days

    @property
    def is_silent(self) -> bool:
        """Whether CloudWatch has no metric at all of this stack."""
        return not self.sums

    @property
    def not_seen(self) -> list[str]:
        """What this bill leaves out."""
        fixed = [each.logical_id for each in self.parts.tables if each.is_provisioned]
        what = [f"capacity that is provisioned for {', '.join(fixed)}"] if fixed else []
        silent = [group.family for group in self.parts.logs if not self._of_logs(group.name)]
        words = f"logs of {', '.join(silent)}: CloudWatch has no metric of them"
        return [*NOT_SEEN, *what, *([words] if silent else [])]

    @property
    def shares(self) -> list[Share]:
        """What events and each family of requests took, without what belongs to nobody."""
        accepted = self._sum(Metric.of(OURS, "accepted", service=self.stack))
        events = Share(EVENTS, accepted, self._taken(EVENTS) + self._taken(ENGINE), MILLION)
        names = sorted({it.family for it in self.parts.functions} - {EVENTS, ENGINE})
        return [events, *map(self._share, names)]

    def _share(self, family: str) -> Share:
        requests = self._invocations(self._functions(family))
        return Share(family, requests, self._taken(family), THOUSAND)

    def _taken(self, family: str) -> float:
        """The lines of a family, and the reads that its log tells."""
        reads = self._sum(Metric.of(OURS, "read_units", service=self.stack, family=family))
        lines = sum(line.dollars for line in self.lines if line.family == family)
        return lines + prices.READ_UNIT(reads)

    def _lines(self) -> Iterator[Line]:
        for family in sorted({it.family for it in self.parts.functions}):
            yield from self._of_family(family)
        yield Line(prices.REST_REQUEST, "answered by the gateway alone", self._refused)
        yield from self._of_tables()
        yield from self._of_log_groups()
        for queue in self.parts.queues:
            price = prices.FIFO_REQUEST if queue.endswith(".fifo") else prices.QUEUE_REQUEST
            asked = (Metric.of("AWS/SQS", name, QueueName=queue) for name in OF_QUEUES)
            yield Line(price, queue, sum(map(self._sum, asked)))
        yield from self._for_being_there()

    def _of_family(self, family: str) -> Iterator[Line]:
        """The gateway is asked once for each invocation of a function that answers requests."""
        functions = self._functions(family)
        invocations = self._invocations(functions)
        if family != ENGINE:
            yield Line(prices.REST_REQUEST, family, invocations, family)
        yield Line(prices.INVOCATION, family, invocations, family)
        for is_arm, price in ((True, prices.GB_SECOND), (False, prices.GB_SECOND_X86)):
            some = [each for each in functions if each.is_arm == is_arm]
            yield Line(price, family, sum(map(self._gb_seconds, some)), family)
        copies = sum(each.memory_mb / 1_024 for each in functions if each.has_copies)
        yield Line(prices.SNAPSHOT_GB_SECOND, family, copies * SECONDS * self._months, family)

    @property
    def _refused(self) -> float:
        """Requests that no function has seen."""
        asked = [each for each in self.parts.functions if each.family != ENGINE]
        count = self._sum(Metric.of("AWS/ApiGateway", "Count", ApiName=self.stack))
        return max(count - self._invocations(asked), 0)

    def _of_tables(self) -> Iterator[Line]:
        """The log's and the usage's writes are those of events."""
        for table in self.parts.tables:
            rare, name = table.is_rarely_read, table.logical_id
            reads = prices.RARE_READ_UNIT if rare else prices.READ_UNIT
            writes = prices.RARE_WRITE_UNIT if rare else prices.WRITE_UNIT
            yield Line(reads, name, self._units("Read", table))
            family = EVENTS if name in {"LogTable", "UsageTable"} else ""
            yield Line(writes, name, self._units("Write", table), family)
            stored = table.stored_bytes / GB * self._months
            yield Line(prices.RARE_TABLE_GB if rare else prices.TABLE_GB, name, stored)
            if table.has_recovery:
                yield Line(prices.RECOVERY_GB, name, stored)

    def _of_log_groups(self) -> Iterator[Line]:
        for group in self.parts.logs:
            taken, kept = self._of_logs(group.name) / GB, group.stored_bytes / GB * self._months
            yield Line(prices.LOG_GB, group.family, taken, group.family)
            yield Line(prices.LOG_GB_KEPT, group.family, kept)

    def _for_being_there(self) -> Iterator[Line]:
        yield Line(prices.METRIC, OURS, self.of_ours * self._months)
        yield Line(prices.ALARM, "alarms", self.of_alarms * self._months)
        yield Line(prices.DASHBOARD, "dashboards", self.parts.dashboards * self._months)
        yield Line(prices.SECRET, "secrets", self.parts.secrets * self._months)

    @property
    def _months(self) -> float:
        return self.days / MONTH_DAYS

    def _sum(self, metric: Metric) -> float:
        return self.sums.get(metric, 0)

    def _functions(self, family: str) -> list[Function]:
        return [each for each in self.parts.functions if each.family == family]

    def _invocations(self, functions: Sequence[Function]) -> float:
        names = (each.name for each in functions)
        return sum(
            self._sum(Metric.of("AWS/Lambda", "Invocations", FunctionName=it)) for it in names
        )

    def _gb_seconds(self, function: Function) -> float:
        took_ms = self._sum(Metric.of("AWS/Lambda", "Duration", FunctionName=function.name))
        return took_ms / THOUSAND * function.memory_mb / 1_024

    def _units(self, verb: str, table: Table) -> float:
        name = f"Consumed{verb}CapacityUnits"
        return self._sum(Metric.of("AWS/DynamoDB", name, TableName=table.name))

    def _of_logs(self, name: str) -> float:
        return self._sum(Metric.of("AWS/Logs", "IncomingBytes", LogGroupName=name))


def metrics_of(stack: str, parts: Parts) -> list[Metric]:
    """All metrics that a bill asks for."""
    of_lambda = ("Invocations", "Duration")
    units = ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
    return [
        *(
            Metric.of("AWS/Lambda", name, FunctionName=it.name)
            for it in parts.functions
            for name in of_lambda
        ),
        *(
            Metric.of("AWS/DynamoDB", name, TableName=it.name)
            for it in parts.tables
            for name in units
        ),
        *(Metric.of("AWS/Logs", "IncomingBytes", LogGroupName=it.name) for it in parts.logs),
        *(Metric.of("AWS/SQS", name, QueueName=it) for it in parts.queues for name in OF_QUEUES),
        Metric.of("AWS/ApiGateway", "Count", ApiName=stack),
        Metric.of(OURS, "accepted", service=stack),
        *(
            Metric.of(OURS, "read_units", service=stack, family=family)
            for family in sorted({it.family for it in parts.functions})
        ),
    ]


def as_document(bill: Bill) -> Mapping[str, object]:
    """The bill as JSON has it."""
    return {
        "stack": bill.stack,
        "days": bill.days,
        "prices": {"region": prices.REGION, "looked_up": prices.LOOKED_UP},
        "dollars": round(bill.dollars, 6),
        "dollars_a_month": round(bill.month, 6),
        "lines": [row_of(line, bill) for line in bill.lines],
        "shares": [{**share._asdict(), "rate": share.rate} for share in bill.shares],
        "not_seen": bill.not_seen,
    }


def row_of(line: Line, bill: Bill) -> dict[str, object]:
    return {
        "service": line.price.service,
        "what": line.price.of,
        "about": line.about,
        "count": round(line.amount, 6),
        "dollars": round(line.dollars, 6),
        "dollars_a_month": round(line.dollars * MONTH_DAYS / bill.days, 6),
    }
