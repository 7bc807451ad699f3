"""Answers made from usage and the directory, in plain Python."""
