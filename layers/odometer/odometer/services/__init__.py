"""Use cases over the engine and its storage."""
