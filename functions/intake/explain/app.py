"""GET /v1/explain: the readings, frames and events behind one figure of a report."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.cursors import Chain
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.explain import ExplainQuery, explain
from odometer.api.reports import Report
from odometer.storage.usage import Usage


@endpoint(ENVELOPE, "GET", "/v1/explain", may=READ_ORGANIZATION)
def handler(query: ExplainQuery, chain: Chain, usage: Usage) -> Report:
    """Answer with the terms that add up to the figure."""
    return explain(query, usage, chain)
