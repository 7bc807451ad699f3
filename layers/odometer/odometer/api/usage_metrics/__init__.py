"""The usage metrics API."""
