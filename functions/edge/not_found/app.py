"""Every path and verb that no other function answers: 404 or 405, as the family there says it."""

from typing import NoReturn

from odometer.api.routes import ByPrefix, refuse_unknown
from odometer.web.endpoint import endpoint
from odometer.web.messages import Request


@endpoint(ByPrefix(), "/{proxy+}", "ANY")
def handler(request: Request) -> NoReturn:
    refuse_unknown(request)
