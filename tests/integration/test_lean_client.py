"""In Lambda a call is tried once without botocore; its answer is the same, or botocore asks."""

import json
import re
import ssl
import sys
from binascii import a2b_base64
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from random import Random
from socket import AF_INET, SOCK_DGRAM, socket
from threading import Barrier, Thread
from time import sleep
from typing import Any, ClassVar, NamedTuple

import botocore
import pydantic_core  # noqa: F401  as functions load it
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, SSLError

from odometer.domain.errors import Unavailable
from odometer.storage import aws, trust
from odometer.storage.aws import ConditionFailed, client_of, is_plain, signed
from odometer.storage.dynamo import Meter, Table, domain_errors
from tests.support.counting_engine import counting_engine
from tests.support.loopback import ISSUER, served_on_loopback
from tests.support.stack import ENVIRONMENT, stack_on_moto

LAMBDA = {**ENVIRONMENT, "AWS_LAMBDA_FUNCTION_NAME": "usage"}
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
ITEM = {
    **KEY,
    "bytes": {"B": b"\x00\xff\x80"},
    "B": {"S": "an attribute of this name"},
    "list": {"L": [{"N": "12"}, {"NULL": True}, {"BOOL": False}, {"B": b""}]},
    "map": {"M": {"text": {"S": "\u00e9\U0001f600"}}},
}
Lean = Callable[..., Any]
COUNTED = {"ReturnConsumedCapacity": "TOTAL"}


class Called(NamedTuple):
    """A call and its arguments."""

    operation: str
    arguments: dict[str, Any]


CALLS = [
    Called("put_item", {"TableName": "usage", "Item": ITEM, **COUNTED}),
    Called("get_item", {"TableName": "usage", "Key": KEY, "ConsistentRead": True, **COUNTED}),
    Called("get_item", {"TableName": "usage", "Key": {**KEY, "sk": {"S": "none"}}}),
    Called("batch_get_item", {"RequestItems": {"usage": {"Keys": [KEY]}}, **COUNTED}),
    Called(
        "query",
        {
            "TableName": "usage",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "a"}},
            "Limit": 1,
            **COUNTED,
        },
    ),
    Called(
        "update_item",
        {
            "TableName": "usage",
            "Key": KEY,
            "UpdateExpression": "SET n = :n",
            "ExpressionAttributeValues": {":n": {"B": b"\x01"}},
        },
    ),
    Called("batch_write_item", {"RequestItems": {"usage": [{"DeleteRequest": {"Key": KEY}}]}}),
    Called("delete_item", {"TableName": "usage", "Key": KEY, **COUNTED}),
]


@pytest.fixture
def lambda_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    forget()
    yield monkeypatch
    forget()


@pytest.fixture
def lean(lambda_environment: pytest.MonkeyPatch) -> Iterator[Lean]:
    """Makes clients as a function in Lambda does, of an endpoint."""
    with ExitStack() as stack:

        def made(url: str, service: str = "dynamodb") -> Any:
            lambda_environment.setenv("AWS_ENDPOINT_URL", url)
            return stack.enter_context(closing(client_of(service)))

        yield made


def forget() -> None:
    aws.botocore_session.cache_clear()
    trust.certificates.cache_clear()


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(
    ("service", "name"),
    [("dynamodb", "DYNAMODB"), ("secretsmanager", "SECRETS_MANAGER"), ("sqs", "SQS")],
)
def test_the_first_try_goes_where_botocore_goes(
    lambda_environment: pytest.MonkeyPatch, service: str, name: str
) -> None:
    lambda_environment.setenv(f"AWS_ENDPOINT_URL_{name}", "http://127.0.0.1:9")
    client = client_of(service)
    assert client.endpoint == client.botocore.meta.endpoint_url == "http://127.0.0.1:9"


@pytest.mark.engine
def test_every_call_is_answered_as_botocore_answers_it_on_a_real_engine(
    lean: Lean,
) -> None:
    with counting_engine() as engine:
        client = lean(engine.meta.endpoint_url)
        answers = [
            (getattr(client, verb)(**arguments), getattr(engine, verb)(**arguments))
            for verb, arguments in CALLS
        ]
        assert [one for one, _ in answers] == [without_metadata(other) for _, other in answers]
        assert "botocore" not in vars(client)


