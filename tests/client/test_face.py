"""What `from quoth import ...` gives, and that nothing else leaks out."""

from types import ModuleType

import quoth
import quoth.operations as operations_room


def test_the_face_is_what_it_says() -> None:
    public = {
        name
        for name, value in vars(quoth).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(quoth.__all__)


def test_the_face_is_sorted() -> None:
    operations = list(operations_room.__all__)
    own = [name for name in quoth.__all__ if name not in operations]
    assert quoth.__all__ == [*sorted(own), *sorted(operations)]
    assert len(set(quoth.__all__)) == len(quoth.__all__)


def test_everything_public_says_what_it_is_for() -> None:
    silent = [name for name in quoth.__all__ if not getattr(quoth, name).__doc__]
    assert not silent


def test_both_sessions_have_the_same_methods() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(quoth.Session) == public(quoth.AsyncSession)
    assert public(quoth.DocumentStore) == public(quoth.AsyncDocumentStore)
    assert public(quoth.ClusterTransaction) == public(quoth.AsyncClusterTransaction)
