"""Operations ask what RavenDB's client asks: same method, path, parameters, headers and body."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
import ravendb
from ravendb.documents.conventions import DocumentConventions
from ravendb.documents.indexes import definitions as official_definitions
from ravendb.documents.operations import identities as official_identities
from ravendb.documents.operations import indexes as official_indexes
from ravendb.documents.operations import server_misc
from ravendb.http.http_cache import HttpCache
from ravendb.http.server_node import ServerNode
from ravendb.serverwide.database_record import DatabaseRecord as OfficialRecord
from ravendb.serverwide.operations import common as official_common
from ravendb.serverwide.operations import configuration as official_configuration

import quoth
from quoth.commands import Command

CONVENTIONS = DocumentConventions()
NODE = ServerNode("http://a", "shop")


def plain(value: Any) -> Any:
    """JSON without what is null: both clients may leave it out."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def official_request(operation: Any) -> tuple[str, str, set[tuple[str, str]], Any, dict[str, str]]:
    try:
        command = operation.get_command(None, CONVENTIONS, HttpCache())
    except TypeError:
        command = operation.get_command(CONVENTIONS)
    request = command.create_request(NODE)
    parts = urlsplit(request.url)
    # Left out: ids of requests, which are chance, and what is empty.
    query = {
        (name.strip("?"), value.lower() if value in ("True", "False") else value)
        for name, value in parse_qsl(parts.query)
        if not name.strip("?").startswith("raft-request-id")
    }
    data = request.data or None
    if isinstance(data, str):
        data = json.loads(data)
    body = plain(json.loads(json.dumps(data, default=CONVENTIONS.json_default_method)))
    headers = {name: value for name, value in request.headers.items() if name == "If-Match"}
    return request.method, parts.path, query, body, headers


def own_request(
    operation: Command[Any],
) -> tuple[str, str, set[tuple[str, str]], Any, dict[str, str]]:
    request = operation.to_request()
    path = f"/databases/shop{request.path}" if operation.is_for_database else request.path
    body = None if request.body is None else plain(orjson.loads(request.body))
    query = {(name, value) for name, value in request.query if value}
    return request.method, path, query, body, dict(request.headers)


