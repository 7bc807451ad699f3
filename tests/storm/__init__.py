"""A storm over a local stack: many clients, faults at every call, and a count of what is left.

python -m tests.storm --minutes 10 --seed 1
"""