@pytest.mark.engine
def test_every_read_and_the_secret_are_answered_as_botocore_answers_them_on_moto_over_tls(
    lean: Lean, lambda_environment: pytest.MonkeyPatch
) -> None:
    lambda_environment.delenv("AWS_LAMBDA_FUNCTION_NAME")
    with stack_on_moto(), served_on_loopback() as address:
        for name, value in LAMBDA.items():
            lambda_environment.setenv(name, value)
        lambda_environment.setenv("AWS_CA_BUNDLE", str(address.certificates))
        aws.botocore_session().create_client("dynamodb").put_item(TableName="usage", Item=ITEM)
        client, secrets = lean(address.url), lean(address.url, "secretsmanager")
        for verb, arguments in CALLS[1:5]:
            said = getattr(client, verb)(**arguments)
            assert said == without_metadata(getattr(client.botocore, verb)(**arguments)), verb
        said = secrets.get_secret_value(SecretId="odometer")
        assert said["SecretString"] == "not a secret"
        assert "botocore" not in vars(secrets)


Scripts = tuple[int, dict[str, Any]] | bytes | None


class Scripted(BaseHTTPRequestHandler):
    """Answers what it is told to, one after the other: bytes as they are, None with nothing."""

    protocol_version = "HTTP/1.1"
    script: ClassVar[list[Scripts]] = []
    said: ClassVar[list[dict[str, str]]] = []
    connections: ClassVar[set[int]] = set()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.said.append({name.lower(): value for name, value in self.headers.items()})
        self.connections.add(self.client_address[1])
        answer = self.script.pop(0)
        if answer is None or isinstance(answer, bytes):
            self.close_connection = True
            self.wfile.write(answer or b"")
            return
        status, content = answer
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def scripted(*answers: Scripts) -> Iterator[str]:
    Scripted.script, Scripted.said, Scripted.connections = list(answers), [], set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Scripted) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


FINE = (200, {"ConsumedCapacity": {"CapacityUnits": 1.0}})
BROKEN = (500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"})
BUSY = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"})
FAILED = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"})
WRONG = (400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "no"})


@pytest.mark.engine
@pytest.mark.parametrize("failure", [BROKEN, BUSY, None, (200, {}), (502, None), b"?"], ids=str)
def test_what_is_not_answered_is_tried_again_by_botocore_which_pauses_as_it_does(
    lean: Lean, lambda_environment: pytest.MonkeyPatch, failure: Any
) -> None:
    pauses: list[float] = []
    lambda_environment.setattr("time.sleep", pauses.append)
    with scripted(failure, FINE) as url:
        table = Table("usage", Meter(), lean(url))
        assert table.get("a", "b") is None
    tries = 1 if failure == (200, {}) else 2
    assert len(Scripted.said) == tries
    assert len(pauses) == tries - 1
    assert "Boto" not in Scripted.said[0]["user-agent"]
    assert tries == 1 or "Boto" in Scripted.said[1]["user-agent"]


@pytest.mark.engine
@pytest.mark.parametrize("failure", [BROKEN, BUSY, None], ids=str)
def test_three_tries_are_made_in_all_and_then_storage_is_unavailable(
    lean: Lean, lambda_environment: pytest.MonkeyPatch, failure: Any
) -> None:
    lambda_environment.setattr("time.sleep", lambda _: None)
    with scripted(failure, failure, failure) as url, pytest.raises(Unavailable):
        Table("usage", Meter(), lean(url)).get("a", "b")
    assert len(Scripted.said) == aws.TRIES


@pytest.mark.engine
def test_a_failed_condition_is_an_answer_and_any_other_refusal_is_botocores(
    lean: Lean,
) -> None:
    with scripted(FAILED, WRONG, WRONG) as url:
        client = lean(url)
        with pytest.raises(ConditionFailed):
            client.put_item(TableName="usage", Item=KEY)
        assert len(Scripted.said) == 1
        with pytest.raises(ClientError, match="ValidationException"):
            client.put_item(TableName="usage", Item=KEY)


