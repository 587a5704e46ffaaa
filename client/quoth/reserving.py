"""What a failure says of numbers that were reserved for what failed. Pure."""

from quoth.errors import Indefinite
from quoth.sequences import TEXT_BYTES_MAX


def is_certain_failure(error: BaseException) -> bool:
    """Whether what raised it has certainly done nothing, as far as this client can tell.

    What was cancelled, or waits in vain for an answer, may have happened.
    """
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        if isinstance(found, Indefinite) or not isinstance(found, Exception):
            return False
        if isinstance(found, BaseExceptionGroup):
            return all(map(is_certain_failure, found.exceptions))
        seen.add(id(found))
        found = found.__cause__ or found.__context__
    return True


def reason_of(error: BaseException) -> str:
    """An error, as the journal tells it."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.encode(errors="replace")[:TEXT_BYTES_MAX].decode(errors="ignore")
