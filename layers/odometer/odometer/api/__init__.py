"""The wire: the only place that knows status codes, headers and the shapes of JSON."""
