"""GET /v1/audit: the trail, which says who did what and when, and with which key."""

from odometer.access.policy import READ_DIRECTORY
from odometer.api.v1.family import v1
from odometer.api.v1.trail import trail
from odometer.domain.errors import NotFound

handler = v1("/audit", may=READ_DIRECTORY, raises=(NotFound,))(trail)
