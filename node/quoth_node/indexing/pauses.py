"""Which indexes rest on one node: all of a database, some of them, or all but some."""

from collections.abc import Iterator

from quoth_cluster.store.keys import fold_text


class Pauses:
    """Forgotten when the node stops: after a restart everything goes on."""

    def __init__(self) -> None:
        self._by_folder: dict[str, dict[str | None, bool]] = {}  # None: all that have no own word

    def set(self, folder: str, name: str | None, *, is_paused: bool) -> None:
        """Let an index rest or go on; with None all of the database, whatever was said before."""
        if name is None:
            self._by_folder[folder] = {None: is_paused}
        else:
            self._by_folder.setdefault(folder, {})[fold_text(name)] = is_paused

    def is_paused(self, folder: str, name: str | None) -> bool:
        """Whether an index rests; with None whether all of the database were told to."""
        said = self._by_folder.get(folder, {})
        everywhere = said.get(None, False)
        return everywhere if name is None else said.get(fold_text(name), everywhere)

    def forget(self, folder: str) -> None:
        """The database is gone."""
        self._by_folder.pop(folder, None)

    def every(self) -> Iterator[tuple[str, str | None, bool]]:
        """All that was said, in an order that comes to the same."""
        for folder, said in self._by_folder.items():
            for name in sorted(said, key=lambda one: one or ""):
                yield folder, name, said[name]
