"""What can be wrong with a query that could be read."""


class QueryError(Exception):
    """A query that gives no results; nothing was changed by it."""


class InvalidQuery(QueryError):
    """It says something that cannot be answered: by its own fault, or not supported yet."""


class IndexMissing(QueryError):
    """It names an index that there is none of."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no index named '{name}'")
        self.name = name


class IndexNotAvailable(QueryError):
    """Its index is disabled or faulty."""


class IndexNotReady(QueryError):
    """Its index cannot be read just now: not begun, replaced, or its database is going."""


class ProjectionFailed(QueryError):
    """Its JavaScript threw, or went over a limit."""


class StaleResults(QueryError):
    """It may only run on an index that has read everything, and that one has not."""
