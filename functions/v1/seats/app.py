"""GET /v1/seats: who has a seat, and who does not use it."""

from odometer.access.policy import READ_SUBJECT
from odometer.api.v1.family import v1
from odometer.api.v1.seats import seats
from odometer.domain.errors import NotFound

handler = v1("/seats", may=READ_SUBJECT, raises=(NotFound,))(seats)
