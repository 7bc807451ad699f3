"""The engine: usage is a meter, and the usage of a period is the difference of two readings."""
