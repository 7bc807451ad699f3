"""What a client can find out: the address, the clock, the key, the release and the data."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, Final

import httpx

from odometer import __version__
from odometer_cli.checks import FAIL, OK, SKIPPED, WARN, Check
from odometer_cli.client import Client, content_of, message_of
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Failure, Refused
from odometer_cli.output import count_of

PATIENCE_SECONDS: Final = 10
SKEW, MUCH_SKEW = timedelta(seconds=30), timedelta(minutes=5)
LATE, VERY_LATE = timedelta(minutes=10), timedelta(hours=1)
SOON: Final = timedelta(days=14)
MOST_NAMED: Final = 5
ROUTES: Final = ("/v1/me", "/v1/usage", "/v1/seats", "/v1/coverage", "/v1/embed-tokens")
SEND: Final = "Send one: odometer send --product … --user … tests=1, or odometer import FILE"
REASONS: Final = (
    ("name or service not known", "No such host: check the spelling of the address."),
    ("no address associated", "No such host: check the spelling of the address."),
    ("nodename nor servname", "No such host: check the spelling of the address."),
    ("name resolution", "The name cannot be looked up: check the network, then the spelling."),
    ("refused", "Nothing listens at this port: check it; a local stack starts by `make up`."),
    ("certificate", "Its certificate is not trusted here: check the host, then SSL_CERT_FILE."),
    ("ssl", "This port does not speak TLS: check http or https, and the port."),
    ("timed out", "Nothing answers: check the network, the proxy and the port."),
)


def checks_of(deployment: Deployment, silent_hours: int) -> Iterator[Check]:
    address = deployment.address
    client = Client(address, str(deployment.credential), None, PATIENCE_SECONDS)
    begun = monotonic()
    try:
        answer = client.send("GET", "/v1/me")
    except Failure as failure:
        yield Check("address", FAIL, failure.what, reason_of(failure.what), failure.exit_code)
        return
    yield address_check(address, answer, monotonic() - begun)
    if not is_odometer(answer):
        return
    yield clock_check(answer, datetime.now(UTC))
    yield release_check(client)
    yield from key_checks(deployment, client, answer)
    if answer.is_success:
        yield from data_checks(client, silent_hours)


def reason_of(what: str) -> str:
    told = what.lower()
    known = (remedy for words, remedy in REASONS if words in told)
    return next(known, "Is it running, and is the address right?")


def is_odometer(answer: httpx.Response) -> bool:
    """Whether the answer is of the shape that every answer of /v1 has."""
    try:
        content = content_of(answer)
    except Refused:
        return False
    expected = "organization" if answer.is_success else "error"
    return isinstance(content, dict) and isinstance(content.get(expected), dict)


def address_check(address: str, answer: httpx.Response, seconds: float) -> Check:
    if is_odometer(answer):
        return Check("address", OK, f"{address} answers in {seconds * 1_000:.0f} ms")
    what = f"{address} is not Odometer: it answered {answer.status_code} {message_of(answer)}"
    hint = "Check host, port and path: the path ends before /v1, and on AWS with the stage."
    return Check("address", FAIL, what, hint)


def clock_check(answer: httpx.Response, now: datetime) -> Check:
    try:
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return Check("clock", SKIPPED, "the answer has no date")
    skew = abs(now - there)
    status = OK if skew <= SKEW else WARN if skew <= MUCH_SKEW else FAIL
    way = "ahead of" if now > there else "behind"
    what = "agrees with the server's" if status == OK else f"{length(skew)} {way} the server's"
    return Check("clock", status, f"this clock is {what}" if status != OK else f"it {what}", NTP)


NTP: Final = "Set the clock by the network, like: timedatectl set-ntp true"


def release_check(client: Client) -> Check:
    """Whether the deployment has the routes that this command line asks."""
    response = client.send("GET", "/openapi.json")
    known: Mapping[str, Any] = content_of(response).get("paths", {}) if response.is_success else {}
    if missing := [path for path in ROUTES if path not in known]:
        what = f"older than this command line, {__version__}: it has no {', '.join(missing)}"
        return Check("release", WARN, what, "Deploy a release that has it.")
    return Check("release", OK, f"it has all that this command line, {__version__}, asks for")


# the key


def key_checks(deployment: Deployment, client: Client, answer: httpx.Response) -> Iterator[Check]:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        yield refused_key(deployment)
    elif answer.status_code == httpx.codes.FORBIDDEN:
        limits = "it may send or manage, and the checks of data need usage:read"
        yield Check("key", WARN, f"it is accepted and may not read: {limits}", MORE_KEYS)
    elif answer.status_code == httpx.codes.NOT_FOUND:
        yield Check("key", SKIPPED, "a former release does not say whose it is", "odometer whoami")
    elif not answer.is_success:
        what = f"{answer.status_code}: {message_of(answer)}"
        yield Check("key", FAIL, what, "Try again; if it stays so, look into the logs.", 3)
    else:
        yield accepted_key(content_of(answer))
        yield from expiry_checks(deployment, client)


MORE_KEYS: Final = "Ask an Admin for a key: odometer keys create --scope usage:read"


def refused_key(deployment: Deployment) -> Check:
    """Why a key is refused; the API does not tell, and the tables do to operators."""
    from odometer_cli import table_checks

    known = table_checks.why_refused(deployment) if table_checks.are_reachable(deployment) else ""
    what = known or "it is unknown to this deployment, expired or revoked"
    remedy = "Take another one: odometer keys create, or odometer organization key"
    return Check("key", FAIL, what, remedy)


def accepted_key(me: Mapping[str, Any]) -> Check:
    caller, organization = me["caller"], me["organization"]["name"]
    user = caller["user"]
    whose = f"{user['username']}, {user['role']}" if user else "nobody: an embed token"
    scopes = " ".join(caller["scopes"]) or "none"
    return Check("key", OK, f"of {whose} of {organization}; scopes: {scopes}")


def expiry_checks(deployment: Deployment, client: Client) -> Iterator[Check]:
    """When the key ends, if it may list keys."""
    key_id = deployment.credential.key_id
    response = client.send("GET", f"/v1/keys?cursor={key_id}&limit=1")
    rows = content_of(response)["keys"] if response.is_success else []
    mine = [row for row in rows if row["key_id"] == key_id]
    if mine and mine[0]["expires_at"]:
        ends = datetime.fromisoformat(mine[0]["expires_at"])
        status = WARN if ends - datetime.now(UTC) < SOON else OK
        yield Check("key's end", status, f"it ends at {mine[0]['expires_at']}", MORE_KEYS)


# the data


def data_checks(client: Client, silent_hours: int) -> Iterator[Check]:
    now, response = datetime.now(UTC), client.send("GET", "/v1/coverage")
    if not response.is_success:
        what = f"{response.status_code}: {message_of(response)}"
        yield Check("data", SKIPPED, what, "Coverage is for keys of Admins and Managers.")
        return
    coverage = content_of(response)
    yield freshness_check(now - datetime.fromisoformat(coverage["through"]))
    yield arrival_check(coverage["products"], now)
    yield from source_checks(coverage["products"], now, timedelta(hours=silent_hours))


def freshness_check(late: timedelta) -> Check:
    status = OK if late <= LATE else WARN if late <= VERY_LATE else FAIL
    what = f"reports have all that was accepted up to {length(late)} ago"
    return Check("freshness", status, what, "What waits, for operators: odometer backlog")


def arrival_check(products: list[dict[str, Any]], now: datetime) -> Check:
    last = max((it["last_event_at"] for it in products if it["last_event_at"]), default=None)
    if last is None:
        return Check("events", WARN, "nothing has arrived yet", SEND)
    total = sum(it["events"] for it in products)
    ago = length(now - datetime.fromisoformat(last))
    return Check("events", OK, f"{count_of(total, 'event')}, the last one of {ago} ago")


def source_checks(
    products: list[dict[str, Any]], now: datetime, most: timedelta
) -> Iterator[Check]:
    """Sources that are silent, the longest first."""
    last: dict[str, str] = {}
    for product in products:
        for source in product["sources"]:
            at = source["last_event_at"] or ""
            last[source["source"]] = max(at, last.get(source["source"], ""))
    silent = sorted(
        (at, name) for name, at in last.items() if at and now - datetime.fromisoformat(at) > most
    )
    if silent:
        named = ", ".join(f"{name} since {at}" for at, name in silent[:MOST_NAMED])
        more = f" and {len(silent) - MOST_NAMED} more" if len(silent) > MOST_NAMED else ""
        what = f"{len(silent)} of {count_of(len(last), 'source')} silent: {named}{more}"
        yield Check("sources", WARN, what, "Does each still run, and with a live key?")
    elif last:
        yield Check("sources", OK, f"{count_of(len(last), 'source')}, none silent")


def length(span: timedelta) -> str:
    seconds = max(int(span.total_seconds()), 0)
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return count_of(seconds // size, noun)
    return count_of(seconds, "second")
