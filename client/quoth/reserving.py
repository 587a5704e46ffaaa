"""What a failure says of numbers that were reserved for what failed. Pure."""

from quoth.errors import Definite, Indefinite, Unassured
from quoth.sequences import TEXT_BYTES_MAX

# Of ours, and what other programs wait for in vain: a connection that breaks tells nothing either.
MAY_HAVE_HAPPENED = (Indefinite, Unassured)
NO_ANSWER = (TimeoutError, ConnectionError)


def is_certain_failure(error: BaseException) -> bool:
    """Whether what raised it has certainly done nothing, as far as this client can tell.

    What was cancelled, waits in vain for an answer, or was done and not seen elsewhere in time, may
    have happened; so may what failed because of that, or while it was handled.
    """
    return not _may_have_happened(error, set(), is_settled=False)


def _may_have_happened(error: BaseException, seen: set[int], *, is_settled: bool) -> bool:
    """`is_settled`: it is behind an error that says what became of the lost connection."""
    if id(error) in seen:
        return False
    seen.add(id(error))
    if isinstance(error, MAY_HAVE_HAPPENED) or not isinstance(error, Exception):
        return True
    is_refused = isinstance(error, ConnectionRefusedError)
    if isinstance(error, NO_ANSWER) and not is_refused and not is_settled:
        return True
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return any(
        _may_have_happened(each, seen, is_settled=is_settled or isinstance(error, Definite))
        for each in (*parts, error.__cause__, error.__context__)
        if each is not None
    )


def reason_of(error: BaseException) -> str:
    """An error, as the journal tells it."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.encode(errors="replace")[:TEXT_BYTES_MAX].decode(errors="ignore")
