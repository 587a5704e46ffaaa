"""From the definition of a static index to what maps documents.

Whether it is C# or JavaScript is told by its first map, as the official server tells it.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from quoth_node.indexing.javascript.mapper import Compiled, StaticMapper
from quoth_node.indexing.javascript.runtime import Runtime
from quoth_node.indexing.javascript.tolerance import tolerant
from quoth_node.indexing.linq.expressions import quoted
from quoth_node.indexing.linq.translate import (
    TranslatedMap,
    TranslatedReduce,
    translate_map,
    translate_reduce,
)
from quoth_node.indexing.mapping import ALL_FIELDS, FieldOptions
from quoth_node.indexing.refusal import DefinitionRefused
from quoth_node.scripting.task import ScriptFailed

MAPS_MAX = 64
SOURCES_MAX = 64
SCRIPT_CHARACTERS_MAX = 256 * 1_024
COMMENTS = re.compile(r"(?:\s|//[^\n]*(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*\*/)*")
PLACE = re.compile(r"<input>:([0-9]+):([0-9]+)")
INDEXING = ("Default", "Exact", "Search", "No")
UNSUPPORTED_OPTIONS = {"Spatial": "spatial fields", "Vector": "vectors"}


@dataclass(frozen=True, kw_only=True, slots=True)
class StaticDefinition:
    """The parts of a definition that say what is made of documents."""

    maps: Sequence[str]
    reduce: str | None = None
    fields: Mapping[str, Mapping[str, object]] | None = None  # options, as on the wire
    additional_sources: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DescribedMap:
    """A map in JavaScript, as far as it shows without documents."""

    collection: str  # '' for all documents
    fields: Sequence[str] | None
    loads: Sequence[str]  # collections


def compile_static(
    *,
    maps: Sequence[str],
    reduce: str | None = None,
    fields: Mapping[str, Mapping[str, object]] | None = None,
    additional_sources: Mapping[str, str] | None = None,
) -> StaticMapper:
    """What maps documents as a definition says; its parts are as they are on the wire.

    Runs what is JavaScript in it, for half a second at most, so it is nothing for an event loop.
    Raises DefinitionRefused.
    """
    definition = StaticDefinition(
        maps=maps, reduce=reduce, fields=fields, additional_sources=additional_sources
    )
    if not definition.maps:
        raise DefinitionRefused("an index has at least one map")
    if len(definition.maps) > MAPS_MAX:
        raise DefinitionRefused(f"an index has {MAPS_MAX} maps at most")
    options = _options(definition.fields or {})
    if is_javascript(definition.maps[0]):
        return _compile_javascript(definition, options)
    return _compile_linq(definition, options)


def index_type(maps: Sequence[str], reduce: str | None) -> str:
    """The type of a static index, by its name on the wire."""
    language = "JavaScript" if maps and is_javascript(maps[0]) else ""
    return f"{language}{'MapReduce' if reduce and reduce.strip() else 'Map'}"


def is_javascript(text: str) -> bool:
    """Whether a map is JavaScript: `map('Users', ...)` and all that does not begin as C#."""
    found = COMMENTS.match(text)
    beginning = text[found.end() :].lower() if found else text.lower()
    if beginning.startswith(("timeseries.map", "counters.map")):
        return True
    return not beginning.startswith(("from", "docs", "timeseries", "counters"))


# C#


def _compile_linq(
    definition: StaticDefinition, options: Mapping[str, FieldOptions]
) -> StaticMapper:
    for name, source in (definition.additional_sources or {}).items():
        if source.strip():
            refused = DefinitionRefused(f"additional sources in C# cannot be run: '{name}'")
            raise refused.about("AdditionalSources", source)
    maps = [_translated_map(text) for text in definition.maps]
    reduce = _translated_reduce(definition.reduce) if _has_reduce(definition) else None
    _check_fields(definition, maps, reduce)
    sources = [_registered(one) for one in maps]
    if reduce is not None:
        sources.append(f"$host.definition.reduce = {reduce.function};")
    texts = " ".join((*definition.maps, definition.reduce or "")).lower()
    compiled = Compiled(
        type="Map" if reduce is None else "MapReduce",
        map_collections=tuple(one.collection for one in maps),
        fields=_all_options(maps[0].fields, options),
        group_by=None if reduce is None else reduce.group_by,
        references=tuple(dict.fromkeys(chain.from_iterable(one.references for one in maps))),
        needs_metadata="metadata" in texts,
        has_dynamic_fields=any(one.has_dynamic_fields for one in maps),
    )
    return StaticMapper(compiled, _runtime(sources, definition.maps[0]))


