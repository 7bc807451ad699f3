"""Odometer: exact answers to who used what, how much, and when."""

import gc

gc.set_threshold(50_000)  # what is imported stays, and looking through it takes time
