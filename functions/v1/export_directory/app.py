"""GET /v1/directory/export: the directory, in the lines that PUT /v1/directory takes."""

from odometer.access.policy import READ_DIRECTORY
from odometer.api.v1.export import export
from odometer.api.v1.family import v1

handler = v1("/directory/export", may=READ_DIRECTORY)(export)
