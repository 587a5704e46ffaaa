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
        (text,) = told[row["@metadata"]["@id"]]
        total = float(text.partition(" = ")[0])
        assert total == pytest.approx(row["@metadata"].get("@index-score", total))
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


async def test_a_sum_is_told_though_none_matches_better(people: Node) -> None:
    told = await explanations(people, "kind = 'animal' and exists(body)")
    assert told["users/0"] == ['2.0 = sum of:\n  1.0 = kind = "animal"\n  1.0 = exists(body)']
    assert (await explanations(people, "not kind = 'x'"))["users/0"] == [
        "1.0 = every result, alike"
    ]


async def test_more_values_than_can_be_told_are_refused_by_name(people: Node) -> None:
    body = {
        "Query": "from Users where kind in ($several) include explanations()",
        "QueryParameters": {"several": list(range(9_000))},
    }
    answer = await people.ask("POST", "/databases/db/queries", body)
    assert answer.status == 400 and "5000 values are not explained" in answer.error[2]


async def test_explanations_count_for_the_limit_of_a_reply(people: Node) -> None:
    for number in range(3, 7):
        await people.put(f"users/{number}", kind="animal")
    others = " or ".join(f"kind = '{'x' * 90}{number}'" for number in range(90))
    where = f"exists(kind) or {others}"
    query = {"Query": f"from Users where {where} include explanations()"}
    answer = await people.ask("POST", "/databases/db/queries", query)
    assert answer.status != 200 and "smaller page" in answer.error[2]
    few = {"Query": f"from Users where {where} include explanations() limit 0, 2"}
    answer = await people.ask("POST", "/databases/db/queries", few)
    assert answer.status == 200 and len(answer.json["Explanations"]) == 2
