"""Loading, looking and storing documents over HTTP."""

import pytest

from tests.unit.http.conftest import Node, put

DOCS = "/databases/db/docs"


async def test_one_document_comes_with_its_change_vector_as_etag(node: Node) -> None:
    vector = await node.put("users/1", name="x")
    answer = await node.get(f"{DOCS}?&id=users%2F1")
    assert answer.status == 200
    assert answer.headers["ETag"] == f'"{vector}"'
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json == {
        "Results": [
            {
                "name": "x",
                "@metadata": {
                    "@collection": "Users",
                    "@change-vector": vector,
                    "@id": "users/1",
                    "@last-modified": "2027-01-15T08:00:00.0000000Z",
                },
            }
        ],
        "Includes": {},
    }


async def test_one_missing_document_is_404_without_a_body(node: Node) -> None:
    answer = await node.get(f"{DOCS}?id=users/none")
    assert (answer.status, answer.body) == (404, b"")


async def test_a_known_etag_saves_the_body(node: Node) -> None:
    vector = await node.put("users/1", name="x")
    known = await node.get(f"{DOCS}?id=users/1", If_None_Match=f'"{vector}"')
    assert (known.status, known.body) == (304, b"")
    newer = await node.put("users/1", name="y")
    answer = await node.get(f"{DOCS}?id=users/1", If_None_Match=f'"{vector}"')
    assert answer.status == 200 and answer.headers["ETag"] == f'"{newer}"'
    again = await node.get(f"{DOCS}?id=users/none", If_None_Match='"404 Response"')
    assert again.status == 404


async def test_many_come_in_the_order_asked_for(node: Node) -> None:
    await node.put("users/1", n=1)
    await node.put("users/0", n=0)
    answer = await node.get(f"{DOCS}?&id=users%2F1&id=users%2Fnone&id=USERS%2F0&id=")
    results = answer.json["Results"]
    assert [result and result["n"] for result in results] == [1, None, 0, None]
    etag = answer.headers["ETag"]
    assert etag.startswith('"Hash-')
    target = f"{DOCS}?&id=users%2F1&id=users%2Fnone&id=USERS%2F0&id="
    assert (await node.get(target, If_None_Match=etag)).status == 304
    await node.put("users/none", n=5)
    assert (await node.get(target, If_None_Match=etag)).status == 200


async def test_ids_too_long_for_a_url_are_posted(node: Node) -> None:
    await node.put("users/1", n=1)
    ids = ["users/1", *(f"users/{'x' * 100}{n}" for n in range(40))]
    answer = await node.ask("POST", f"{DOCS}?&loadHash=7", {"Ids": ids})
    assert answer.status == 200
    assert [bool(result) for result in answer.json["Results"]] == [True] + [False] * 40


async def test_includes_follow_properties(node: Node) -> None:
    await node.put("companies/1", name="c")
    await node.put("users/1", boss="users/2", works=[{"at": "companies/1"}, {"at": "companies/9"}])
    await node.put("users/2", boss="users/1")
    answer = await node.get(f"{DOCS}?&include=boss&include=works[].at&id=users%2F1")
    includes = answer.json["Includes"]
    assert list(includes) == ["users/2", "companies/1"]
    assert includes["companies/1"]["@metadata"]["@id"] == "companies/1"
    both = await node.get(f"{DOCS}?&include=boss&id=users%2F1&id=users/2")
    assert both.json["Includes"] == {}, "what is a result is not included again"


async def test_the_etag_covers_what_is_included(node: Node) -> None:
    await node.put("users/1", boss="users/2")
    target = f"{DOCS}?id=users/1&include=boss"
    first = await node.get(target)
    await node.put("users/2", name="new")
    second = await node.get(target, If_None_Match=first.headers["ETag"])
    assert second.status == 200 and list(second.json["Includes"]) == ["users/2"]
    await node.put("users/2", name="changed")
    third = await node.get(target, If_None_Match=second.headers["ETag"])
    assert third.status == 200


async def test_an_include_path_to_what_can_be_no_id_finds_nothing(node: Node) -> None:
    await node.put("users/1", boss="x" * 600, other="a\0b")
    answer = await node.get(f"{DOCS}?id=users/1&include=boss&include=other&include=@metadata")
    assert answer.status == 200 and answer.json["Includes"] == {}


async def test_only_metadata(node: Node) -> None:
    await node.put("users/1", name="x")
    answer = await node.get(f"{DOCS}?id=users/1&metadataOnly=True")
    assert [list(result) for result in answer.json["Results"]] == [["@metadata"]]


async def test_a_document_without_properties(node: Node) -> None:
    assert (await node.ask("PUT", f"{DOCS}?id=empty", {})).status == 201
    answer = await node.get(f"{DOCS}?id=empty")
    assert list(answer.json["Results"][0]) == ["@metadata"]


async def test_a_prefix_finds_documents_in_the_order_of_their_ids(node: Node) -> None:
    for name in ("users/b1", "users/a2", "Users/a1", "other/a1"):
        await node.put(name)
    assert await ids(node, "startsWith=users%2F") == ["Users/a1", "users/a2", "users/b1"]
    assert await ids(node, "startsWith=users/&matches=a*|x") == ["Users/a1", "users/a2"]
    assert await ids(node, "startsWith=users/&matches=?1") == ["Users/a1", "users/b1"]
    assert await ids(node, "startsWith=users/&exclude=a*") == ["users/b1"]
    assert await ids(node, "startsWith=users/&startAfter=users/a1") == ["users/a2", "users/b1"]
    assert await ids(node, "startsWith=users/&start=1&pageSize=1") == ["users/a2"]
    assert await ids(node, "startsWith=none/") == []
    answer = await node.get(f"{DOCS}?startsWith=users/")
    assert "Includes" not in answer.json


