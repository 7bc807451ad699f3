"""GET /v1/directory/export: the whole directory, in the lines that PUT /v1/directory takes."""

from odometer.access.policy import READ_DIRECTORY
from odometer.api.directory import export
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.wire import NDJSON, Response
from odometer.directory.snapshot import Directory


@endpoint(ENVELOPE, "GET", "/v1/directory/export", may=READ_DIRECTORY)
def handler(directory: Directory) -> Response:
    """Answer with a line for each member."""
    return Response(200, export(directory), NDJSON)
