"""GET /v1/explain: the readings, frames and events behind one figure of a report."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.v1.explain import explain
from odometer.api.v1.family import v1
from odometer.domain.errors import NotFound

handler = v1("/explain", may=READ_ORGANIZATION, raises=(NotFound,))(explain)
