"""The API of Odometer itself; its errors have the common envelope."""

from functools import partial

from odometer.web.endpoint import endpoint
from odometer.web.family import Envelope


class Version1(Envelope):
    """The common envelope, under `/v1`."""

    name = "v1"
    base = "/v1"


v1 = partial(endpoint, Version1())
