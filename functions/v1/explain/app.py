"""GET /v1/explain: the readings, frames and events behind one figure of a report."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.v1.explain import ExplainAnswer, ExplainQuery, explain
from odometer.api.v1.family import v1
from odometer.domain.errors import NotFound
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.report import Report


@v1("/explain", may=READ_ORGANIZATION, raises=(NotFound,))
def handler(query: ExplainQuery, chain: Chain, usage: Usage) -> Report[ExplainAnswer]:
    return explain(query, usage, chain)
