"""GET /v1/coverage: what has arrived of every product, from where, and how far it is complete."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.v1.coverage import coverage
from odometer.api.v1.family import v1

handler = v1("/coverage", may=READ_ORGANIZATION)(coverage)
