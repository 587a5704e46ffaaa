"""Queries are answered where they arrive if they are brief, and in a worker thread if not."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from quoth_node.http import queries
from quoth_node.http.streams import beside_the_loop
from quoth_node.indexing.sqlite import Connection, IndexFileError
from quoth_node.querying import brevity, live
from quoth_node.querying.brevity import Brevity
from tests.unit.http.conftest import Answer, Node

BY_AGE = "from Users where age = $age"
WAITING = "?waitForIndexesTimeout=00:00:15&waitForIndexThrow=true"


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A mark for each query that went to a worker thread."""
    gone: list[str] = []

    async def counted(read: Callable[[], Any]) -> Any:
        gone.append("to a thread")
        return await beside_the_loop(read)

    monkeypatch.setattr(queries, "beside_the_loop", counted)
    return gone


@pytest.fixture
async def people(node: Node, threads: list[str]) -> Node:
    """100 users of ages 0 to 9 and 3 of age 50, and the automatic index of their ages."""
    ages = [number % 10 for number in range(100)] + [50, 50, 50]
    commands = [
        {
            "Id": f"users/{number}",
            "ChangeVector": None,
            "Type": "PUT",
            "Document": {"age": age, "@metadata": {"@collection": "Users"}},
        }
        for number, age in enumerate(ages)
    ]
    assert (await node.bulk(*commands)).status == 201
    await ask(node, age=50)  # makes the index, and waits for it
    threads.clear()
    return node


async def ask(node: Node, text: str = BY_AGE, **parameters: Any) -> Answer:
    body = {"Query": text, "QueryParameters": parameters, "WaitForNonStaleResults": True}
    answer = await node.ask("POST", "/databases/db/queries", body)
    assert answer.status == 200, answer.body
    assert not answer.json["IsStale"]
    return answer


async def test_a_brief_query_needs_no_thread(people: Node, threads: list[str]) -> None:
    for _ in range(500):  # SQLite counts steps through all runs of a statement
        told = (await ask(people, age=50)).json
        assert (len(told["Results"]), told["TotalResults"]) == (3, 3)
    assert threads == []


async def test_many_rows_are_read_in_a_thread_and_not_tried_again(
    people: Node, threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    remember = Brevity.was_long

    def was_long(self: Brevity, text: str) -> None:
        tried.append(text)
        remember(self, text)

    monkeypatch.setattr(Brevity, "was_long", was_long)
    text = "from Users where age >= $age"
    for _ in range(3):
        told = (await ask(people, text, age=5)).json
        assert (len(told["Results"]), told["TotalResults"]) == (53, 53)
    assert len(threads) == 3
    assert tried == [text]


async def test_a_page_is_brief_and_its_total_is_that_of_all(
    people: Node, threads: list[str]
) -> None:
    told = (await ask(people, "from Users where age >= $age limit 0, 2", age=5)).json
    assert (len(told["Results"]), told["TotalResults"]) == (2, 53)
    assert threads == []


async def test_what_takes_many_steps_is_done_in_a_thread(
    people: Node, threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brevity, "STEPS", 10)
    told = (await ask(people, age=50)).json
    assert len(told["Results"]) == 3
    assert len(threads) == 1


async def test_no_function_of_python_is_called_on_the_loop(
    people: Node, threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    defined: list[threading.Thread] = []
    define = Connection.define

    def told(self: Connection, name: str, function: Callable[..., Any], *, arguments: int) -> None:
        defined.append(threading.current_thread())
        define(self, name, function, arguments=arguments)

    monkeypatch.setattr(Connection, "define", told)
    for text in (
        "from Users where regex(age, '5') and age = 50",
        "from Users where age = 50 order by age as alphanumeric",
        "from Users where age = 50 order by random()",
    ):
        assert len((await ask(people, text)).json["Results"]) == 3
    assert len(threads) == len(defined) == 3
    assert threading.main_thread() not in defined


@pytest.mark.parametrize("where", ["regex(age, $age)", "search(age, $age)"])
async def test_functions_and_words_are_for_threads(
    people: Node, threads: list[str], where: str
) -> None:
    text = f"from Users where {where}"
    await ask(people, text, age="50")  # a wider index may have to be made
    threads.clear()
    assert len((await ask(people, text, age="50")).json["Results"]) == 3
    assert len(threads) == 1


def test_a_text_that_was_long_is_tried_again_some_day() -> None:
    known = Brevity()
    assert known.is_likely("q", {})
    known.was_long("q")
    answers = [known.is_likely("q", {}) for _ in range(brevity.TRIED_AGAIN_AFTER + 1)]
    assert answers == [False] * brevity.TRIED_AGAIN_AFTER + [True]


def test_only_so_many_texts_are_remembered() -> None:
    known = Brevity()
    for number in range(brevity.TEXTS_MAX + 1):
        known.was_long(f"q{number}")
    assert known.is_likely("q0", {})
    assert not known.is_likely("q1", {})


@pytest.mark.parametrize(
    "parameters",
    [
        {"a": list(range(brevity.VALUES_MAX + 1))},
        {"a": [[1]]},
        {"a": {}},
        {"a": "x" * (brevity.TEXT_CHARACTERS_MAX + 1)},
        {f"a{number}": 1 for number in range(brevity.VALUES_MAX + 1)},
    ],
)
def test_what_is_much_to_compile_is_not_tried(parameters: dict[str, Any]) -> None:
    assert not Brevity().is_likely("q", parameters)


async def test_an_index_whose_file_is_gone_is_asked_of_another_node(
    people: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while its database is deleted: that is no refusal, and the answer tells no path."""

    def gone(*_: object) -> None:
        raise IndexFileError("/somewhere/on/this/machine/index.sqlite: unable to open database")

    monkeypatch.setattr(live.LiveIndex, "_asked", gone)
    body = {"Query": BY_AGE, "QueryParameters": {"age": 3}}
    answer = await people.ask("POST", "/databases/db/queries", body)
    assert answer.status == 503
    assert b"cannot be read just now" in answer.body and b"machine" not in answer.body
