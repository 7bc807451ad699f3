"""GET /, /docs, /openapi.json and /page/{file+}: the page for people, from files here."""

from odometer.web.endpoint import endpoint
from odometer.web.family import Envelope
from odometer.web.files import Files

handler = endpoint(Envelope(), "/page/{file+}")(Files.beside(__file__).answer)
