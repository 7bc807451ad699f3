"""What the business is about, in plain Python: nothing here knows storage, HTTP or AWS."""
