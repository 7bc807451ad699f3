"""What a developer runs and no function carries."""
