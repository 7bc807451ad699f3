"""The mechanism behind every route; it knows no API family."""
