"""The directory of an organization: who belongs to it, in which teams, with which products."""
