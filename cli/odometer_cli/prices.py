"""List prices of AWS, their one home: us-east-1, first tier, without free tiers."""

from typing import Final, NamedTuple

REGION: Final = "us-east-1"
LOOKED_UP: Final = "2026-11-22"
HOURS: Final = 730
"""Of a month, as AWS counts them."""
SECONDS: Final = HOURS * 3_600
GB: Final = 2**30
MILLION: Final = 1_000_000


class Price(NamedTuple):
    """What is paid for, and how much for so many of it."""

    service: str
    of: str
    dollars: float
    each: int = 1

    def __call__(self, amount: float) -> float:
        return amount * self.dollars / self.each

    @property
    def per(self) -> str:
        return "each" if self.each == 1 else "a million"


READ_UNIT = Price("DynamoDB", "read request unit", 0.125, MILLION)
WRITE_UNIT = Price("DynamoDB", "write request unit", 0.625, MILLION)
TABLE_GB = Price("DynamoDB", "GB in a table, a month", 0.25)
RECOVERY_GB = Price("DynamoDB", "GB of a table with point-in-time recovery, a month", 0.20)
BACKUP_GB = Price("DynamoDB", "GB of a backup, a month", 0.10)
RARE_READ_UNIT = Price("DynamoDB", "read request unit, infrequent access", 0.155, MILLION)
RARE_WRITE_UNIT = Price("DynamoDB", "write request unit, infrequent access", 0.780, MILLION)
RARE_TABLE_GB = Price("DynamoDB", "GB in a table of infrequent access, a month", 0.10)
READ_CAPACITY = Price("DynamoDB", "provisioned read unit a second, an hour", 0.00013)
WRITE_CAPACITY = Price("DynamoDB", "provisioned write unit a second, an hour", 0.00065)
INVOCATION = Price("Lambda", "invocation", 0.20, MILLION)
GB_SECOND = Price("Lambda", "GB-second on arm64", 0.0000133334)
GB_SECOND_X86 = Price("Lambda", "GB-second on x86", 0.0000166667)
SNAPSHOT_GB_SECOND = Price("Lambda", "GB-second of a SnapStart copy that is kept", 0.0000015046)
RESTORED_GB = Price("Lambda", "GB of a SnapStart copy that is restored", 0.0001397998)
REST_REQUEST = Price("API Gateway", "request to a REST API", 3.50, MILLION)
HTTP_REQUEST = Price("API Gateway", "request to an HTTP API", 1.00, MILLION)
CDN_REQUEST = Price("CloudFront", "HTTPS request", 1.00, MILLION)
LOG_GB = Price("CloudWatch", "GB of log taken in", 0.50)
LOG_GB_KEPT = Price("CloudWatch", "GB of log kept, a month", 0.03)
METRIC = Price("CloudWatch", "metric of our own, a month", 0.30)
ALARM = Price("CloudWatch", "metric of an alarm, a month", 0.10)
DASHBOARD = Price("CloudWatch", "dashboard, a month", 3.00)
ASKED_METRIC = Price("CloudWatch", "metric asked for by GetMetricData", 10.00, MILLION)
TRACE = Price("X-Ray", "trace that is recorded", 5.00, MILLION)
QUEUE_REQUEST = Price("SQS", "request to a queue", 0.40, MILLION)
FIFO_REQUEST = Price("SQS", "request to a FIFO queue", 0.50, MILLION)
SECRET = Price("Secrets Manager", "secret, a month", 0.40)

PRICES: Final = tuple(each for each in list(vars().values()) if isinstance(each, Price))