@pytest.mark.engine
def test_a_connection_is_kept_and_one_that_was_closed_is_replaced_without_a_try(
    lean: Lean,
) -> None:
    with scripted(FINE, FINE, FINE) as url:
        client = lean(url)
        for _ in range(2):
            client.get_item(TableName="usage", Key=KEY)
        assert len(Scripted.connections) == 1
        client.idle[0].sock.shutdown(2)
        client.get_item(TableName="usage", Key=KEY)
        assert len(Scripted.connections) == 2
        assert "botocore" not in vars(client)


@pytest.mark.engine
def test_a_call_is_in_the_trace_of_its_request_if_x_ray_keeps_one(
    lean: Lean, lambda_environment: pytest.MonkeyPatch
) -> None:
    with scripted(FINE, FINE, FAILED) as url, socket(AF_INET, SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        lambda_environment.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
        client, root = lean(url), "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"
        for sampled in (0, 1):
            lambda_environment.setenv("_X_AMZN_TRACE_ID", f"{root};Sampled={sampled}")
            client.get_item(TableName="usage", Key=KEY)
        with pytest.raises(ConditionFailed):
            client.put_item(TableName="usage", Item=ITEM)
        told = [daemon.recv(65_536).decode().split("\n") for _ in range(2)]
    assert {header for header, _ in told} == {'{"format": "json", "version": 1}'}
    first, second = (json.loads(segment) for _, segment in told)
    assert first["end_time"] >= first["start_time"] > 1.7e9
    assert re.fullmatch(r"[0-9a-f]{16}", first["id"])
    assert {name: first[name] for name in first.keys() - {"id", "start_time", "end_time"}} == {
        "type": "subsegment",
        "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        "parent_id": "53995c3f42cd8ad8",
        "name": "DynamoDB",
        "namespace": "aws",
        "aws": {"operation": "GetItem", "table_name": "usage"},
    }
    assert (second["aws"]["operation"], second["error"]) == ("PutItem", True)


@pytest.mark.engine
def test_a_trace_that_nobody_takes_changes_no_answer(
    lean: Lean, lambda_environment: pytest.MonkeyPatch
) -> None:
    lambda_environment.setenv("_X_AMZN_TRACE_ID", "Root=1-0-0;Parent=0;Sampled=1")
    with scripted(FINE, FINE) as url:
        for address in ("", "127.0.0.1:9"):
            lambda_environment.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
            assert lean(url).get_item(TableName="usage", Key=KEY)


class Raced(deque[Any]):
    """Connections of which another thread takes the last one first."""

    def __bool__(self) -> bool:
        return True


@pytest.mark.engine
def test_who_finds_that_another_thread_has_taken_the_last_connection_opens_one(lean: Lean) -> None:
    with scripted(FINE) as url:
        client = lean(url)
        client.idle = Raced()
        assert client.get_item(TableName="usage", Key=KEY) == FINE[1]
        assert "botocore" not in vars(client)


def test_threads_that_connect_at_once_read_the_certificates_once(
    lambda_environment: pytest.MonkeyPatch,
) -> None:
    reads, at_once = list[str](), Barrier(4)

    def found_slowly(package: str) -> ModuleSpec | None:
        reads.append(package)
        sleep(0.01)
        return find_spec(package)

    def trusted(_: int) -> ssl.SSLContext:
        at_once.wait()
        return trust.trusted(trust.AMAZON)

    lambda_environment.setattr(trust, "find_spec", found_slowly)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(trusted, range(4)))) == 1
    assert reads == ["botocore"]