PATCH = ("this.n += args.n", {"n": 1})
PAIRS: list[tuple[Command[Any], Any]] = [
    (
        quoth.SeedIdentityForOperation("companies|", 23),
        official_identities.SeedIdentityForOperation("companies|", 23),
    ),
    (
        quoth.SeedIdentityForOperation("companies|", 5, force_update=True),
        official_identities.SeedIdentityForOperation("companies|", 5, force_update=True),
    ),
    (
        quoth.NextIdentityForOperation("companies|"),
        official_identities.NextIdentityForOperation("companies|"),
    ),
    (quoth.GetIdentitiesOperation(), official_identities.GetIdentitiesOperation()),
    (
        quoth.PutCompareExchangeValueOperation("a/ä?", {"n": [1, None]}, 3),
        ravendb.PutCompareExchangeValueOperation("a/ä?", {"n": [1, None]}, 3),
    ),
    (
        quoth.GetCompareExchangeValueOperation("a b", dict),
        ravendb.GetCompareExchangeValueOperation("a b", dict),
    ),
    (
        quoth.GetCompareExchangeValuesOperation(["a", "b&"], dict),
        ravendb.GetCompareExchangeValuesOperation(["a", "b&"], dict),
    ),
    (
        quoth.DeleteCompareExchangeValueOperation(dict, "a", 3),
        ravendb.DeleteCompareExchangeValueOperation(dict, "a", 3),
    ),
    (quoth.GetStatisticsOperation(), ravendb.GetStatisticsOperation()),
    (quoth.GetDetailedStatisticsOperation(), ravendb.GetDetailedStatisticsOperation()),
    (quoth.GetCollectionStatisticsOperation(), ravendb.GetCollectionStatisticsOperation()),
    (
        quoth.GetDetailedCollectionStatisticsOperation(),
        ravendb.documents.operations.statistics.GetDetailedCollectionStatisticsOperation(),
    ),
    (
        quoth.DeleteDatabaseOperation("x", True),
        official_common.DeleteDatabaseOperation("x", True),
    ),
    (
        quoth.DeleteDatabaseOperation("x", False, "B", timedelta(seconds=5)),
        official_common.DeleteDatabaseOperation("x", False, "B", timedelta(seconds=5)),
    ),
    (
        quoth.GetDatabaseNamesOperation(2, 10),
        official_common.GetDatabaseNamesOperation(2, 10),
    ),
    (
        quoth.GetDatabaseRecordOperation("x"),
        official_common.GetDatabaseRecordOperation("x"),
    ),
    (quoth.GetBuildNumberOperation(), official_common.GetBuildNumberOperation()),
    (
        quoth.ReorderDatabaseMembersOperation("x", ["B", "A"], True),
        official_common.ReorderDatabaseMembersOperation("x", ["B", "A"], True),
    ),
    (
        quoth.PromoteDatabaseNodeOperation("x", "B"),
        official_common.PromoteDatabaseNodeOperation("x", "B"),
    ),
    (
        quoth.AddDatabaseNodeOperation("x", "B"),
        official_common.AddDatabaseNodeOperation("x", "B"),
    ),
    (
        quoth.ToggleDatabasesStateOperation("x", True),
        server_misc.ToggleDatabasesStateOperation("x", True),
    ),
    (
        quoth.ToggleDatabasesStateOperation.from_multiple_names(["x", "y"], False),
        server_misc.ToggleDatabasesStateOperation.from_multiple_names(["x", "y"], False),
    ),
    (
        quoth.GetDatabaseSettingsOperation("x"),
        official_configuration.GetDatabaseSettingsOperation("x"),
    ),
    (
        quoth.PutDatabaseSettingsOperation("x", {"a": "b"}),
        official_configuration.PutDatabaseSettingsOperation("x", {"a": "b"}),
    ),
    (quoth.GetClientConfigurationOperation(), ravendb.GetClientConfigurationOperation()),
    (
        quoth.PutClientConfigurationOperation(quoth.ClientConfiguration()),
        ravendb.PutClientConfigurationOperation(ravendb.ClientConfiguration()),
    ),
    (
        quoth.GetServerWideClientConfigurationOperation(),
        ravendb.GetServerWideClientConfigurationOperation(),
    ),
    (
        quoth.PutServerWideClientConfigurationOperation(quoth.ClientConfiguration()),
        ravendb.PutServerWideClientConfigurationOperation(ravendb.ClientConfiguration()),
    ),
    (quoth.GetIndexOperation("A/B"), ravendb.GetIndexOperation("A/B")),
    (quoth.DeleteIndexOperation("A/B"), ravendb.DeleteIndexOperation("A/B")),
    (quoth.EnableIndexOperation("A/B", True), ravendb.EnableIndexOperation("A/B", True)),
    (quoth.DisableIndexOperation("A/B"), ravendb.DisableIndexOperation("A/B")),
    (quoth.ResetIndexOperation("A/B"), official_indexes.ResetIndexOperation("A/B")),
    (quoth.StopIndexOperation("A/B"), ravendb.StopIndexOperation("A/B")),
    (quoth.StartIndexOperation("A/B"), ravendb.StartIndexOperation("A/B")),
    (quoth.StopIndexingOperation(), ravendb.StopIndexingOperation()),
    (quoth.StartIndexingOperation(), ravendb.StartIndexingOperation()),
    (quoth.GetIndexingStatusOperation(), ravendb.GetIndexingStatusOperation()),
    (quoth.GetIndexStatisticsOperation("A/B"), ravendb.GetIndexStatisticsOperation("A/B")),
    (quoth.GetIndexesStatisticsOperation(), ravendb.GetIndexesStatisticsOperation()),
    (quoth.GetIndexErrorsOperation("A", "B"), ravendb.GetIndexErrorsOperation("A", "B")),
    (
        quoth.DeleteIndexErrorsOperation(["A"]),
        official_indexes.DeleteIndexErrorsOperation(["A"]),
    ),
    (
        quoth.GetTermsOperation("A/B", "name", "x", 10),
        ravendb.GetTermsOperation("A/B", "name", "x", 10),
    ),
    (
        quoth.SetIndexesLockOperation(quoth.IndexLockMode.LOCKED_ERROR, "A", "B"),
        ravendb.SetIndexesLockOperation(official_definitions.IndexLockMode.LOCKED_ERROR, "A", "B"),
    ),
    (
        quoth.SetIndexesPriorityOperation(quoth.IndexPriority.HIGH, "A"),
        ravendb.SetIndexesPriorityOperation(official_definitions.IndexPriority.HIGH, "A"),
    ),
    (
        quoth.PatchOperation("a/1", "A:1-x", quoth.PatchRequest(*PATCH)),
        ravendb.PatchOperation("a/1", "A:1-x", ravendb.PatchRequest(*PATCH)),
    ),
    (
        quoth.PatchOperation(
            "a/1", None, quoth.PatchRequest(*PATCH), quoth.PatchRequest("x"), True
        ),
        ravendb.PatchOperation(
            "a/1", None, ravendb.PatchRequest(*PATCH), ravendb.PatchRequest("x"), True
        ),
    ),
    (
        quoth.JsonPatchOperation(
            "a/1", quoth.JsonPatchDocument().add("/a", 1).copy("/a", "/b").test("/b", 1)
        ),
        ravendb.JsonPatchOperation(
            "a/1", ravendb.JsonPatchDocument().add("/a", 1).copy("/a", "/b").test("/b", 1)
        ),
    ),
    (
        quoth.GetOperationStateOperation(77),
        ravendb.GetOperationStateOperation(77),
    ),
]