def _translated_map(text: str) -> TranslatedMap:
    try:
        return translate_map(text)
    except DefinitionRefused as error:
        raise error.about("Maps", text) from error


def _translated_reduce(text: str | None) -> TranslatedReduce:
    assert text is not None, "asked for where there is one"
    try:
        return translate_reduce(text)
    except DefinitionRefused as error:
        raise error.about("Reduce", text) from error


def _registered(one: TranslatedMap) -> str:
    name = quoted(one.collection)
    return f"$host.definition.maps.push({{ collection: {name}, work: {one.function} }});"


def _check_fields(
    definition: StaticDefinition, maps: Sequence[TranslatedMap], reduce: TranslatedReduce | None
) -> None:
    """All functions of one index give the same fields."""
    functions = [
        (one.fields, "Maps", text) for one, text in zip(maps, definition.maps, strict=True)
    ]
    if reduce is not None:
        functions.append((reduce.fields, "Reduce", definition.reduce or ""))
    baseline = set(functions[0][0])
    for fields, part, text in functions:
        if set(fields) != baseline:
            common, missing, more = (
                ", ".join(sorted(names)) or "none"
                for names in (
                    baseline & set(fields),
                    baseline - set(fields),
                    set(fields) - baseline,
                )
            )
            message = (
                "Map and Reduce functions of a index must return identical types. "
                f"Common fields: {common}. Missing fields: {missing}. Additional fields: {more}."
            )
            raise DefinitionRefused(message).about(part, text)
    _check_group_by(reduce.group_by if reduce else (), baseline, definition)


def _check_group_by(
    group_by: Sequence[str], fields: set[str], definition: StaticDefinition
) -> None:
    unknown = [name for name in group_by if name not in fields]
    if unknown:
        message = f"results are grouped by '{unknown[0]}', which no map gives"
        raise DefinitionRefused(message).about("Reduce", definition.reduce or "")


# JavaScript


def _compile_javascript(
    definition: StaticDefinition, options: Mapping[str, FieldOptions]
) -> StaticMapper:
    additional = definition.additional_sources or {}
    if len(additional) > SOURCES_MAX:
        raise DefinitionRefused(f"an index has {SOURCES_MAX} additional sources at most")
    parts = [("AdditionalSources", text) for text in additional.values()]
    parts += [("Maps", text) for text in definition.maps]
    if _has_reduce(definition):
        parts.append(("Reduce", definition.reduce or ""))
    runtime = _checked_runtime(parts)
    maps, group_by = _described(runtime, definition)
    known = [one.fields for one in maps if one.fields is not None]
    if group_by is not None and len(known) == len(maps):
        _check_group_by(group_by, set(chain.from_iterable(known)), definition)
    texts = " ".join(text for _, text in parts).lower()
    compiled = Compiled(
        type="JavaScriptMap" if group_by is None else "JavaScriptMapReduce",
        map_collections=tuple(one.collection for one in maps),
        fields=_all_options(dict.fromkeys(chain.from_iterable(known)), options),
        group_by=group_by,
        references=tuple(dict.fromkeys(chain.from_iterable(one.loads for one in maps))),
        needs_metadata="metadata" in texts,
        has_dynamic_fields=len(known) < len(maps),
    )
    return StaticMapper(compiled, runtime)


def _checked_runtime(parts: Sequence[tuple[str, str]]) -> Runtime:
    """All parts in one engine; if that fails, the first part that does not go."""
    for part, text in parts:
        if len(text) > SCRIPT_CHARACTERS_MAX:
            message = f"a definition has {SCRIPT_CHARACTERS_MAX} characters at most"
            raise DefinitionRefused(message).about(part, "")
        if "\0" in text:
            raise DefinitionRefused("a script cannot hold a NUL character").about(part, text)
    texts = [text for _, text in parts]
    try:
        return Runtime([_joined(_tolerant(texts))])
    except ScriptFailed as error:
        # By the text that was sent: that is where its places are.
        at = bisect_left(range(len(texts)), True, key=lambda count: not _goes(texts[: count + 1]))
        if at == len(texts):
            raise _refused(error) from error
        part, text = parts[at]
        try:
            Runtime([_joined(texts[:at]), text])
        except ScriptFailed as first:
            raise _refused(first).about(part, text) from first
        raise _refused(error).about(part, text) from error


