"""`include explanations()` says why each result has its score."""

from typing import Any

import pytest

from quoth_node.querying import running
from tests.unit.http.conftest import Node

TEXTS = ["the quick brown fox", "a quick, quick fox", "a slow dog"]


@pytest.fixture
async def people(node: Node) -> Node:
    for number, text in enumerate(TEXTS):
        await node.put(f"users/{number}", body=text, kind="animal")
    return node


async def explanations(node: Node, where: str, **parameters: Any) -> dict[str, list[str]]:
    body = {
        "Query": f"from Users where {where} include explanations()",
        "QueryParameters": parameters,
        "WaitForNonStaleResults": True,
    }
    answer = await node.ask("POST", "/databases/db/queries", body)
    assert answer.status == 200, answer.body
    told: dict[str, list[str]] = answer.json["Explanations"]
    assert told.keys() == {row["@metadata"]["@id"] for row in answer.json["Results"]}
    for row in answer.json["Results"]:
        score = row["@metadata"].get("@index-score")
        if score is not None:
            (text,) = told[row["@metadata"]["@id"]]
            assert float(text.partition(" = ")[0]) == pytest.approx(score)
    return told


async def test_one_condition_is_one_line(people: Node) -> None:
    told = await explanations(people, "kind = $kind", kind="animal")
    assert told["users/0"] == ['1.0 = kind = "animal"']
    assert len(told) == 3


async def test_a_score_is_the_sum_of_its_parts(people: Node) -> None:
    where = "boost(kind = 'animal', 3) and search(body, 'quick fox')"
    told = await explanations(people, where)
    assert told.keys() == {"users/0", "users/1"}
    for (text,) in told.values():
        head, *parts = text.split("\n  ")
        assert head.endswith(" = sum of:")
        assert parts[0] == '3.0 = kind = "animal"'
        assert parts[1].endswith(' = search(body, "quick fox")')
        total = sum(float(part.partition(" = ")[0]) for part in parts)
        assert total == pytest.approx(float(head.partition(" = ")[0]))


async def test_what_is_not_scored_is_not_told(people: Node) -> None:
    told = await explanations(people, "not search(body, 'dog') and startsWith(kind, 'an')")
    for (text,) in told.values():
        assert text == '1.0 = startsWith(kind, "an")'


async def test_too_many_conditions_are_refused_by_name(people: Node) -> None:
    where = " or ".join(f"kind = 'k{number}'" for number in range(101))
    body = {"Query": f"from Users where startsWith(kind, 'x') or {where} include explanations()"}
    answer = await people.ask("POST", "/databases/db/queries", body)
    assert answer.status == 400 and "not explained" in answer.error[2]


async def test_values_of_any_size_are_shown(people: Node) -> None:
    await explanations(people, "kind in ('animal', 1000000000000000000000000000000)")
    told = await explanations(people, f"kind in ('animal', {', '.join(map(str, range(50)))})")
    assert told["users/0"] == ['1.0 = kind in ("animal", 0, 1, 2, 3, 4, 5, 6, 7, 8, ...)']


async def test_what_is_not_to_be_explained_is_not_described(
    people: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> str:
        raise AssertionError("it takes time")

    monkeypatch.setattr(running, "described", never)
    body = {"Query": "from Users where kind = 'animal'", "WaitForNonStaleResults": True}
    answer = await people.ask("POST", "/databases/db/queries", body)
    assert answer.status == 200 and "Explanations" not in answer.json
