"""What a batch comes to on one snapshot: what to write, and what to answer once it is written."""

from dataclasses import dataclass, replace

from quoth_cluster.commands import DeleteDocument, PutDocument
from quoth_cluster.outcomes import DocumentDeleted, DocumentPut, Refusal, Refused
from quoth_cluster.sequence_commands import TakeNumbers
from quoth_node.patching.values import Patched, PatchedMany, PatchResult
from quoth_node.patching.view import Check, Seen


class Stopped(Exception):
    """The batch expects a state that is not this one."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one command, but for what only the state machine knows."""

    result: PatchResult | None  # None: it is the result of the write
    write: int | None = None
    parts: tuple["Part", ...] = ()

    @property
    def returned_bytes(self) -> int:
        """How many bytes of documents are in the answer."""
        own = self.result
        if not isinstance(own, Patched):
            return sum(part.returned_bytes for part in self.parts)
        return sum(len(one) for one in (own.document, own.original, own.debug) if one is not None)

    def answer(self, results: tuple[DocumentPut | DocumentDeleted, ...]) -> PatchResult:
        """The whole answer."""
        if self.parts:
            many = [part.answer(results) for part in self.parts]
            return PatchedMany(tuple(one for one in many if isinstance(one, Patched)))
        # In a test nothing is written, and there are no results.
        written = results[self.write] if self.write is not None and results else None
        if self.result is None:
            assert written is not None, "a PUT or DELETE has a result"
            return written
        if isinstance(self.result, Patched) and isinstance(written, DocumentPut):
            return replace(
                self.result,
                document_id=written.document_id,
                change_vector=written.change_vector,
                at_micros=written.at_micros,
                collection=written.collection,
            )
        return self.result


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch comes to on one snapshot."""

    checks: tuple[Check, ...]  # of what was computed from
    tracked: tuple[Check, ...]  # what the sender says it had read
    commands: tuple[PutDocument | DeleteDocument, ...]
    parts: tuple[Part, ...]
    takings: tuple[TakeNumbers, ...] = ()  # their places name one of `commands`

    @property
    def must_be_proposed(self) -> bool:
        """Whether only the state machine can answer."""
        return bool(self.commands or self.tracked)

    def answers(
        self, results: tuple[DocumentPut | DocumentDeleted, ...] = ()
    ) -> tuple[PatchResult, ...]:
        """Answer i answers command i."""
        return tuple(part.answer(results) for part in self.parts)


def is_expected(seen: Seen | None, expected: str | None) -> bool:
    """Whether this is the document that the sender has read; '' is none."""
    return expected is None or expected == (seen.change_vector if seen else "")


def mismatch(document_id: str, expected: str | None, seen: Seen | None) -> Refused:
    """The refusal of a patch of another document than the one that was read, officially."""
    return Refused(
        Refusal.CHANGE_VECTOR,
        f"Could not patch document '{document_id}' because non current change vector was used",
        document_id=document_id,
        expected_change_vector=expected,
        actual_change_vector=seen.change_vector if seen else None,
    )


def placed(takings: tuple[TakeNumbers, ...], parts: list[Part]) -> tuple[TakeNumbers, ...]:
    """The same takings, with places in what is written for the commands that they name.

    Raises Stopped.
    """
    return tuple(
        replace(taking, commands=tuple(_written_for(one, parts) for one in taking.commands))
        for taking in takings
    )


def _written_for(command: int, parts: list[Part]) -> int:
    write = parts[command].write if 0 <= command < len(parts) else None
    if write is None:
        message = f"Command {command} writes no document that could hold a number."
        raise Stopped(Refused(Refusal.NUMBER_PLACE, f"{message} Nothing was saved."))
    return write
