"""Changes that are told instead of made: scripts a session collects, one per document. Pure.

    session.advanced.increment("users/1", "logins", 1)
    session.advanced.patch_array("users/1", "tags", lambda tags: tags.add("new"))

Both travel as one script with the next save, and need the document neither here nor unchanged.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Self

from quoth.batches import PatchDocument, PatchRequest
from quoth.commands import fold
from quoth.errors import Misuse
from quoth.serialization import Json, JsonObject, canonical, to_json

_STEP = r"(?:\.?[A-Za-z_$][\w$]*|\[\d+\]|\[\"(?:[^\"\\\n]|\\.)*\"\]|\['(?:[^'\\\n]|\\.)*'\])"
_PATH = re.compile(rf"[A-Za-z_$][\w$]*{_STEP}*\Z")

Build = Callable[[Any], object]


class _Script:
    """Lines of a script and their values, each under a name of its own."""

    def __init__(self, path: str, numbers: "count[int]") -> None:
        self._place = f"this.{_checked(path)}"
        self._numbers = numbers
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}

    def _named(self, value: object) -> str:
        name = f"val_{next(self._numbers)}"
        self.values[name] = _plain(value)
        return f"args.{name}"


class JavaScriptArray(_Script):
    """What `patch_array` does to an array, step by step."""

    def add(self, *values: object) -> Self:
        """Put values at the end."""
        names = ", ".join(self._named(each) for each in values)
        self.lines.append(f"{self._place}.push({names});")
        return self

    def remove_at(self, index: int) -> Self:
        """Take out what is at this place, counted from 0."""
        self.lines.append(f"{self._place}.splice({self._named(index)}, 1);")
        return self

    def remove_all(self, predicate_js: str) -> Self:
        """Take out every `item` for which this JavaScript expression is true."""
        kept = f"{self._place}.filter(function (item) {{ return !({predicate_js}); }})"
        self.lines.append(f"{self._place} = {kept};")
        return self


class JavaScriptMap(_Script):
    """What `patch_object` does to the members of an object, step by step."""

    def put(self, key: str, value: object) -> Self:
        """Set a member."""
        self.lines.append(f"{self._place}[{self._named(key)}] = {self._named(value)};")
        return self

    def remove(self, key: str) -> Self:
        """Take a member out."""
        self.lines.append(f"delete {self._place}[{self._named(key)}];")
        return self


@dataclass(frozen=True, slots=True)
class Missing:
    """The document to create where there is none to patch, with its metadata."""

    document: JsonObject


class Patches:
    """The patches a session has been told and not yet saved, at most one per document."""

    def __init__(self) -> None:
        self._by_id: dict[str, PatchDocument] = {}
        self._numbers = count()

    def __contains__(self, document_id: str) -> bool:
        return fold(document_id) in self._by_id

    def set(self, document_id: str, path: str, value: object, missing: Missing | None) -> None:
        """Assign a value."""
        name = f"val_{next(self._numbers)}"
        line = f"this.{_checked(path)} = args.{name};"
        self._add(document_id, [line], {name: _plain(value)}, missing)

    def increment(
        self, document_id: str, path: str, value: object, missing: Missing | None
    ) -> None:
        """Add to a number, or to a text; what is not there counts as nothing."""
        name, place = f"val_{next(self._numbers)}", f"this.{_checked(path)}"
        line = f"{place} = {place} ? {place} + args.{name} : args.{name};"
        self._add(document_id, [line], {name: _plain(value)}, missing)

    def array(
        self,
        document_id: str,
        path: str,
        build: Callable[[JavaScriptArray], object],
        missing: Missing | None,
    ) -> None:
        """Do to an array what `build` says."""
        steps = JavaScriptArray(path, self._numbers)
        build(steps)
        self._add(document_id, steps.lines, steps.values, missing)

    def object(self, document_id: str, path: str, build: Callable[[JavaScriptMap], object]) -> None:
        """Do to the members of an object what `build` says."""
        steps = JavaScriptMap(path, self._numbers)
        build(steps)
        self._add(document_id, steps.lines, steps.values, None)

    def commands(self, is_loaded: Callable[[str], bool]) -> list[PatchDocument]:
        """What a save must send; a document that the session has loaded comes back."""
        return [
            replace(each, returns_document=is_loaded(each.document_id))
            for each in self._by_id.values()
        ]

    def saved(self, command: PatchDocument) -> None:
        """A patch was carried out."""
        known = self._by_id.get(fold(command.document_id))
        if known is not None and known.patch == command.patch:
            del self._by_id[fold(command.document_id)]

    def clear(self) -> None:
        """Forget everything."""
        self._by_id.clear()

    def _add(
        self,
        document_id: str,
        lines: list[str],
        values: dict[str, Any],
        missing: Missing | None,
    ) -> None:
        if not lines:
            return
        known = self._by_id.get(fold(document_id))
        if known is None:
            patch = PatchRequest("\n".join(lines), values)
            create = None if missing is None else missing.document
            command = PatchDocument(document_id, patch, create_if_missing=create)
            self._by_id[fold(document_id)] = command
            return
        if (known.create_if_missing is None) != (missing is None):
            raise Misuse(
                f"{document_id!r} is already patched in this session, with another word on what to"
                " do if it is missing: save that first"
            )
        script = "\n".join([known.patch.script, *lines])
        patch = PatchRequest(script, {**known.patch.values, **values})
        self._by_id[fold(document_id)] = replace(known, patch=patch)


def _plain(value: object) -> Json:
    """A value as it is now. Raises WrongType for what has no JSON, before it is in the way."""
    plain = to_json(value)
    canonical(plain)
    return plain


def _checked(path: str) -> str:
    """A path goes into a script: nothing but names, places and quoted names may be in it."""
    if not isinstance(path, str) or not _PATH.match(path):
        raise Misuse(f"a path is like address.city, lines[0].price or names[\"first name\"],"
                     f" not {path!r:.100}")  # fmt: skip
    return path
