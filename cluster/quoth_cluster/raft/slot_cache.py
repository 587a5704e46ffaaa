"""The newest slots of a log in memory, within a bound: what is not in a file yet, and some more."""

from collections import OrderedDict

from quoth_cluster.raft.entry import Slot

CACHE_BYTES_MAX = 16 * 1024 * 1024
CACHED_SLOT_BYTES = 256  # what Python needs around the content of a slot


class SlotCache:
    """Slots by index, the oldest first."""

    def __init__(self) -> None:
        self._slots: OrderedDict[int, Slot] = OrderedDict()
        self._bytes = 0

    def get(self, log_index: int) -> Slot | None:
        return self._slots.get(log_index)

    def add(self, slot: Slot) -> None:
        self._slots[slot.log_index] = slot
        self._bytes += _bytes_of(slot)

    def shrink(self, synced_index: int) -> None:
        """Forget the oldest until it fits; what is not synced can be read from nowhere else."""
        while self._bytes > CACHE_BYTES_MAX:
            oldest = next(iter(self._slots))
            if oldest > synced_index:
                break
            self._forget(oldest)

    def forget_from(self, log_index: int) -> None:
        """Forget `log_index` and all after it."""
        for stale in [index for index in self._slots if index >= log_index]:
            self._forget(stale)

    def forget_to(self, log_index: int) -> None:
        """Forget `log_index` and all before it."""
        for stale in [index for index in self._slots if index <= log_index]:
            self._forget(stale)

    def _forget(self, log_index: int) -> None:
        self._bytes -= _bytes_of(self._slots.pop(log_index))


def _bytes_of(slot: Slot) -> int:
    return len(slot.content) + CACHED_SLOT_BYTES
