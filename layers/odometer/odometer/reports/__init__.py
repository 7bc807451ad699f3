"""Answers made from readings and the roster, in plain Python."""
