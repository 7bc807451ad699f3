"""The tables of this process, served on loopback, so that another process can ask them."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any, ClassVar, NamedTuple

import botocore
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber

SERVICES = {"DynamoDB_20120810": "dynamodb", "secretsmanager": "secretsmanager", "AmazonSQS": "sqs"}
WRITES = ("BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem")
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    " -subj /O=Amazon/CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem"
    " -out certificate.pem"
)
ISSUER = b"# Issuer: CN=localhost O=Amazon"
"""As the list of certificates says who vouches for AWS."""


class Address(NamedTuple):
    """Where the tables are, and the certificates by which a client knows them."""

    url: str
    certificates: Path


class Server(ThreadingHTTPServer):
    """Lets as many connections wait to be accepted as one function opens at once, and more."""

    request_queue_size = 128


class Answers(BaseHTTPRequestHandler):
    """Answers every call as moto does, but takes writes and keeps none."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    one_at_a_time: ClassVar = Lock()
    keeps_writes = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        service, _, verb = self.headers["x-amz-target"].partition(".")
        with self.one_at_a_time:
            is_lost = verb in WRITES and not self.keeps_writes
            status, content = (200, b"{}") if is_lost else self.found(service, body)
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def found(self, service: str, body: bytes) -> tuple[int, bytes]:
        url = f"https://{SERVICES[service]}.eu-west-1.amazonaws.com/"
        headers = HTTPHeaders.from_dict(dict(self.headers))
        request = AWSPreparedRequest("POST", url, headers, body, stream_output=False)
        answered = botocore_stubber.process_request(request)
        if answered is None:
            raise LookupError(url)
        status, _, content = answered
        return status, content if isinstance(content, bytes) else content.encode()

    def log_message(self, *_: Any) -> None: ...


class KeepingAnswers(Answers):
    """Answers every call as moto does."""

    keeps_writes = True


@contextmanager
def served_on_loopback(issuer: bytes = ISSUER) -> Iterator[Address]:
    """Serve over TLS, for a client pays for its certificates too: Amazon vouches for it."""
    with TemporaryDirectory() as folder, Server(("127.0.0.1", 0), Answers) as server:
        home = Path(folder)
        subprocess.run(CERTIFICATE.split(), cwd=home, check=True, capture_output=True)
        known = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
        every = home / "certificates.pem"
        own = (home / "certificate.pem").read_bytes()
        every.write_bytes(b"\n".join([known, issuer, own]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "certificate.pem", home / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield Address(f"https://localhost:{server.server_port}", every)
        server.shutdown()


@contextmanager
def tables_on_loopback() -> Iterator[str]:
    """Serve without TLS, and keep what is written; yields the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), KeepingAnswers) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
