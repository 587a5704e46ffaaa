"""Queries that need no index: collections and documents by id, and all that is made of results."""

import json
from typing import Any

import pytest

from tests.unit.http.conftest import Answer, Node, put

QUERIES = "/databases/db/queries"


@pytest.fixture
async def users(node: Node) -> Node:
    """A node with four users and two companies."""
    answer = await node.bulk(
        put("users/2", "Users", name="Bo", age=9, boss="users/1", tags=["a", "b"]),
        put("companies/1", "Companies", name="Acme", address={"city": "Lublin"}),
        put("users/1", "Users", name="Ann", age=40, tags=[]),
        put("users/10", "Users", name="bo", age=10, boss="users/1", company="companies/1"),
        put("Users/3", "Users", name="Cy", age=None, friends=["users/1", "users/2"]),
        put("companies/2", "Companies", name="Zeta"),
    )
    assert answer.status == 201
    return node


async def ask(node: Node, text: str, **more: Any) -> Answer:
    return await node.ask("POST", f"{QUERIES}?queryHash=1", {"Query": text, **more})


async def results(node: Node, text: str, **parameters: Any) -> list[Any]:
    """The results of a query without their metadata."""
    answer = await ask(node, text, QueryParameters=parameters)
    assert answer.status == 200, answer.body
    found: list[Any] = answer.json["Results"]
    for one in found:
        assert "@metadata" in one
    return [{k: v for k, v in one.items() if k != "@metadata"} for one in found]


async def ids(node: Node, text: str, **parameters: Any) -> list[str]:
    answer = await ask(node, text, QueryParameters=parameters)
    assert answer.status == 200, answer.body
    return [one["@metadata"]["@id"] for one in answer.json["Results"]]


async def test_a_collection_is_told_in_the_order_of_its_changes(users: Node) -> None:
    answer = (await ask(users, "from Users")).json
    found = [one["@metadata"]["@id"] for one in answer["Results"]]
    assert found == ["users/2", "users/1", "users/10", "Users/3"]
    assert {key: answer[key] for key in answer if key not in ("Results", "ResultEtag")} == {
        "TotalResults": 4,
        "ScannedResults": 0,
        "SkippedResults": 0,
        "DurationInMs": 0,
        "IncludedPaths": None,
        "IndexName": "collection/Users",
        "Includes": {},
        "IndexTimestamp": "0001-01-01T00:00:00.0000000",
        "LastQueryTime": "0001-01-01T00:00:00.0000000",
        "IsStale": False,
        "NodeTag": "A",
    }
    assert len(await ids(users, "from @all_docs")) == 6
    assert await ids(users, "from 'users'") == found, "collections are named in any case"
    assert await ids(users, "from Nobody") == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("id() = 'users/1'", ["users/1"]),
        ("id() = $one", ["users/10"]),
        ("id() in ($many, 'companies/1')", ["users/1", "users/2"]),
        ("id() = 'USERS/3' or id() in ('users/2', 'none')", ["users/2", "Users/3"]),
        ("startsWith(id(), 'users/1')", ["users/1", "users/10"]),
        ("startsWith(id(), 'companies/')", []),
        ("true", ["users/2", "users/1", "users/10", "Users/3"]),
        ("false", []),
        ("id() = null", []),
    ],
)
async def test_documents_are_found_by_id(users: Node, condition: str, expected: list[str]) -> None:
    parameters = {"one": "users/10", "many": ["users/1", "users/2", 5]}
    assert await ids(users, f"from Users where {condition}", **parameters) == expected


async def test_a_page_is_what_both_ways_to_say_it_allow(users: Node) -> None:
    text = "from Users limit $p0, $p1"
    answer = await ask(users, text, Start=1, PageSize=9, QueryParameters={"p0": 1, "p1": 2})
    told = answer.json
    assert [one["name"] for one in told["Results"]] == ["Ann", "bo"]
    assert (told["TotalResults"], told["CappedMaxResults"]) == (4, 2)
    count = (await ask(users, text, QueryParameters={"p0": None, "p1": 0})).json
    assert (count["TotalResults"], count["Results"], count["CappedMaxResults"]) == (4, [], 0)
    refused = await ask(users, text, QueryParameters={"p0": "a", "p1": 2})
    assert refused.error[:2] == (400, "InvalidQueryException")
    missing = await ask(users, text)
    assert "$p0 was not sent" in missing.error[2]


