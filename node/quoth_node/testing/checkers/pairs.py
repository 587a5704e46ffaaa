"""Things that are only ever written together: whether every reader saw one writing of them. Pure.

"write" of [tag, name, ...] gives all these names one tag, new each time; "read" gives a tag for
each name it looked at: {name: tag}, -1 where nothing is. All of a key use the same names.
"""

from collections.abc import Iterator, Sequence

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import ABSENT, Operation, by_key


def check(operations: Sequence[Operation]) -> list[Violation]:
    """fractured-read: two tags at once; G1a: the tag of a failed write; phantom: of none."""
    return [
        violation for key, part in by_key(operations).items() for violation in _of_key(key, part)
    ]


def _of_key(key: str, operations: Sequence[Operation]) -> Iterator[Violation]:
    writers = {one.input[0]: one for one in operations if one.f == "write"}
    for read in operations:
        if read.f != "read" or not read.ok:
            continue
        assert read.returned is not None, "it is done"
        tags = sorted(set(read.output.values()), key=str)
        writes = [writers[tag] for tag in tags if tag in writers]
        if len(tags) > 1:
            told = f"{read.output} are of {len(tags)} writes"
            evidence = (*writes, read)
            yield Violation(anomaly="fractured-read", key=key, told=told, evidence=evidence)
        for tag in tags:
            writer = writers.get(tag)
            if tag != ABSENT and (writer is None or writer.call > read.returned):
                told = f"{tag} is there, and nobody had written it"
                yield Violation(anomaly="phantom", key=key, told=told, evidence=(read,))
            elif writer is not None and writer.ok is False:
                told = f"{tag} is there, and its write failed"
                yield Violation(anomaly="G1a", key=key, told=told, evidence=(writer, read))
