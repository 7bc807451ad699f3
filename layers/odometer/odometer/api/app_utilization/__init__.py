"""The app utilization API."""
