"""How many bytes a batch may come to, counted while it is evaluated.

An answer that cannot be sent is only found out after the batch was saved, and then nobody can tell
its sender. So what is too much is refused before anything is proposed.
"""

from dataclasses import dataclass

from quoth_cluster.commands import DeleteDocument, PutDocument
from quoth_cluster.errors import TooLarge

MIB = 1_024 * 1_024
WRITTEN_BYTES_MAX = 72 * MIB  # as many as a command of the log may have
RETURNED_BYTES_MAX = 32 * MIB
RETURNED_ALONE_BYTES_MAX = 68 * MIB  # the largest document; the rest of an answer is short


@dataclass(slots=True)
class Budget:
    """What is left of the bytes of one batch."""

    returned: int = 0
    written: int = 0

    def give_back(self, size: int, *, is_alone: bool) -> None:
        """Count what is returned. Raises TooLarge."""
        self.returned += size
        limit = RETURNED_ALONE_BYTES_MAX if is_alone else RETURNED_BYTES_MAX
        if self.returned > limit:
            raise TooLarge(
                f"the documents that the patches return are over {limit} bytes; "
                "nothing was written, ask for them in parts"
            )

    def write(self, command: PutDocument | DeleteDocument) -> None:
        """Count what is written. Raises TooLarge."""
        self.written += len(command.document_id)
        if isinstance(command, PutDocument):
            self.written += len(command.body) + len(command.metadata)
        if self.written > WRITTEN_BYTES_MAX:
            raise TooLarge(
                f"the documents that the batch writes are over {WRITTEN_BYTES_MAX} bytes; "
                "nothing was written, save them in parts"
            )
