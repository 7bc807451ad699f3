"""The products that the usage report API reports on."""

from enum import StrEnum


class ReportedProduct(StrEnum):
    """The products that this API reports on."""

    AUTOMATION = "automation"
    APP_AUTOMATION = "app-automation"
    HYPEREXECUTE = "hyperexecute"
    REALTIME = "realtime"
    REALDEVICE = "realdevice"
    SMARTUI = "smartui"
