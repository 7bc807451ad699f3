"""The usage report API."""
