"""GET /v1/usage: any figure of any products, in groups and in blocks of time."""

from odometer.access.policy import READ_SUBJECT
from odometer.api.v1.family import v1
from odometer.api.v1.usage import usage_in_groups
from odometer.domain.errors import NotFound

handler = v1("/usage", may=READ_SUBJECT, raises=(NotFound,))(usage_in_groups)
