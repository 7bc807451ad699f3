"""`odometer`: what operators and clients do from a shell. It decides nothing; the package does."""

from odometer_cli.commands import app

__all__ = ["app"]