async def test_fields_are_projected(users: Node) -> None:
    select = "select name as Name, id() as Id, address.city, tags[] as t, 5 as five, $p as p"
    first = (await results(users, f"from Users {select}", p={"x": [1]}))[0]
    assert first == {
        "Name": "Bo",
        "Id": "users/2",
        "address.city": None,
        "t": ["a", "b"],
        "five": 5,
        "p": {"x": [1]},
    }
    answer = await ask(
        users, "from Users as u where id() = 'users/1' select u.name, u.@metadata.@id"
    )
    (one,) = answer.json["Results"]
    assert (one["name"], one["@metadata.@id"]) == ("Ann", "users/1")
    metadata = one["@metadata"]
    assert metadata["@projection"] is True
    assert set(metadata) == {
        "@id",
        "@change-vector",
        "@collection",
        "@last-modified",
        "@projection",
    }


async def test_what_is_distinct_is_told_once(users: Node) -> None:
    await users.put("users/11", name="Bo", age=9)
    answer = (await ask(users, "from Users select distinct age, name limit 1, 3")).json
    assert [one["name"] for one in answer["Results"]] == ["Ann", "bo", "Cy"]
    answer = (await ask(users, "from Users select distinct name")).json
    assert (len(answer["Results"]), answer["SkippedResults"]) == (4, 1)
    script = await results(users, "from Users as u select distinct { n: u.name.toLowerCase() }")
    assert script == [{"n": "bo"}, {"n": "ann"}, {"n": "cy"}]


async def test_pages_hold_each_once_also_if_what_was_skipped_is_added_to_their_start(
    users: Node,
) -> None:
    for number in range(20, 30):
        await users.put(f"users/{number}", name=f"N{number % 3}")
    for number in range(30, 35):
        await users.put(f"users/{number}", name=f"Last {number}")
    everyone = await results(users, "from Users select distinct name")
    paged: list[object] = []
    page = skipped = 0
    while page == 0 or len(paged) == 2 * page:
        text = f"from Users select distinct name limit {2 * page + skipped}, 2"
        answer = (await ask(users, text)).json
        paged += [one["name"] for one in answer["Results"]]
        skipped += answer["SkippedResults"]
        page += 1
    assert paged == [one["name"] for one in everyone]


async def test_documents_are_loaded_for_a_projection(users: Node) -> None:
    text = "from Users as u load u.boss as b, u.friends as f[] select u.name, b.name as boss, id(b)"
    found = await results(users, text)
    assert found[0] == {"name": "Bo", "boss": "Ann", "id()": "users/1"}
    assert found[1] == {"name": "Ann", "boss": None, "id()": None}
    whole = await results(users, "from Users as u where id() = 'users/2' load u.boss as b select b")
    assert (whole[0]["name"], "b" in whole[0]) == ("Ann", False), "it is the result"
    named = await results(
        users, "from Users as u where id() = 'users/2' load u.boss as b select b as boss, u.name"
    )
    assert (named[0]["boss"]["name"], named[0]["name"]) == ("Ann", "Bo")


async def test_a_document_alone_is_the_result(users: Node) -> None:
    (one,) = await results(users, "from Users as u where id() = 'users/1' select u")
    (plain,) = await results(users, "from Users as u where id() = 'users/1'")
    assert one == plain and one["name"] == "Ann"
    (wrapped,) = await results(users, "from Users as u where id() = 'users/1' select u as user")
    assert wrapped["user"]["name"] == "Ann"