async def test_without_ids_the_newest_come_first(node: Node) -> None:
    for name in ("a", "b", "c"):
        await node.put(name)
    await node.put("a")
    assert await ids(node, "start=0&pageSize=2") == ["a", "c"]
    assert await ids(node, "start=2") == ["b"]


async def test_a_page_has_the_etag_of_the_database(node: Node) -> None:
    await node.put("users/1")
    first = await node.get(f"{DOCS}?startsWith=users/")
    etag = first.headers["ETag"]
    assert (await node.get(f"{DOCS}?startsWith=users/", If_None_Match=etag)).status == 304
    await node.ask("DELETE", f"{DOCS}?id=users/1")
    again = await node.get(f"{DOCS}?startsWith=users/", If_None_Match=etag)
    assert (again.status, again.json) == (200, {"Results": []})


async def test_a_page_over_the_limit_asks_for_a_page_size(node: Node) -> None:
    for n in range(3):
        await node.put(f"big/{n}", text="x" * 20_000)
    status, kind, message = (await node.get(f"{DOCS}?startsWith=big/")).error
    assert (status, kind) == (400, "BadRequestException") and "pageSize" in message
    assert await ids(node, "startsWith=big/&pageSize=2") == ["big/0", "big/1"]


async def test_head_tells_whether_a_document_exists(node: Node) -> None:
    vector = await node.put("users/1")
    found = await node.ask("HEAD", f"{DOCS}?id=users/1")
    assert (found.status, found.headers["ETag"]) == (200, f'"{vector}"')
    assert (await node.ask("HEAD", f"{DOCS}?id=users/2")).status == 404
    # The official Python client leaves out the quotes here.
    known = await node.ask("HEAD", f"{DOCS}?id=users/1", headers={"If-None-Match": vector})
    assert known.status == 304


async def test_put_and_delete_one_document(node: Node) -> None:
    body = {"name": "put", "@metadata": {"@collection": "Users"}}
    stored = await node.ask("PUT", f"{DOCS}?id=users/put", body)
    assert stored.status == 201 and stored.json["Id"] == "users/put"
    vector = stored.json["ChangeVector"]
    wrong = await node.ask("PUT", f"{DOCS}?id=users/put", body, headers={"If-Match": '"A:1-x"'})
    status, kind, message = wrong.error
    assert (status, kind) == (409, "ConcurrencyException")
    assert message == (
        f"Document users/put has change vector {vector}, but Put was called with change vector "
        "A:1-x. Optimistic concurrency violation, transaction will be aborted."
    )
    assert wrong.json["Id"] == "users/put"
    assert wrong.json["ExpectedChangeVector"] == "A:1-x"
    assert wrong.json["ActualChangeVector"] == vector
    kept = await node.ask("DELETE", f"{DOCS}?id=users/put", headers={"If-Match": '"A:1-x"'})
    assert kept.status == 409
    gone = await node.ask("DELETE", f"{DOCS}?id=users/put", headers={"If-Match": f'"{vector}"'})
    assert (gone.status, gone.body) == (204, b"")
    assert (await node.ask("DELETE", f"{DOCS}?id=users/put")).status == 204


async def test_put_understands_the_ids_that_the_server_completes(node: Node) -> None:
    first = await node.ask("PUT", f"{DOCS}?id=users|", {"n": 1})
    assert first.json["Id"] == "users/1"
    second = await node.ask("PUT", f"{DOCS}?id=users/", {"n": 2})
    assert second.json["Id"] == "users/0000000000000000002-A"


@pytest.mark.parametrize("size", [1, 300])
async def test_text_comes_back_as_it_went_in(node: Node, size: int) -> None:
    text = 'é"\\\u2028\U0001f600\0' * size
    await node.put("text/é", text=text)
    answer = await node.get(f"{DOCS}?id=text/%C3%A9")
    assert answer.json["Results"][0]["text"] == text
    assert answer.json["Results"][0]["@metadata"]["@id"] == "text/é"


async def test_a_cluster_wide_load_leaves_out_the_missing_and_tells_their_guards(
    node: Node,
) -> None:
    saved = await node.transact(put("users/1", name="x"))
    index = saved.json["TransactionIndex"]
    assert (await node.ask("DELETE", f"{DOCS}?id=users/1")).status == 204
    answer = await node.get(f"{DOCS}?id=users/1&id=users/2&txMode=ClusterWide")
    assert answer.status == 200 and "ETag" not in answer.headers
    assert answer.json["Results"] == [] and answer.json["Includes"] == {}
    guard = answer.json["CompareExchangeValueIncludes"]["rvn-atomic/users/1"]
    assert guard["Index"] == index
    assert guard["ChangeVector"].startswith(f"TRXN:{index}-")


async def test_compare_exchange_values_can_be_included(node: Node) -> None:
    answer = await node.ask("PUT", "/databases/db/cmpxchg?key=names/x&index=0", {"Object": 5})
    await node.put("users/1", name="names/x", other="names/y")
    loaded = await node.get(f"{DOCS}?id=users/1&cmpxchg=name&cmpxchg=other")
    assert loaded.json["CompareExchangeValueIncludes"] == {
        "names/x": {"Key": "names/x", "Value": {"Object": 5}, "Index": answer.json["Index"]},
        "names/y": {"Key": "names/y", "Value": None, "Index": -1},
    }
    assert "ETag" not in loaded.headers, "the values may change while the documents do not"


async def ids(node: Node, query: str) -> list[str]:
    answer = await node.get(f"{DOCS}?&{query}")
    assert answer.status == 200, answer.body
    return [result["@metadata"]["@id"] for result in answer.json["Results"]]