def _joined(texts: Sequence[str]) -> str:
    """One text, so that all of them have the time of one."""
    return "\n;\n".join(texts)


def _goes(texts: Sequence[str]) -> bool:
    try:
        Runtime([_joined(texts)])
    except ScriptFailed:
        return False
    return True


def _tolerant(texts: Sequence[str]) -> list[str]:
    """The texts with optional members, where that can be done."""
    plain = Runtime(())
    rewritten = [(text, tolerant(text)) for text in texts]
    return [optional if plain.parses(optional) else text for text, optional in rewritten]


def _described(
    runtime: Runtime, definition: StaticDefinition
) -> tuple[list[DescribedMap], tuple[str, ...] | None]:
    """The maps, and what results are grouped by."""
    try:
        found = runtime.described()
    except ScriptFailed as error:
        raise _refused(error).about("Reduce", definition.reduce or "") from error
    match found:
        case {"collections": list(collections), "groupBy": None | list() as group_by}:
            if not len(definition.maps) <= len(collections) <= MAPS_MAX:
                raise DefinitionRefused("a map is map('Collection', document => ({...}))")
            if (group_by is None) == _has_reduce(definition):
                refused = DefinitionRefused("a reduce is groupBy(...).aggregate(...)")
                raise refused.about("Reduce", definition.reduce or "")
            described = [
                DescribedMap(str(name), *_look(runtime, at, definition))
                for at, name in enumerate(collections)
            ]
            return described, None if group_by is None else tuple(map(str, group_by))
        case _:
            raise DefinitionRefused("the definition spoilt its engine")


def _look(
    runtime: Runtime, number: int, definition: StaticDefinition
) -> tuple[list[str] | None, list[str]]:
    try:
        return runtime.look(number)
    except ScriptFailed as error:
        text = definition.maps[min(number, len(definition.maps) - 1)]
        raise _refused(error).about("Maps", text) from error


def _refused(error: ScriptFailed) -> DefinitionRefused:
    found = PLACE.search(str(error))
    line, column = (int(found[1]), int(found[2])) if found else (1, 1)
    return DefinitionRefused(str(error).partition("\n")[0], line, column)


def _runtime(sources: Sequence[str], text: str) -> Runtime:
    try:
        divides = any("$div(" in source for source in sources)
        return Runtime(sources, divides=divides)
    except ScriptFailed as error:
        raise DefinitionRefused(f"the definition is too much: {error}").about(
            "Maps", text
        ) from error


def _has_reduce(definition: StaticDefinition) -> bool:
    return bool(definition.reduce and definition.reduce.strip())


# Options


def _options(fields: Mapping[str, Mapping[str, object]]) -> dict[str, FieldOptions]:
    everywhere = fields.get(ALL_FIELDS, {})
    return {name: _field_options(name, given, everywhere) for name, given in fields.items()}


def _field_options(
    name: str, given: Mapping[str, object], everywhere: Mapping[str, object]
) -> FieldOptions:
    for option, what in UNSUPPORTED_OPTIONS.items():
        if given.get(option):
            raise DefinitionRefused(f"{what} are not supported: '{name}'").about("Fields", name)
    merged = {**everywhere, **{key: value for key, value in given.items() if value is not None}}
    indexing, analyzer = merged.get("Indexing") or "Default", merged.get("Analyzer")
    if indexing not in INDEXING:
        raise DefinitionRefused(f"indexing '{indexing}' is not supported").about("Fields", name)
    return FieldOptions(
        indexing,
        merged.get("Storage") in ("Yes", True),
        analyzer if isinstance(analyzer, str) else None,
    )


def _all_options(
    names: Sequence[str] | Mapping[str, None], options: Mapping[str, FieldOptions]
) -> dict[str, FieldOptions]:
    default = options.get(ALL_FIELDS, FieldOptions("Default", False, None))
    return {**dict.fromkeys(names, default), **options}
