"""GET /api/v1/organization: the caller's organization."""

from odometer.api.usage_metrics.answers import OrganizationAnswer
from odometer.api.usage_metrics.family import usage_metrics
from odometer.directory.snapshot import Directory


@usage_metrics("/organization")
def handler(directory: Directory) -> OrganizationAnswer:
    return OrganizationAnswer.showing(directory.organization)