@pytest.mark.parametrize(("own", "official"), PAIRS, ids=[type(own).__name__ for own, _ in PAIRS])
def test_the_same_is_asked(own: Command[Any], official: Any) -> None:
    assert own_request(own) == official_request(official)


PAGE_SIZE_ALONE = {"PageSize", "PageSizeSet", "ProjectionBehavior"}


@pytest.mark.parametrize("kind", ["DeleteByQueryOperation", "PatchByQueryOperation"])
def test_queries_of_operations_ask_the_same(kind: str) -> None:
    options: tuple[Any, ...] = (False, timedelta(seconds=3), 100, True)
    text = "from Orders update { this.x = 1 }"
    own = getattr(quoth, kind)(text, quoth.QueryOperationOptions(*options))
    official = getattr(ravendb, kind)(text, ravendb.QueryOperationOptions(*options))
    method, path, query, body, _ = official_request(official)
    # The official client writes a time span as Python does: 0:00:03.
    query = {(name, "00:00:03" if name == "staleTimeout" else value) for name, value in query}
    inner = body.get("Query", body) if kind.startswith("Patch") else body
    for each in PAGE_SIZE_ALONE:
        inner.pop(each, None)
    assert own_request(own) == (method, path, query, body, {})


def test_a_database_is_created_alike() -> None:
    """But for what our record leaves out because it would be empty."""
    own = quoth.CreateDatabaseOperation(quoth.DatabaseRecord("x"), 2)
    theirs = official_common.CreateDatabaseOperation(OfficialRecord("x"), 2)
    method, path, query, body, headers = official_request(theirs)
    assert own_request(own)[:3] == (method, path, query)
    sent = own_request(own)[3]
    assert sent["DatabaseName"] == body["DatabaseName"]
    assert sent.keys() <= body.keys() | {"Settings", "Disabled", "LockMode"}
    assert not headers


def test_indexes_as_classes_are_defined_alike() -> None:
    class Companies_ByName(quoth.AbstractIndexCreationTask):
        def __init__(self) -> None:
            super().__init__()
            self.map = "from c in docs.Companies select new { c.name, c.city }"
            self.reduce = "from r in results group r by r.city"
            self.priority = quoth.IndexPriority.HIGH
            self.search_engine_type = quoth.SearchEngineType.CORAX
            self._index("name", quoth.FieldIndexing.SEARCH)
            self._store_all_fields(quoth.FieldStorage.YES)
            self._analyze("name", "StandardAnalyzer")
            self._term_vector("name", quoth.FieldTermVector.WITH_POSITIONS)
            self._suggestion("city")

    own_class = Companies_ByName

    class Companies_ByName(ravendb.AbstractIndexCreationTask):  # type: ignore[no-redef, misc]
        def __init__(self) -> None:
            super().__init__()
            self.map = "from c in docs.Companies select new { c.name, c.city }"
            self.reduce = "from r in results group r by r.city"
            self.priority = official_definitions.IndexPriority.HIGH
            self.configuration = {"Indexing.Static.SearchEngineType": "Corax"}
            self._index("name", official_definitions.FieldIndexing.SEARCH)
            self._store_all_fields(official_definitions.FieldStorage.YES)
            self._analyze("name", "StandardAnalyzer")
            self._term_vector("name", official_definitions.FieldTermVector.WITH_POSITIONS)
            self._suggestion("city")

    own = quoth.PutIndexesOperation(own_class().create_index_definition())
    official = ravendb.PutIndexesOperation(Companies_ByName().create_index_definition())
    assert own_request(own) == official_request(official)


def test_every_official_name_takes_the_same_parameters() -> None:
    """By name and in order; ours may have more of them, at the end or by name only."""
    import inspect

    left_out = {
        "GetStatisticsOperation": {"debug_tag", "node_tag"},
        "GetDetailedStatisticsOperation": {"debug_tag"},
        "GetCompareExchangeValueOperation": {"materialize_metadata"},
        "GetCompareExchangeValuesOperation": {"materialize_metadata"},
    }
    for own, official in PAIRS:
        name = type(own).__name__
        if name.startswith("ToggleMany"):
            continue
        wanted = [
            each
            for each in inspect.signature(type(official)).parameters
            if each not in left_out.get(name, set())
        ]
        here = list(inspect.signature(type(own)).parameters)
        assert here[: len(wanted)] == wanted, name
