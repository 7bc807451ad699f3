"""What Odometer costs, counted."""
