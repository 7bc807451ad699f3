"""GET /v1/explain: the readings, frames and events behind one figure of a report."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.v1.explain import ExplainQuery, explain
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.endpoint import endpoint
from odometer.web.family import ENVELOPE
from odometer.web.report import Report


@endpoint(ENVELOPE, "GET", "/v1/explain", may=READ_ORGANIZATION)
def handler(query: ExplainQuery, chain: Chain, usage: Usage) -> Report:
    """Answer with the terms that add up to the figure."""
    return explain(query, usage, chain)
