"""GET /v1/coverage: what has arrived of every product, from where, and how far it is complete."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.v1.coverage import CoverageQuery, coverage
from odometer.directory.snapshot import Directory
from odometer.services.usage import Usage
from odometer.web.endpoint import endpoint
from odometer.web.family import ENVELOPE
from odometer.web.report import Report


@endpoint(ENVELOPE, "GET", "/v1/coverage", may=READ_ORGANIZATION)
def handler(query: CoverageQuery, directory: Directory, usage: Usage) -> Report:
    """Answer with the first and last event, and the days without any."""
    return coverage(query, directory, usage)
