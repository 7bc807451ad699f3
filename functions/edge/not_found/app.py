"""Every path and verb that no other function answers: 404 or 405, as the family there says it."""

from odometer.api.routes import ByPrefix, refuse_unknown
from odometer.web.endpoint import endpoint

handler = endpoint(ByPrefix(), "/{proxy+}", "ANY")(refuse_unknown)
