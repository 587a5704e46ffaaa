"""The attribute of an entity that holds its id, which is the document's name and not part of it."""

from collections.abc import Mapping
from typing import Any, get_origin

from quoth.entities.annotations import members_of
from quoth.entities.kinds import layout_of

OFFICIAL = "Id"
LOWER = "id"
_FOUND: dict[Any, str] = {}


def identity_property_of(kind: Any) -> str:
    """`Id`, as in all clients of RavenDB; `id` for a class that has only that, as a string.

    An `id` that is not annotated as a string is a field like any other: programs for the official
    client have such fields in their documents.
    """
    found = _FOUND.get(kind)
    if found is None:
        found = _FOUND[kind] = _looked_up(kind)
    return found


def _looked_up(kind: Any) -> str:
    kind = get_origin(kind) or kind
    if not isinstance(kind, type) or issubclass(kind, Mapping):
        return OFFICIAL
    layout = layout_of(kind)
    if layout.slot_of(OFFICIAL) is None and not hasattr(kind, OFFICIAL):
        slot = layout.slot_of(LOWER)
        if slot is not None and str in members_of(slot.hint):
            return LOWER
    return OFFICIAL


def set_identity(entity: object, document_id: str, *, identity_property: str | None) -> None:
    """Tell an entity its id, if it has a place for it and can be changed."""
    if identity_property is None or isinstance(entity, dict):
        return
    is_computed = getattr(getattr(type(entity), identity_property, None), "fset", True) is None
    if is_computed or layout_of(type(entity)).is_frozen:
        return
    if hasattr(entity, identity_property):
        setattr(entity, identity_property, document_id)


def get_identity(entity: object, *, identity_property: str | None) -> str | None:
    """The id an entity carries itself, if any."""
    if identity_property is None or isinstance(entity, dict):
        return None
    found = getattr(entity, identity_property, None)
    return found if isinstance(found, str) and found else None
