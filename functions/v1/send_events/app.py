"""POST /v1/events: take one event of use, or a batch; durable when answered, counted once."""

from odometer.access.policy import SEND_EVENTS
from odometer.api.v1.events import accept
from odometer.api.v1.family import v1
from odometer.domain.errors import Conflict

handler = v1("/events", "POST", may=SEND_EVENTS, status=202, raises=(Conflict,))(accept)