def test_only_the_certificates_of_amazon_are_read_before_one_of_them_fails(
    lambda_environment: pytest.MonkeyPatch,
) -> None:
    lambda_environment.delenv("AWS_CA_BUNDLE", raising=False)
    read = str(trust.certificates(trust.AMAZON).get_ca_certs())
    assert sorted(re.findall(r"'subject': .*?'commonName', '([^']+)'", read)) == [
        *(f"Amazon Root CA {n}" for n in (1, 2, 3, 4)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    every = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    every.load_verify_locations(Path(botocore.__file__).with_name("cacert.pem"))
    all_of_ours = trust.certificates(trust.EVERYBODY).get_ca_certs(binary_form=True)
    assert sorted(all_of_ours) == sorted(every.get_ca_certs(binary_form=True))


@pytest.mark.engine
@pytest.mark.parametrize(
    ("issuer", "read"), [(ISSUER, [trust.AMAZON]), (b"", [trust.AMAZON, trust.EVERYBODY])]
)
def test_a_server_is_asked_for_which_amazon_or_anybody_else_vouches(
    lean: Lean, lambda_environment: pytest.MonkeyPatch, issuer: bytes, read: list[tuple[str, ...]]
) -> None:
    asked = list[tuple[str, ...]]()

    def noted(issuers: tuple[str, ...]) -> ssl.SSLContext:
        asked.append(issuers)
        return trust.certificates(issuers)

    with served_on_loopback(issuer) as address:
        lambda_environment.setenv("AWS_CA_BUNDLE", str(address.certificates))
        lambda_environment.setattr(trust, "trusted", noted)
        client = lean(address.url)
        assert client.put_item(TableName="usage", Item=ITEM) == {}
    assert "botocore" not in vars(client)
    assert asked == read


@pytest.mark.engine
def test_nobody_is_asked_for_whom_no_one_vouches(
    lean: Lean, lambda_environment: pytest.MonkeyPatch
) -> None:
    lambda_environment.delenv("AWS_CA_BUNDLE", raising=False)
    lambda_environment.setattr(aws, "FAILED_SECONDS", 0.0)
    with served_on_loopback() as address, pytest.raises(SSLError):
        lean(address.url).put_item(TableName="usage", Item=ITEM)


@pytest.mark.parametrize("token", [None, "a token"])
def test_a_request_is_signed_as_botocore_signs_it(
    monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    keys = {**LAMBDA, **({"AWS_SESSION_TOKEN": token} if token else {})}
    said = {"host": "h.example", "x-amz-target": "T.Verb", "content-type": "json"}
    ours = signed(said, b'{"a":1}', "dynamodb", keys)
    request = AWSRequest("POST", "https://h.example/", headers=said, data=b'{"a":1}')
    signer = SigV4Auth(Credentials("test", "test", token), "dynamodb", "eu-west-1")
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime", lambda **_: instant(ours["x-amz-date"])
    )
    signer.add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


def instant(text: str) -> Any:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "unusual",
    [
        {"https_proxy": "http://proxy"},
        {"AWS_PROFILE": "other"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_ACCOUNT_ID": "123456789012"},
        {"AWS_CREDENTIAL_EXPIRATION": "2026-11-21T12:00:00Z"},
        {"AWS_DEFAULT_REGION": "cn-north-1"},
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_LAMBDA_FUNCTION_NAME": ""},
    ],
    ids=str,
)
def test_where_the_environment_says_more_than_lambdas_botocore_makes_every_try(
    unusual: dict[str, str],
) -> None:
    assert is_plain(LAMBDA)
    assert not is_plain({**LAMBDA, **unusual})


@pytest.mark.parametrize("is_loaded", [True, False])
def test_bytes_are_the_same_whoever_reads_them(
    monkeypatch: pytest.MonkeyPatch, *, is_loaded: bool
) -> None:
    if not is_loaded:
        monkeypatch.delitem(sys.modules, "pydantic_core")
    read, random = aws.base64_reader.__wrapped__(), Random(0)
    assert (read is a2b_base64) is not is_loaded
    for length in (*range(100), 350_000):
        content = random.randbytes(length)
        assert read(aws.as_base64(content)) == content
    with pytest.raises(ValueError, match=r"padd|base64"):
        read("Y")


def test_an_error_of_ours_passes_and_a_bug_stays_one() -> None:
    for error in (ConditionFailed("x"), ValueError("x")):
        with pytest.raises(type(error)), domain_errors():
            raise error
