"""Whom a connection trusts: everybody whom botocore trusts, Amazon first.

To read every certificate takes a new process four times as long as to do the rest of what a
connection needs, and five of them vouch for AWS. The others are read when those do not.
"""

import os
import ssl
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

Connected = TypeVar("Connected")

AMAZON: Final = ("O=Amazon", "CN=Starfield Services Root Certificate Authority")
"""How the list of certificates names the issuers of those of AWS, in a line above each."""
EVERYBODY: Final = ("",)
_ONE_AT_A_TIME = Lock()


def trusting(connect: Callable[[ssl.SSLContext], Connected]) -> Connected:
    """Connect to a server for which Amazon vouches, or else anybody whom we trust."""
    try:
        return connect(trusted(AMAZON))
    except ssl.SSLCertVerificationError:
        return connect(trusted(EVERYBODY))


def trusted(issuers: tuple[str, ...]) -> ssl.SSLContext:
    """Threads that connect at once wait for the first of them to read the certificates."""
    with _ONE_AT_A_TIME:
        return certificates(issuers)


@cache
def certificates(issuers: tuple[str, ...]) -> ssl.SSLContext:
    """Those of some issuers; all, where the list names none of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    package = find_spec("botocore")
    known = Path((package and package.origin) or "").with_name("cacert.pem")
    path = Path(os.environ.get("AWS_CA_BUNDLE") or known)
    listed = path.read_bytes().decode("ascii", "ignore")
    of_issuers = [each for each in listed.split("\n\n") if any(name in each for name in issuers)]
    context.load_verify_locations(cadata="\n".join(of_issuers) or listed)
    return context
