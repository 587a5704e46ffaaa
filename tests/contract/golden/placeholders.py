"""Compare an answer with a recorded one, where some values may differ but must differ consistently.

A recorded change vector, time, index or made-up id stands for the value that this server gave in
its place: met again, in an answer or a request, it must be that same value again.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ID22 = r"[A-Za-z0-9+/]{22}"
# The first that matches counts, so the more exact ones stand first.
KINDS: Mapping[str, str] = {
    "guarded_change_vector": rf"RAFT:\d+-{ID22}, ?TRXN:\d+-{ID22}",
    "change_vector": rf"(?:[A-Z]{{1,4}}:\d+-{ID22})(?:, ?[A-Z]{{1,4}}:\d+-{ID22})*",
    "hash": r"Hash-[A-Za-z0-9+/=]+",
    "guid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z",
    "duration": r"\d\d:\d\d:\d\d\.\d{7}",
    "padded_id": r"\d{19}-[A-Z]{1,4}",
    "server": r"http://127\.0\.0\.1:\d+",
    "result_etag": r"(?<!\d)-?\d{18,19}(?![\d-])",
    "index": r"\b552\d\d\b",
}
ACTUAL = {**KINDS, "index": r"-?\d+"}  # our indexes are smaller
TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))
# Two recorded values stand for two values.
ONE_TO_ONE = frozenset(
    {"guarded_change_vector", "change_vector", "index", "padded_id", "result_etag"}
)
# Facts of the machine and the build: only the type counts.
FREE_KEYS = frozenset(
    {
        *("AssemblyVersion", "BuildInfo", "BuildVersion", "CommitHash", "FullVersion", "OsInfo"),
        *("CurrentTerm", "LeaderShipDuration", "LeadersTicks", "Term", "LastStateChangeReason"),
        *("InstalledMemoryInGb", "UsableMemoryInGb", "NumberOfCores", "NodeLicenseDetails"),
        *("ProductVersion", "ServerSchemaVersion", "ServerVersion", "SizeOnDisk"),
        *("SupportedFeatures", "Pager", "TempBuffersSizeOnDisk", "DurationInMs"),
    }
)
ID22_KEYS = frozenset({"DatabaseTopologyIdBase64", "ClusterTransactionIdBase64", "DatabaseId"})


@dataclass(slots=True)
class Bindings:
    """Recorded value -> the value this server gave in its place, by kind."""

    _actual: dict[tuple[str, str], str] = field(default_factory=dict)

    def bind(self, kind: str, recorded: str, actual: str, *, anew: bool = False) -> str | None:
        """Note that `recorded` stands for `actual`; what is wrong with that, if anything."""
        known = self._actual.get((kind, recorded))
        if known is not None and known != actual and not anew:
            return f"{recorded} stood for {known} before, now for {actual}"
        if known is None and kind in ONE_TO_ONE:
            for (other_kind, other), value in self._actual.items():
                if other_kind == kind and value == actual:
                    return f"{actual} stands for {other} already, now for {recorded}, too"
        self._actual[kind, recorded] = actual
        return None

    def rewrite(self, text: str) -> str:
        """`text` of a recorded request, with the values that this server gave."""

        def actual(token: re.Match[str]) -> str:
            kind, recorded = token.lastgroup or "", token.group()
            if kind == "index":  # one that the client learned before the recording began
                return self._actual.get((kind, recorded), recorded)
            # What was never in an answer was made by the client and stands for itself.
            return self._actual.setdefault((kind, recorded), recorded)

        return TOKEN.sub(actual, text)

    def indexes(self) -> list[tuple[int, int]]:
        """Recorded and actual indexes, in recorded order."""
        pairs = [(a, b) for (kind, a), b in self._actual.items() if kind == "index"]
        return sorted((int(recorded), int(actual)) for recorded, actual in pairs)


def differences(
    expected: Any, actual: Any, bindings: Bindings, *, anew: bool = False, place: str = "body"
) -> Iterator[str]:
    """What differs, one line each. `anew`: values may stand for others than before."""
    if type(expected) is not type(actual):
        yield f"{place}: expected {_short(expected)}, got {_short(actual)}"
    elif isinstance(expected, dict):
        yield from _object_differences(expected, actual, bindings, anew=anew, place=place)
    elif isinstance(expected, list):
        if len(expected) != len(actual):
            yield f"{place}: expected {len(expected)} elements, got {len(actual)}"
        for number, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(one, other, bindings, anew=anew, place=f"{place}[{number}]")
    elif isinstance(expected, str):
        yield from text_differences(expected, actual, bindings, anew=anew, place=place)
    elif type(expected) is int and re.fullmatch(KINDS["index"], str(expected)):
        trouble = bindings.bind("index", str(expected), str(actual), anew=anew)
        yield from [f"{place}: {trouble}"] if trouble else []
    elif type(expected) is int and re.fullmatch(KINDS["result_etag"], str(expected)):
        trouble = bindings.bind("result_etag", str(expected), str(actual), anew=anew)
        yield from [f"{place}: {trouble}"] if trouble else []
    elif expected != actual:
        yield f"{place}: expected {_short(expected)}, got {_short(actual)}"


def text_differences(
    expected: str, actual: str, bindings: Bindings, *, anew: bool, place: str
) -> Iterator[str]:
    """What differs between two texts."""
    pattern, tokens, end = "", [], 0
    for token in TOKEN.finditer(expected):
        kind = token.lastgroup or ""
        tokens.append((kind, token.group()))
        pattern += f"{re.escape(expected[end : token.start()])}({ACTUAL[kind]})"
        end = token.end()
    found = re.fullmatch(pattern + re.escape(expected[end:]), actual, re.DOTALL)
    if found is None:
        yield f"{place}: expected {_short(expected)}, got {_short(actual)}"
        return
    # Patterns have no groups of their own, so group i is token i.
    for (kind, recorded), value in zip(tokens, found.groups(), strict=True):
        trouble = bindings.bind(kind, recorded, value, anew=anew)
        if trouble:
            yield f"{place}: {trouble}"


def _object_differences(
    expected: dict[str, Any], actual: dict[str, Any], bindings: Bindings, *, anew: bool, place: str
) -> Iterator[str]:
    for key in expected.keys() - actual.keys():
        yield f"{place}.{key}: missing"
    for key in actual.keys() - expected.keys():
        yield f"{place}.{key}: {_short(actual[key])} was not expected"
    for key in [key for key in expected if key in actual]:
        one, other, inside = expected[key], actual[key], f"{place}.{key}"
        if key in FREE_KEYS:
            if type(one) is not type(other):
                yield f"{inside}: expected a {type(one).__name__}, got {_short(other)}"
        elif key == "Error" and "Message" in expected:
            # A long text for people: it must say no less than the message.
            if not isinstance(other, str) or str(actual.get("Message")) not in other:
                yield f"{inside}: does not contain the message: {_short(other)}"
        elif key in ID22_KEYS and isinstance(other, str) and re.fullmatch(ID22, other):
            trouble = bindings.bind("id22", one, other, anew=anew)
            yield from [f"{inside}: {trouble}"] if trouble else []
        else:
            yield from differences(one, other, bindings, anew=anew, place=inside)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
