"""GET /v1/directory/export: the whole directory, in the lines that PUT /v1/directory takes."""

from odometer.access.policy import READ_DIRECTORY
from odometer.api.v1.directory import ExportedDirectory, export
from odometer.api.v1.family import v1
from odometer.directory.snapshot import Directory
from odometer.web.messages import NDJSON, Response


@v1("/directory/export", may=READ_DIRECTORY)
def handler(directory: Directory) -> ExportedDirectory:
    return Response(200, export(directory), NDJSON)
