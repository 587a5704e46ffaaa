"""What can be wrong with a query that parses."""


class InvalidQuery(Exception):
    """The query cannot be run as it stands; the text says why."""
