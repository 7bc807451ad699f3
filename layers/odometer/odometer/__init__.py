"""Odometer: exact answers to who used what, how much, and when."""
