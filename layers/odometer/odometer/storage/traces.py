"""Calls of AWS in the trace of a request, where X-Ray keeps one.

Each is a subsegment, sent as one datagram to the daemon that Lambda runs beside the function. It
names the operation and the table, and nothing that was asked or answered.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

HEADER = '{"format": "json", "version": 1}\n'
NAMES = {"dynamodb": "DynamoDB", "secretsmanager": "SecretsManager", "sqs": "SQS"}


@contextmanager
def traced(
    service: str, operation: str, arguments: Mapping[str, Any], trace: str
) -> Iterator[None]:
    """Tell the daemon of a call once it has ended."""
    known = dict(part.split("=", 1) for part in trace.split(";") if "=" in part)
    tables = arguments.get("RequestItems") or sorted(tables_in(arguments))
    segment = {
        "type": "subsegment",
        "id": secrets.token_hex(8),
        "trace_id": known.get("Root"),
        "parent_id": known.get("Parent"),
        "name": NAMES[service],
        "namespace": "aws",
        "aws": {"operation": operation.title().replace("_", ""), "table_name": ",".join(tables)},
        "start_time": time.time(),
    }
    try:
        yield
    except Exception:
        segment["error"] = True
        raise
    finally:
        tell({**segment, "end_time": time.time()})


def tables_in(arguments: Mapping[str, Any]) -> set[str]:
    """The tables of a call that is about one item each, or of writes that are made together."""
    writes = [write for each in arguments.get("TransactItems", ()) for write in each.values()]
    return {each["TableName"] for each in (arguments, *writes) if "TableName" in each}


def tell(segment: Mapping[str, Any]) -> None:
    """Send a subsegment; whether somebody listens changes nothing."""
    host, _, port = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "").rpartition(":")
    with suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto((HEADER + json.dumps(segment)).encode(), (host, int(port)))
