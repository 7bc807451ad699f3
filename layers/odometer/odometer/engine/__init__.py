"""Usage as a meter: its items (`format`), how it gets there (`write`), how it is read (`read`).

Each module begins with the step or the question that it is about. `calendar`: days, weeks and years
as frames count them. `memory`: what a process remembers. `rounds`: reads that go out
together. `store`: the storage that it needs.
"""
