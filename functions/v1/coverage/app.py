"""GET /v1/coverage: what has arrived of every product, from where, and how far it is complete."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.v1.coverage import CoverageAnswer, CoverageQuery, coverage
from odometer.api.v1.family import v1
from odometer.directory.snapshot import Directory
from odometer.services.usage import Usage
from odometer.web.report import Report


@v1("/coverage", may=READ_ORGANIZATION)
def handler(query: CoverageQuery, directory: Directory, usage: Usage) -> Report[CoverageAnswer]:
    return coverage(query, directory, usage)