async def test_scripts_make_results(users: Node) -> None:
    text = """
    declare function older(u, years) { return u.age + years; }
    from Users as u
    load u.boss as b, u.friends as f[]
    select { Name: u.name, Id: id(u), Age: older(u, $years), Boss: b ? b.name : null,
             Friends: f.map(x => x.name), City: load(u.company)?.address.city }
    """
    found = await results(users, text, years=2)
    assert found[0] == {"Name": "Bo", "Id": "users/2", "Age": 11, "Boss": "Ann", "Friends": []}
    assert found[2]["City"] == "Lublin"
    assert found[3]["Friends"] == ["Ann", "Bo"]
    called = "declare function f(u) { return { n: u.name } } from Users as u select f(u)"
    assert (await results(users, called))[1] == {"n": "Ann"}


async def test_a_script_may_give_metadata_of_its_own(users: Node) -> None:
    text = "from Users as u select { n: u.name, '@metadata': { mine: 1, '@projection': false } }"
    metadata = (await ask(users, text)).json["Results"][0]["@metadata"]
    assert (metadata["mine"], metadata["@projection"]) == (1, True)


async def test_a_result_may_take_as_many_steps_as_any_script(users: Node) -> None:
    loop = "for (let i = 0; i < 3500; i++) { n += 1; }"
    text = "declare function slow(u) { let n = 0; %s return { n }; } from Users as u select slow(u)"
    assert await results(users, text % loop) == [{"n": 3500}] * 4
    answer = await ask(users, text % "for (;;) {}")
    assert answer.error[:2] == (400, "JavaScriptException")
    assert "10000 steps" in answer.error[2]
    answer = await ask(users, "from Users as u select { a: u.nothing.more }")
    assert "TypeError" in answer.error[2]


async def test_scripts_load_as_much_as_they_may_and_no_more(users: Node) -> None:
    many = [put(f"many/{n}", "Many", n=n, friend=f"many/{n + 1}") for n in range(150)]
    assert (await users.bulk(*many)).status == 201
    text = "from Many as m select { n: m.n, next: load(m.friend)?.n ?? null }"
    found = await results(users, text)
    assert [one["next"] for one in found] == [*range(1, 150), None]
    await users.put("users/20", friends=[f"none/{n}" for n in range(2_049)])
    text = "from Users as u where id() = 'users/20' load u.friends as f[] select { f: f.length }"
    answer = await ask(users, text)
    assert answer.error[:2] == (400, "JavaScriptException")
    assert "may load 2048 documents" in answer.error[2]


async def test_what_results_name_is_included(users: Node) -> None:
    await users.ask("PUT", "/databases/db/cmpxchg?key=users/1&index=0", {"Object": {"lock": 1}})
    answer = (await ask(users, "from Users as u include u.boss, 'company', cmpxchg('boss')")).json
    assert answer["IncludedPaths"] == ["boss", "company"]
    assert list(answer["Includes"]) == ["companies/1"], "users/1 is a result already"
    values = answer["CompareExchangeValueIncludes"]
    assert values["users/1"]["Value"] == {"Object": {"lock": 1}}
    paged = (await ask(users, "from Users include boss, friends limit 1")).json
    assert list(paged["Includes"]) == ["users/1"], "only what is on the page names something"


async def test_a_filter_looks_at_documents(users: Node) -> None:
    for condition, expected in {
        "name = 'BO'": ["users/2", "users/10"],
        "exact(name = 'bo')": ["users/10"],
        "age > 9": ["users/1", "users/10"],
        "age between 9 and 10": ["users/2", "users/10"],
        "age = null": ["Users/3"],
        "not (name in ('bo', 'cy'))": ["users/1"],
        "tags[] = 'b' or exists(company)": ["users/2", "users/10"],
        "startsWith(name, 'a') and endsWith(id(), '1')": ["users/1"],
        "age != '9' and name != 'Cy'": ["users/1", "users/10"],
    }.items():
        assert await ids(users, f"from Users filter {condition}") == expected, condition
    loading = "from Users as u load u.boss as b, u.friends as f[] filter"
    assert await ids(users, f"{loading} b.name = 'Ann' and u.age > 9") == ["users/10"]
    assert await ids(users, f"{loading} f.name = 'bo' or id(b) = 'none'") == ["Users/3"]
    declared = "declare function check(u, first) { return u.name[0] == first } from Users as u"
    text = f"{declared} filter check(u, $p) or u.age = 10"
    assert await ids(users, text, p="A") == ["users/1", "users/10"]
    text = "from Users filter name = 'bo' limit 1, 5 filter_limit 3"
    answer = (await ask(users, text)).json
    assert [one["@metadata"]["@id"] for one in answer["Results"]] == ["users/10"]
    assert answer["ScannedResults"] == 3
    refused = await ask(users, "from Users filter search(name, 'x')")
    assert refused.error == (400, "InvalidQueryException", "search() is not possible in a filter")


