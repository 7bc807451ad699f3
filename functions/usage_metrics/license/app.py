"""GET /api/v1/license: what the organization has bought."""

from odometer.api.usage_metrics.answers import LicenseAnswer, LicenseDetails
from odometer.api.usage_metrics.family import usage_metrics
from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound


@usage_metrics("/license")
def handler(directory: Directory) -> LicenseAnswer:
    if directory.license is None:
        raise NotFound
    return LicenseAnswer(license=LicenseDetails.showing(directory.license))
