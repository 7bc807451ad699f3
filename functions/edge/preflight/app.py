"""OPTIONS of what embed tokens open: what a browser asks before it lets a page of elsewhere ask."""

from odometer.web.cors import preflight
from odometer.web.endpoint import endpoint
from odometer.web.family import Envelope

handler = endpoint(Envelope(), "/v1/{report}", "OPTIONS")(preflight)