async def test_only_metadata_may_be_asked_for(users: Node) -> None:
    answer = await users.ask("POST", f"{QUERIES}?metadataOnly=true", {"Query": "from Users"})
    assert [list(one) for one in answer.json["Results"]] == [["@metadata"]] * 4


async def test_what_was_not_changed_is_not_sent_again(users: Node) -> None:
    first = await ask(users, "from Users")
    etag = first.headers["ETag"]
    assert etag == str(first.json["ResultEtag"])
    headers = {"If-None-Match": f'"{etag}"'}
    again = await users.ask("POST", QUERIES, {"Query": "from Users"}, headers=headers)
    assert (again.status, again.body) == (304, b"")
    await users.put("users/1", name="Anna")
    changed = await users.ask("POST", QUERIES, {"Query": "from Users"}, headers=headers)
    assert changed.status == 200


async def test_timings_are_told_if_asked_for(users: Node) -> None:
    assert "Timings" not in (await ask(users, "from Users")).json
    timings = (await ask(users, "from Users include timings()")).json["Timings"]
    assert timings == {"DurationInMs": 0, "Timings": {"Query": {"DurationInMs": 0, "Timings": {}}}}


async def test_people_ask_by_url(users: Node) -> None:
    text = "from%20Users%20where%20id()%20=%20$p"
    answer = await users.get(f"{QUERIES}?query={text}&parameters=%7B%22p%22:%22users/1%22%7D")
    assert [one["name"] for one in answer.json["Results"]] == ["Ann"]


async def test_what_cannot_be_answered_is_told(users: Node) -> None:
    bad = await ask(users, "from Users wher name")
    message = "1:17 Expected end of query but got: name\nQuery: \nfrom Users wher name"
    assert bad.error == (400, "QueryParser+ParseException", message)
    facets = await ask(users, "from Users select facet(name)")
    message = "facets are not supported yet (line 1, column 19)"
    assert facets.error == (400, "InvalidQueryException", message)
    update = await ask(users, "from Users update { this.a = 1 }")
    assert update.error[:2] == (400, "InvalidQueryException")
    assert (await ask(users, "from index 'Nope'")).status == 404
    grouped = await ask(users, "from index 'Nope' group by name select name, count()")
    assert grouped.error[:2] == (400, "InvalidQueryException")
    empty = await users.ask("POST", QUERIES, {})
    assert empty.error[:2] == (400, "BadRequestException")


async def test_results_are_streamed(users: Node) -> None:
    body = {"Query": "from Users as u select { n: u.name }"}
    answer = await users.ask("POST", "/databases/db/streams/queries?format=jsonl", body)
    stats, *items = [json.loads(line) for line in answer.body.splitlines()]
    assert set(stats["Stats"]) == {
        *("ResultEtag", "IsStale", "IndexName", "TotalResults", "IndexTimestamp")
    }
    assert [item["Item"]["n"] for item in items] == ["Bo", "Ann", "bo", "Cy"]
    answer = await users.ask("POST", "/databases/db/streams/queries", {"Query": "from Users"})
    assert answer.json["IndexName"] == "collection/Users"
    assert len(answer.json["Results"]) == 4
    refused = await users.ask("POST", "/databases/db/streams/queries", {"Query": "from"})
    assert refused.status == 400
