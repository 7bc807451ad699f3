"""How usage gets from the log into frames."""
