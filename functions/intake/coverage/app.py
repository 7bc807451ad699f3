"""GET /v1/coverage: what has arrived of every product, from where, and how far it is complete."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.coverage import CoverageQuery, coverage
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.reports import Report
from odometer.directory.snapshot import Directory
from odometer.storage.usage import Usage


@endpoint(ENVELOPE, "GET", "/v1/coverage", may=READ_ORGANIZATION)
def handler(query: CoverageQuery, directory: Directory, usage: Usage) -> Report:
    """Answer with the first and last event, and the days without any."""
    return coverage(query, directory, usage)
