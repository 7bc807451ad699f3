"""The answers of the usage report API; field names are the published ones."""

from enum import StrEnum
from typing import Literal

from pydantic import MISSING, Field

from odometer.domain.people import UserType
from odometer.web.models import Answer


class ReportedProduct(StrEnum):
    """The products that this API reports on."""

    AUTOMATION = "automation"
    APP_AUTOMATION = "app-automation"
    HYPEREXECUTE = "hyperexecute"
    REALTIME = "realtime"
    REALDEVICE = "realdevice"
    SMARTUI = "smartui"


class OrganizationName(Answer):
    """Whose report it is."""

    id: str
    name: str


class Pagination(Answer):
    """Where a page stands among all."""

    limit: int
    page: int
    total: int
    total_pages: int = Field(alias="totalPages")


class ProductTotals(Answer):
    """The measures of a product, by the names that its kind has here."""

    tests: int | MISSING = Field(MISSING, alias="totalTests")
    duration: int | MISSING = Field(MISSING, alias="totalDuration")
    screenshots: int | MISSING = Field(MISSING, alias="totalScreenshots")


class EchoedRange(Answer):
    """What was asked, of whom, and whether there was no full answer."""

    start: str = Field(alias="from")
    last: str = Field(alias="to")
    timezone: str
    organization: OrganizationName
    partial: bool | MISSING = MISSING


class OfType(Answer):
    """Whom the answer is about."""

    type: UserType
    total_users: int = Field(alias="totalUsers")


class SummaryMetadata(EchoedRange, OfType):
    """Of all products."""


class SummaryData(Answer):
    """The totals of every product."""

    metadata: SummaryMetadata
    products: dict[ReportedProduct, ProductTotals] = Field(
        json_schema_extra={"required": [*ReportedProduct]}
    )


class SummaryAnswer(Answer):
    """All products."""

    status: Literal["success"]
    data: SummaryData


class OfProduct(Answer):
    """Whom the answer is about, and which product."""

    type: UserType
    product: ReportedProduct
    total_users: int = Field(alias="totalUsers")


class DrilldownMetadata(EchoedRange, ProductTotals, OfProduct):
    """Of one product: the totals of the organization, and where the page stands."""

    pagination: Pagination


class DrilldownUser(Answer):
    """What one user has used."""

    id: str
    username: str
    email: str
    tests: int | MISSING = Field(MISSING, alias="totalTestsRun")
    duration: int | MISSING = Field(MISSING, alias="totalDuration")
    screenshots: int | MISSING = Field(MISSING, alias="totalScreenshots")


class ProductName(Answer):
    """One product."""

    product: ReportedProduct


class SummaryProduct(ProductTotals, ProductName):
    """The totals of one product, as a line."""


class DrilldownData(Answer):
    """One product, user by user."""

    metadata: DrilldownMetadata
    users: list[DrilldownUser]


class DrilldownAnswer(Answer):
    """One product."""

    status: Literal["success"]
    data: DrilldownData
